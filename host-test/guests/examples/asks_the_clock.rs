//! Never finishes, and spends most of its time in the host: an endless chain of host calls that do not block.

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
