//! Long runs: retried by the meaning of a failure, killed and resumed, interrupted, and refused where they would do
//! harm.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::result_large_err,
    clippy::unused_self,
    clippy::pedantic,
    reason = "a test that panics fails, which is the point; clippy's exception covers test functions only"
)]

#[allow(dead_code, reason = "shared with the other tests, which use the rest")]
#[path = "../e2e/support.rs"]
mod support;

#[allow(dead_code, reason = "shared with the hostile tests, which use the rest")]
#[path = "../hostile/server.rs"]
mod server;

#[allow(dead_code, reason = "shared with the hostile tests, which use the rest")]
#[path = "../hostile/certified.rs"]
mod certified;

mod asked;
mod blocking;
mod both_ways;
mod drop;
mod ended;
mod endings;
mod files;
mod hooked;
mod interrupt;
mod journal;
mod killed;
mod loading;
mod no_credential;
mod observed;
mod order;
mod outputs;
mod retries;
mod rows;
mod seen;
mod services;
mod signed;
mod tenants;
mod told;
mod trusted;
mod unknown;
mod validated;

use std::process::Command;

/// A command run by another command, with the same environment and folder: `sh -c …`, `env …`.
fn through(outer: &str, arguments: &[&str], inner: &Command) -> Command {
    let mut command = Command::new(outer);
    command
        .args(arguments)
        .arg(inner.get_program())
        .args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(folder) = inner.get_current_dir() {
        command.current_dir(folder);
    }
    command
}

/// A hostile guest.
fn hostile(name: &str) -> std::path::PathBuf {
    let path = support::root()
        .join("target/hostile")
        .join(name)
        .with_extension("wasm");
    assert!(
        path.exists(),
        "{} is missing: run `make hostile-guests`",
        path.display()
    );
    path
}
