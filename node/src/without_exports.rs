//! The pure part of the node as a crate of its own, for the fuzz target: `fuzz/node/Cargo.toml` names this file as its
//! root; the node does not. The transport is the target's.

#![allow(
    async_fn_in_trait,
    clippy::new_without_default,
    dead_code,
    missing_docs,
    reason = "nobody but the fuzz target uses it"
)]

pub mod answer;
pub mod base_url;
pub mod bindings;
pub mod credential;
pub mod date;
pub mod execute;
pub mod http;
pub mod json;
pub mod number;
pub mod operations;
pub mod suggest;
pub mod table;
pub mod wait;
