//! Never ends, and is in the host most of the time: a chain of host calls of which none waits.

use hostile_guests::bindings::wasi::clocks::monotonic_clock;
use hostile_guests::{Behaviour, Call, Failure, ItemResult, guest, on_hostile_items};

struct AsksTheClock;

impl Behaviour for AsksTheClock {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        on_hostile_items(&call, |_| {
            loop {
                std::hint::black_box(monotonic_clock::now());
            }
        })
    }
}

guest!(AsksTheClock);
