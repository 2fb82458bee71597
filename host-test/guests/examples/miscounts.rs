//! Returns one result too many, all of them somebody else's.

use hostile_guests::{Behaviour, Call, Failure, ItemResult, guest, outputs};

struct Miscounts;

impl Behaviour for Miscounts {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        Ok((0..=call.items.len())
            .map(|_| Ok(outputs(["\"wrong\""])))
            .collect())
    }
}

guest!(Miscounts);
