//! Components: compiles them, instantiates them, calls them within limits, and passes their requests to the
//! [gate](crate::gate).

pub(crate) mod answers;
pub(crate) mod authenticator;
pub(crate) mod bindings;
mod cache_dir;
pub(crate) mod clock_and_rng;
pub mod component;
pub mod engine;
pub(crate) mod http;
mod in_flight;
pub(crate) mod instance;
mod loaded;
pub mod oauth2;
mod patience;
pub mod precompiler;
mod printed;
mod reached_limit;
pub(crate) mod rows;
pub(crate) mod session;
pub(crate) mod session_source;
pub(crate) mod share;
pub(crate) mod signer;
mod state;
mod void_wasi;
mod waiting;
pub mod wit;
