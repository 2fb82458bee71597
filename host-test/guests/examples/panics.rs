//! Panics on an item with `{"panic": true}`, and succeeds on the others.

use hostile_guests::{Behaviour, Call, Failure, ItemResult, guest, parse};

struct Panics;

impl Behaviour for Panics {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let run = |item: &String| {
            assert!(parse(item)["panic"] != true, "as the item says");
            Ok(vec![item.clone()])
        };
        Ok(call.items.iter().map(run).collect())
    }
}

guest!(Panics);
