//! `nodule serve` as an engine uses it: the built command, its socket, and the simulator behind it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, which is the point; clippy's exception covers test functions only"
)]

mod document;
mod ends;
#[cfg(unix)]
mod process;
mod requests;
mod runs;
mod support;
mod tokens;
