//! Build results: the component's imports and size, and the sources of the host.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use wasmparser::{Parser, Payload};

use crate::support::{all_files, component, described, expect, files, root, stdout};

/// The interfaces that a component imports.
fn imports(component: &[u8]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    names.insert(import.unwrap().name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    names
}

/// The first column of the table under a heading.
fn listed(markdown: &str, heading: &str) -> BTreeSet<String> {
    let (_, section) = markdown.split_once(heading).expect("the heading");
    section
        .lines()
        .skip_while(|line| !line.starts_with("| `"))
        .take_while(|line| line.starts_with("| `"))
        .map(|line| line.split('`').nth(1).unwrap().to_owned())
        .collect()
}

#[test]
fn the_component_imports_what_the_architecture_lists_and_nothing_else() {
    let imports = imports(&std::fs::read(component()).unwrap());
    let architecture = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert_eq!(imports, listed(&architecture, "## What the node imports"));
    for name in &imports {
        assert!(name.starts_with("wasi:"), "{name} is not WASI's");
        for forbidden in ["cli", "filesystem", "sockets"] {
            assert!(
                !name.starts_with(&format!("wasi:{forbidden}/")),
                "{name} has no place in a node"
            );
        }
    }
}

/// A quarter of a megabyte is the limit for the first 18 operations. Each further one adds its texts and its schema,
/// about a kilobyte.
#[test]
fn the_component_is_as_small_as_its_operations_allow() {
    const WITHOUT_OPERATIONS: u64 = 228_400;
    const OPERATION: u64 = 1_200;
    let size = std::fs::metadata(component()).unwrap().len();
    let count = u64::try_from(described().operations.len()).unwrap();
    let allowed = WITHOUT_OPERATIONS + count * OPERATION;
    assert!(
        size < allowed,
        "{size} bytes, {allowed} allowed; `make size` says what they are"
    );
}

#[test]
fn the_parser_is_the_one_that_wasmtime_has() {
    let lock: toml::Table =
        toml::from_str(&std::fs::read_to_string(root().join("Cargo.lock")).unwrap()).unwrap();
    let parser_of = |name: &str| {
        let packages = lock["package"].as_array().unwrap();
        let package = packages
            .iter()
            .find(|package| package["name"].as_str() == Some(name));
        let dependencies = package.unwrap()["dependencies"].as_array().unwrap();
        let mut names = dependencies.iter().filter_map(toml::Value::as_str);
        names
            .find(|name| name.starts_with("wasmparser"))
            .unwrap()
            .to_owned()
    };
    assert_eq!(parser_of("nodule-host"), parser_of("wasmtime-environ"));
}

/// What these packages are built of: each library with its features.
fn libraries_of(packages: &[&str], edges: &str) -> BTreeMap<String, String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args([
        "tree",
        "--offline",
        "--edges",
        edges,
        "--prefix",
        "none",
        "--format",
        "{p}|{f}",
    ]);
    for package in packages {
        tree.args(["--package", package]);
    }
    let listed = stdout(&expect(tree.current_dir(root()), 0));
    let lines = listed.lines().map(|line| line.trim_end_matches(" (*)"));
    let libraries = lines.filter_map(|line| line.split_once('|'));
    libraries
        .map(|(name, features)| (name.to_owned(), features.to_owned()))
        .collect()
}

/// Cargo unites features over the packages of a command. A library that has others in another command is compiled again, and
/// what depends on it too: of Wasmtime, that takes minutes.
#[test]
fn every_build_has_the_same_libraries() {
    /// `bare-host` lets Wasmtime send its requests.
    const OF_BARE_HOST: [&str; 3] = ["rustls v", "tokio-rustls v", "wasmtime-wasi-http v"];
    let built = ["nodule-cli", "socialhub-simulator", "xtask", "same-features"];
    let built = libraries_of(&built, "normal,no-proc-macro");
    assert!(built.len() > 200, "{built:?}");
    for (packages, edges, apart) in [
        (
            &["nodule-host", "nodule-cli", "host-test"][..],
            "normal,dev,no-proc-macro",
            &[][..],
        ),
        (&["bare-host"], "normal,no-proc-macro", &OF_BARE_HOST),
        (
            &["nodule-cli", "socialhub-simulator", "host-test"],
            "normal,no-proc-macro",
            &[],
        ),
    ] {
        for (library, features) in libraries_of(packages, edges) {
            let expected = built.get(&library).unwrap_or(&features);
            assert!(
                *expected == features || apart.iter().any(|name| library.starts_with(name)),
                "{packages:?}: {library} has the features {features}, elsewhere {expected}; turn those of both on in same-features"
            );
        }
    }
}

/// Flags are the command line's: an engine that embeds the library has none of them.
#[test]
fn the_library_names_no_flag() {
    let sources = ["core/src", "host/src"].map(|folder| files(root().join(folder), "rs"));
    let sources = sources.concat();
    let mut named = Vec::new();
    for path in &sources {
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        // Cargo has its own.
        for line in code.filter(|line| has_flag(line) && !line.contains("`cargo ")) {
            named.push(format!("{}: {}", path.display(), line.trim()));
        }
    }
    assert!(sources.len() > 100, "{} files were read", sources.len());
    assert!(named.is_empty(), "{}", named.join("\n"));
    assert!(has_flag("\"by `--ca FILE`\"") && !has_flag("\"https://xn--a.example/-----END\""));
}

/// Whether there is a word that begins with `--` and a letter.
fn has_flag(line: &str) -> bool {
    line.match_indices("--").any(|(at, dashes)| {
        let before = line[..at].chars().next_back();
        let after = line[at + dashes.len()..].chars().next();
        !before.is_some_and(|before| before.is_alphanumeric() || before == '-')
            && after.is_some_and(|after| after.is_ascii_lowercase())
    })
}

#[test]
fn host_and_command_line_know_no_node() {
    for crate_ in ["core", "host", "cli"] {
        for path in all_files(root().join(crate_)) {
            if let Ok(text) = std::fs::read_to_string(&path) {
                assert!(
                    !text.to_lowercase().contains(concat!("social", "hub")),
                    "{}",
                    path.display()
                );
            }
        }
    }
}
