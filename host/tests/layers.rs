//! The library's sources form three layers, and imports go in one direction only: `run` uses `runtime`, `runtime` uses
//! `gate`, and all of them use `error`, `events` and the crate `nodule-core`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, which is the point; clippy's exception covers test functions only"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// From bottom to top. A layer uses only the layers before it.
const LAYERS: [&[&str]; 4] = [&["error", "events"], &["gate"], &["runtime"], &["run"]];
/// The gate must not use these.
const OF_WEBASSEMBLY: [&str; 2] = ["wasmtime::", "wasmtime_wasi::"];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(&root).unwrap().to_owned(), text)
    };
    paths.into_iter().map(read).collect()
}

/// The lines of a file without its comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// The modules at the crate's root that a line refers to.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    line.split("crate::")
        .skip(1)
        .filter_map(move |rest| rest.split(|character: char| !is_name(character)).next())
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

fn top(path: &Path) -> String {
    let first = path.iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn imports_go_down_only() {
    let mut wrong = Vec::new();
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources() {
        let module = top(&path);
        if module == "lib" {
            continue;
        }
        let Some(own) = layer(&module) else {
            panic!("{}: no layer has `{module}`: name it in LAYERS", path.display());
        };
        for line in code(&text) {
            for name in named(line) {
                used.entry(module.clone()).or_default().insert(name.to_owned());
                if layer(name).is_none_or(|other| other > own) {
                    wrong.push(format!("{}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // If every layer seems to use nothing, the parser above no longer matches how imports are written.
    assert!(
        used["run"].contains("runtime") && used["runtime"].contains("gate"),
        "{used:?}"
    );
}

#[test]
fn the_gate_knows_no_webassembly() {
    for (path, text) in sources() {
        if top(&path) == "gate" {
            let wrong: Vec<&str> = code(&text)
                .filter(|line| OF_WEBASSEMBLY.iter().any(|name| line.contains(name)))
                .collect();
            assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
        }
    }
}
