//! Calls itself without end, with hardly a frame in linear memory.

use hostile_nodes::{Behaviour, Call, Failure, ItemResult, guest, on_hostile_items};

struct Recurses;

impl Behaviour for Recurses {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        on_hostile_items(&call, |_| {
            std::hint::black_box(deeper(std::hint::black_box(1)));
        })
    }
}

#[inline(never)]
#[allow(unconditional_recursion, reason = "this is what it is for")]
fn deeper(depth: u64) -> u64 {
    // Hidden from the optimiser, which would make a loop of it.
    std::hint::black_box(deeper(std::hint::black_box(depth + 1))).wrapping_add(depth)
}

guest!(Recurses);
