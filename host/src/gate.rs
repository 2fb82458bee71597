//! What stands between a node and the network: every request passes through the [`pipeline`], and what leaves does so by the
//! [`client`]. Nothing here knows WebAssembly.

pub(crate) mod access;
pub(crate) mod budget;
pub(crate) mod client;
pub mod network;
pub(crate) mod pipeline;
