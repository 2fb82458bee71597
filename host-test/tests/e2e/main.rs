//! End to end: the built command, the built component and the simulator, as a user has them.
//!
//! The tests need `make build`; `make test-host` runs it. All traffic stays on loopback, and each server stops when its
//! test drops it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, which is the point; clippy's exception covers test functions only"
)]

mod author;
mod build;
mod cases;
mod chapter;
mod docs;
mod live;
mod log;
mod n8n_forms;
mod pack;
mod packages;
mod recorded;
mod replay;
mod support;
mod usage;
