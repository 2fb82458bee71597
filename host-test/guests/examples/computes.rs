//! Computes for the given number of `rounds`, and reports how many nanoseconds that took.

use hostile_guests::bindings::wasi::clocks::monotonic_clock;
use hostile_guests::{Behaviour, Call, Failure, ItemResult, guest, parse};

struct Computes;

impl Behaviour for Computes {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let compute = |item: &String| {
            let rounds = parse(item)["rounds"].as_u64().unwrap_or_default();
            let begin = monotonic_clock::now();
            for round in 0..rounds {
                std::hint::black_box(round);
            }
            Ok(vec![(monotonic_clock::now() - begin).to_string()])
        };
        Ok(call.items.iter().map(compute).collect())
    }
}

guest!(Computes);
