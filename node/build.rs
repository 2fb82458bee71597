//! What the linker is told about the component's memory.

/// Data and stack are a little more than a megabyte; what is left is the first of the heap.
const INITIAL_MEMORY: usize = 23 * 64 * 1024;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        println!("cargo::rustc-link-arg-cdylib=--initial-memory={INITIAL_MEMORY}");
    }
}
