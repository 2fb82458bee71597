//! What `wit-bindgen` makes of the node's world: the contract's types, WASI's functions and the exports' traits.
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
    inline: "
        package socialhub:node;

        world session-node {
            include workflow:node/node-by-turns@0.2.0;
            export workflow:node/authentication@0.2.0;
        }
    ",
    world: "socialhub:node/session-node",
    generate_all,
});
