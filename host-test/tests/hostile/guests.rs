//! The names of the hostile guests. A guest without a row is an unused constant, which is an error here, so a guest
//! without a test does not compile.

#![deny(dead_code)]

include!(concat!(env!("OUT_DIR"), "/guests.rs"));
