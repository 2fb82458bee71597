//! Converts a node's requests, through `wasi:http` or by turns, for the [pipeline](crate::gate::pipeline).

pub(crate) mod handler;
pub(crate) mod hooks;
pub(crate) mod in_flight;
mod incoming;
mod outgoing_body;
pub(crate) mod polling;
pub(crate) mod turn;
