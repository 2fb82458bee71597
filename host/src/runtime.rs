//! Components: compiles them, instantiates them, calls them within limits, and passes their requests to the
//! [gate](crate::gate).

pub(crate) mod bindings;
mod cache_dir;
pub mod component;
pub mod engine;
pub(crate) mod http;
pub(crate) mod instance;
pub(crate) mod session;
