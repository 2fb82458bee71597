//! Converts a node's requests, through `wasi:http` or by turns, for the [pipeline](crate::gate::pipeline).

pub(crate) mod handler;
mod incoming;
mod outgoing_body;
pub(crate) mod polling;
mod resource;
pub(crate) mod telling;
pub(crate) mod turn;
