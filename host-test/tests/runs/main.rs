//! Long runs: tried again by meaning, killed and resumed, interrupted, and refused where they would do harm.

#[allow(dead_code, reason = "shared with the other tests, which use the rest")]
#[path = "../e2e/support.rs"]
mod support;

mod drop;
mod interrupt;
mod journal;
mod killed;
mod retries;
