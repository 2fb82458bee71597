//! Makes a million resources that the host keeps.

use hostile_guests::bindings::wasi::http::types::Fields;
use hostile_guests::{Behaviour, Call, Failure, ItemResult, guest, on_hostile_items};

struct HoardsHandles;

impl Behaviour for HoardsHandles {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        on_hostile_items(&call, |_| {
            for _ in 0..1_000_000 {
                std::mem::forget(Fields::new());
            }
        })
    }
}

guest!(HoardsHandles);
