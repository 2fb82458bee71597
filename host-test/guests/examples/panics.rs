//! Panics on an item with `{"panic": true}`, and succeeds on the others.

use hostile_guests::{Behaviour, Call, Failure, Item, ItemResult, guest, outputs, parse};

struct Panics;

impl Behaviour for Panics {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let run = |item: &Item| {
            assert!(parse(&item.parameters)["panic"] != true, "as the item says");
            Ok(outputs([&item.parameters]))
        };
        Ok(call.items.iter().map(run).collect())
    }
}

guest!(Panics);
