//! What a workflow node is written with. Nothing here has state or does I/O: time comes in as an argument, from WASI's
//! clock.

#![forbid(unsafe_code)]

pub mod sign;
