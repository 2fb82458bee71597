//! Calls itself with almost no stack in linear memory: without end, or as deep as its item says.

use hostile_guests::{Behaviour, Call, Failure, ItemResult, guest, on_hostile_items};

struct Recurses;

impl Behaviour for Recurses {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        on_hostile_items(&call, |item| {
            let depth = item["depth"].as_u64().unwrap_or(u64::MAX);
            std::hint::black_box(deeper(std::hint::black_box(depth)));
        })
    }
}

#[inline(never)]
fn deeper(left: u64) -> u64 {
    if left == 0 {
        return 0;
    }
    // `black_box` keeps the optimiser from making this a loop.
    std::hint::black_box(deeper(std::hint::black_box(left - 1))).wrapping_add(left)
}

guest!(Recurses);
