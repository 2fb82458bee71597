//! The SocialHub node: members, customers, orders, points and master data, as a component of the contract.
//!
//! This file holds the exports and nothing else. An operation is one constant in `operations`, `table` makes form,
//! checks and request of it, `answer` reads what comes back, `credential` makes a session, `execute` runs a call, and
//! `transport` is all that knows WASI.

#![allow(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::new_without_default,
    clippy::return_self_not_must_use,
    reason = "what is public is so for the fuzz target alone"
)]

// Public for the fuzz target, which calls the parts that read foreign input; nobody else links this crate.
#[doc(hidden)]
pub mod base_url;
#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod credential;
#[doc(hidden)]
pub mod execute;
#[doc(hidden)]
pub mod http;
#[doc(hidden)]
pub mod operations;
#[doc(hidden)]
pub mod table;

mod answer;
mod date;
mod excerpt;
mod json;
mod number;
#[cfg(test)]
mod tests;
mod transport;
mod wait;

use bindings::exports::workflow::node::authentication::Session;
use bindings::exports::workflow::node::execution::{Call, ItemResult};
use bindings::exports::workflow::node::turns::{Step, Turn};
use bindings::exports::workflow::node::types::{BoundCredential, Failure};
use bindings::exports::workflow::node::{authentication, description, execution, turns};

/// Newer than the standard library's copy of it, which asks for more memory although there is some from the beginning.
#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// The node, as the contract's exports.
pub struct Node;

impl description::Guest for Node {
    fn describe() -> description::Node {
        table::describe::describe()
    }
}

impl authentication::Guest for Node {
    fn authenticate(credential: BoundCredential, renew: Option<Session>) -> Result<Session, Failure> {
        // There is only one to bind.
        let fields = credential.fields;
        transport::run(async move |transport| credential::authenticate(transport, &fields, renew).await)
    }
}

impl execution::Guest for Node {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        transport::execute(call)
    }
}

impl turns::Guest for Node {
    fn headers() -> Vec<String> {
        transport::headers()
    }

    fn next(step: Step) -> Turn {
        transport::next(step)
    }
}

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "the exports' generated glue")]
mod exports {
    use crate::bindings;

    bindings::export!(Node with_types_in bindings);
    use crate::Node;
}
