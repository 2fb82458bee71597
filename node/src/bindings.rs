//! What `wit-bindgen` makes of the world `node-by-turns`: the contract's types, WASI's functions and the exports' traits.
//!
//! The types also exist in a native build, so that everything but `transport` is tested there; WASI's functions then
//! end in `unreachable!`.

#![allow(
    unsafe_code,
    missing_docs,
    unused,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated code"
)]

wit_bindgen::generate!({
    path: "../host/wit",
    world: "node-by-turns",
    generate_all,
});
