//! Asks the host for ten gigabytes of random bytes.

use hostile_guests::bindings::wasi::random::random;
use hostile_guests::{Behaviour, Call, Failure, ItemResult, guest, on_hostile_items};

struct WantsRandom;

impl Behaviour for WantsRandom {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        on_hostile_items(&call, |_| {
            std::hint::black_box(random::get_random_bytes(10 << 30));
        })
    }
}

guest!(WantsRandom);
