//! Has credentials of the scheme `oauth2`, and sends the requests that its item lists.

use hostile_guests::{Behaviour, Call, Failure, ItemResult, d, guest, oauth2};

struct Grants;

impl Behaviour for Grants {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        oauth2::execute(&call)
    }

    fn describing() -> d::Node {
        oauth2::described("/token")
    }
}

guest!(Grants);
