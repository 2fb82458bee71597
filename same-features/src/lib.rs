//! No code. See this package's `Cargo.toml`: packages that link Wasmtime depend on it, so that it is compiled once.
