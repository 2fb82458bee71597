//! What several test crates share.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, which is the point"
)]

#[allow(clippy::too_many_lines, reason = "a table has as many lines as rows")]
pub mod raw;
