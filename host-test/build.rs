//! Makes a constant of every hostile guest. The tests use each of them, or do not compile.

#![allow(
    clippy::expect_used,
    reason = "a build script that panics fails the build, and says why"
)]

use std::fmt::Write as _;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=guests/examples");
    let mut names: Vec<String> = std::fs::read_dir("guests/examples")
        .expect("the guests' folder")
        .filter_map(|entry| {
            entry
                .ok()?
                .file_name()
                .to_str()?
                .strip_suffix(".rs")
                .map(ToOwned::to_owned)
        })
        .collect();
    names.sort();
    let constants = names.iter().fold(String::new(), |mut text, name| {
        let _ = writeln!(text, "pub const {}: &str = {name:?};", name.to_uppercase());
        text
    });
    let out = std::env::var_os("OUT_DIR").expect("Cargo sets it");
    std::fs::write(Path::new(&out).join("guests.rs"), constants).expect("the folder for what is generated");
}
