//! The hostile guests by name. A guest that no row uses is a constant that is never read, which is an error here: a guest
//! without a test does not compile.

#![deny(dead_code)]

include!(concat!(env!("OUT_DIR"), "/guests.rs"));
