//! The SocialHub node: members, customers, orders, points and master data, as a component of the contract.
//!
//! An operation is one constant in `operations`; the SDK makes form, checks and request of it. What is SocialHub's own stands
//! beside them: `credential` makes a session, `envelope` says what an answer means.

mod credential;
mod envelope;
mod operations;
#[cfg(test)]
mod tests;

use nodule_sdk::prelude::*;

/// The node.
pub static SERVICE: Service = Service {
    name: "socialHub",
    title: "SocialHub",
    about: "Members, customers, orders, points and master data of the SocialHub CRM",
    icon: Some(ICON),
    aliases: &["CRM", "loyalty", "membership", "points"],
    groups: operations::GROUPS,
    credentials: &[credential::CREDENTIAL],
    headers: &[("accept", "application/json"), ("user-agent", USER_AGENT)],
    errors: envelope::ERRORS,
    operations: operations::OPERATIONS,
    ..Service::NEW
};

/// What names this client to the service.
const USER_AGENT: &str = concat!("socialhub-node/", env!("CARGO_PKG_VERSION"));

/// A card in a hub: drawn for this node, and no one's logo.
const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 60 60\" fill=\"none\" stroke=\"#1f6feb\" \
                    stroke-width=\"4\"><circle cx=\"30\" cy=\"30\" r=\"9\" fill=\"#1f6feb\"/><circle cx=\"11\" cy=\"13\" \
                    r=\"6\"/><circle cx=\"49\" cy=\"13\" r=\"6\"/><circle cx=\"30\" cy=\"52\" r=\"6\"/><path d=\"M16 17l8 \
                    7M44 17l-8 7M30 39v7\"/></svg>";

nodule_sdk::export!(SERVICE, authentication);
