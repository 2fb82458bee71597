//! A node's requests, by `wasi:http` or by turns, as the [pipeline](crate::gate::pipeline) takes them.

pub(crate) mod handler;
pub(crate) mod hooks;
pub(crate) mod in_flight;
mod incoming;
mod outgoing_body;
pub(crate) mod polling;
pub(crate) mod turn;
