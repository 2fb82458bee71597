//! Never finishes to describe itself.

use hostile_nodes::{Behaviour, guest};

struct DescribesForever;

impl Behaviour for DescribesForever {
    fn before_describing() {
        loop {
            std::hint::spin_loop();
        }
    }
}

guest!(DescribesForever);
