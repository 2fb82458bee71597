//! A node's requests, by `wasi:http` or by turns, as the [pipeline](crate::gate::pipeline) takes them.

pub(crate) mod handler;
mod incoming;
mod outgoing_body;
pub(crate) mod polling;
mod resource;
pub(crate) mod turn;
