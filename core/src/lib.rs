//! What a host of workflow nodes decides by: plain data and the rules on it, without WebAssembly and without a socket.
//!
//! [`description`] says what a node may describe, [`policy`], [`canonical`] and [`address`] where a request may go,
//! [`limits`] and [`rate`] what may be used up, [`retry`] and [`outcome`] what a failure means, [`redact`] and [`secret`]
//! what nobody sees, and [`recording`] how requests and responses are kept and matched. The crate `nodule`, which runs
//! nodes, re-exports what its embedders need.

pub mod address;
pub mod canonical;
pub mod credential;
pub mod description;
pub mod failure;
pub mod json;
pub mod json_size;
pub mod limits;
pub mod outcome;
pub mod own_file;
pub mod policy;
pub mod rate;
pub mod recording;
pub mod redact;
pub mod retry;
pub mod secret;
pub mod text;
