//! Converts a node's requests, through `wasi:http` or by turns, for the [pipeline](crate::gate::pipeline).

pub(crate) mod file;
pub(crate) mod handler;
pub(crate) mod incoming;
mod outgoing_body;
pub(crate) mod polling;
mod resource;
pub(crate) mod telling;
pub(crate) mod transfer;
pub(crate) mod turn;
