//! What of this library reads foreign input, as a crate of its own: the fuzz targets need none of Wasmtime, which takes
//! minutes to build and is fuzzed by others. `fuzz/host/Cargo.toml` names this file as its root; the library does not.

pub mod address;
pub mod canonical;
pub mod description;
pub mod limits;
pub mod policy;
pub mod recording;
pub mod redact;
pub mod secret;
