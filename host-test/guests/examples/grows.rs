//! Allocates memory without end.

use hostile_guests::{Behaviour, Call, Failure, ItemResult, guest, on_hostile_items};

struct Grows;

impl Behaviour for Grows {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        on_hostile_items(&call, |_| {
            loop {
                std::mem::forget(std::hint::black_box(vec![1_u8; 1 << 20]));
            }
        })
    }
}

guest!(Grows);
