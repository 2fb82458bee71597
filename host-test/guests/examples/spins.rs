//! Never finishes, and calls nothing.

use hostile_guests::{Behaviour, Call, Failure, ItemResult, guest, on_hostile_items};

struct Spins;

impl Behaviour for Spins {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        on_hostile_items(&call, |_| {
            let mut count = 0_u64;
            loop {
                count = std::hint::black_box(count.wrapping_add(1));
            }
        })
    }
}

guest!(Spins);
