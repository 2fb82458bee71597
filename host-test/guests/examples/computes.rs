//! Computes for the given number of `rounds`, and reports how many nanoseconds that took.

use hostile_guests::bindings::wasi::clocks::monotonic_clock;
use hostile_guests::{Behaviour, Call, Failure, Item, ItemResult, guest, outputs, parse};

struct Computes;

impl Behaviour for Computes {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let compute = |item: &Item| {
            let rounds = parse(&item.parameters)["rounds"].as_u64().unwrap_or_default();
            let begin = monotonic_clock::now();
            for round in 0..rounds {
                std::hint::black_box(round);
            }
            Ok(outputs([monotonic_clock::now() - begin]))
        };
        Ok(call.items.iter().map(compute).collect())
    }
}

guest!(Computes);
