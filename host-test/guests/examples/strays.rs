//! A new version of `grants` that wants its tokens from elsewhere.

use hostile_guests::{Behaviour, Call, Failure, ItemResult, d, guest, oauth2};

struct Strays;

impl Behaviour for Strays {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        oauth2::execute(&call)
    }

    fn describing() -> d::Node {
        oauth2::described("/elsewhere")
    }
}

guest!(Strays);
