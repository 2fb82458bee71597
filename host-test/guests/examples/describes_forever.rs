//! Never finishes describing itself.

use hostile_guests::{Behaviour, d, guest};

struct DescribesForever;

impl Behaviour for DescribesForever {
    fn describing() -> d::Node {
        loop {
            std::hint::spin_loop();
        }
    }
}

guest!(DescribesForever);
