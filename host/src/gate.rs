//! The boundary between a node and the network. Every request passes through the [`pipeline`], and the [`client`] sends
//! it. Nothing here knows WebAssembly.

pub(crate) mod access;
pub(crate) mod budget;
pub(crate) mod client;
pub mod file;
pub(crate) mod keyed_digest;
pub mod network;
pub(crate) mod oauth2;
pub(crate) mod pipeline;
pub(crate) mod sha256;
pub(crate) mod tls;
pub(crate) mod upload;
