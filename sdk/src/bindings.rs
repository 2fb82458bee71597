//! What `wit-bindgen` makes of the contract: its types, WASI's functions and the exports' traits. Which of the exports a
//! component has, [`export!`](crate::export) chooses.
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
    path: "wit",
    world: "workflow:node/everything@0.2.0",
    pub_export_macro: true,
    generate_all,
});
