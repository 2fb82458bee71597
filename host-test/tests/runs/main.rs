//! Long runs: tried again by meaning, killed and resumed, interrupted, and refused where they would do harm.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::result_large_err,
    clippy::unused_self,
    clippy::pedantic,
    reason = "a test that panics fails, which is the point; clippy's exception covers test functions only"
)]

#[allow(dead_code, reason = "shared with the other tests, which use the rest")]
#[path = "../e2e/support.rs"]
mod support;

mod both_ways;
mod drop;
mod ended;
mod endings;
mod interrupt;
mod journal;
mod killed;
mod order;
mod outputs;
mod retries;
mod seen;
mod services;
mod trusted;
mod unknown;
