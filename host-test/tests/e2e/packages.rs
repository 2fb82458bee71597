//! Published packages: each crate is complete. `make test-packages` builds them from the packed files.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use crate::support::root;

/// Folder and package name.
const PUBLISHED: [(&str, &str); 4] = [
    ("core", "nodule-core"),
    ("host", "nodule-host"),
    ("cli", "nodule-cli"),
    ("sdk", "nodule-sdk"),
];

/// The constructs that include a file or folder in the compiled code.
const TAKES: [&str; 4] = ["include_str!(\"", "include_bytes!(\"", "include!(\"", "path: \""];

/// The files in a package.
fn packed(package: &str) -> BTreeSet<PathBuf> {
    let mut list = Command::new(env!("CARGO"));
    list.args([
        "package",
        "--list",
        "--quiet",
        "--offline",
        "--allow-dirty",
        "--package",
        package,
    ]);
    let listed = list.current_dir(root()).output().unwrap();
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let listed = String::from_utf8(listed.stdout).unwrap();
    listed.lines().map(PathBuf::from).collect()
}

/// The path without `..`; `None` if it leaves the package.
fn below(path: &Path) -> Option<PathBuf> {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => found.push(name),
            Component::ParentDir if found.pop() => {}
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(found)
}

#[test]
fn every_file_that_a_published_crate_is_compiled_from_is_in_its_package() {
    let mut taken = 0;
    for (folder, package) in PUBLISHED {
        let packed = packed(package);
        for needed in ["Cargo.toml", "Cargo.lock", "README.md"] {
            assert!(packed.contains(Path::new(needed)), "{package}: {needed}");
        }
        for source in packed
            .iter()
            .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        {
            let text = std::fs::read_to_string(root().join(folder).join(source)).unwrap();
            // Outside `bindgen!`, a field of that name is not a path.
            let is_of_bindings = text.contains("bindgen!");
            let macros = TAKES
                .iter()
                .filter(|macro_| is_of_bindings || !macro_.starts_with("path"));
            for (at, macro_) in macros.flat_map(|macro_| text.match_indices(macro_)) {
                let path = text[at + macro_.len()..].split('"').next().unwrap();
                // Paths of bindings start at the crate and name folders; all others start at the file.
                let from = if macro_.starts_with("path") {
                    Path::new("")
                } else {
                    source.parent().unwrap()
                };
                let found = below(&from.join(path));
                assert!(
                    found.is_some_and(|found| packed.iter().any(|file| file.starts_with(&found))),
                    "{package}: `{}` takes `{path}`, which is not packed",
                    source.display()
                );
                taken += 1;
            }
        }
    }
    assert!(taken >= 3, "the contract, the schema and the example");
}
