//! Waits for a time that never comes.

use hostile_guests::bindings::wasi::clocks::monotonic_clock;
use hostile_guests::{Behaviour, Call, Failure, ItemResult, guest, on_hostile_items};

struct Waits;

impl Behaviour for Waits {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        on_hostile_items(&call, |_| {
            monotonic_clock::subscribe_duration(u64::MAX / 2).block()
        })
    }
}

guest!(Waits);
