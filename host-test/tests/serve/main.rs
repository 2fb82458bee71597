//! `nodule serve` as an engine uses it: the built command, its socket, and the simulator behind it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, which is the point; clippy's exception covers test functions only"
)]

#[allow(
    dead_code,
    clippy::pedantic,
    reason = "shared with the hostile tests, which use the rest"
)]
#[path = "../hostile/server.rs"]
mod server;

#[allow(
    dead_code,
    clippy::pedantic,
    reason = "shared with the hostile tests, which use the rest"
)]
#[path = "../hostile/certified.rs"]
mod certified;

mod document;
mod ends;
mod files;
#[cfg(unix)]
mod process;
mod requests;
mod runs;
mod support;
mod tls;
mod tokens;
