//! The component's size, and its code by crate, as `make size` prints them.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::bench::{Bench, says};
use crate::figure::{Figure, Unit};
use crate::meter::float;

/// The output of `xtask size --json`.
#[derive(Deserialize)]
struct Sizes {
    component: usize,
    code: usize,
    data: usize,
    crates: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    bytes: usize,
}

/// Sizes of the component, its data, and its code by crate.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    says("size", "by crate");
    let module = bench
        .target
        .join("wasm32-unknown-unknown/component/socialhub.wasm");
    let output = Command::new(bench.program("xtask"))
        .args(["size", "--json"])
        .args([module, bench.node()])
        .output()
        .context("run xtask (`make component` leaves it)")?;
    ensure!(
        output.status.success(),
        "xtask size: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let sizes: Sizes = serde_json::from_slice(&output.stdout)?;
    let part =
        |name: String, bytes: usize| Figure::new("size", name, Unit::Kilobytes, vec![float(bytes) / 1e3]);
    let mut figures = vec![
        part("the component".to_owned(), sizes.component),
        part("its data".to_owned(), sizes.data),
        part("its code".to_owned(), sizes.code),
    ];
    let code = float(sizes.code) / 1e3;
    figures.extend(
        sizes
            .crates
            .into_iter()
            .map(|of| part(format!("code: {}", of.name), of.bytes).beside("all code", &[code])),
    );
    Ok(figures)
}
