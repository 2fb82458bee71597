//! The library's sources form three layers, and imports go in one direction only: `run` uses `runtime`, `runtime` uses
//! `gate`, and all of them use `error`, `events` and the crate `nodule-core`. The modules of a layer form no circle.

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

/// The code of each module by its name, such as `runtime::http::handler`, without comments and tests.
fn modules(sources: Vec<(PathBuf, String)>) -> BTreeMap<String, String> {
    let module = |(path, text): (PathBuf, String)| {
        let name = path.with_extension("");
        let parts: Vec<&str> = name.iter().map(|part| part.to_str().unwrap()).collect();
        let is_code = path.extension().is_some_and(|extension| extension == "rs")
            && parts != ["lib"]
            && !parts.contains(&"tests");
        is_code.then(|| {
            let code = code(&text).collect::<Vec<_>>().join("\n");
            let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            (parts.join("::"), code)
        })
    };
    sources.into_iter().filter_map(module).collect()
}

/// All paths that begin with `crate`, `super` or `self`, and those of `use` that begin with a submodule.
fn paths(code: &str) -> Vec<Vec<&str>> {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let mut all = Vec::new();
    for (at, _) in code.match_indices(is_name) {
        let before = &code[..at];
        let text = &code[at..];
        let begins = !before.ends_with(is_name) && !before.ends_with("::") && !before.ends_with("in ");
        let is_path = ["crate::", "super::", "self::"]
            .iter()
            .any(|start| text.starts_with(start));
        if begins && (is_path || before.ends_with("use ")) {
            read_path(text, &mut Vec::new(), &mut all);
        }
    }
    all
}

/// Reads `a::b`, or `a::{b, c::d}`, and gives what stands behind it.
fn read_path<'a>(text: &'a str, parents: &mut Vec<&'a str>, all: &mut Vec<Vec<&'a str>>) -> &'a str {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let depth = parents.len();
    let mut rest = text.trim_start();
    loop {
        let (name, after) = rest.split_at(rest.find(|character| !is_name(character)).unwrap_or(rest.len()));
        if !name.is_empty() {
            parents.push(name);
        }
        let Some(after) = after.strip_prefix("::") else {
            rest = after;
            break;
        };
        rest = after;
        let Some(mut inner) = after.strip_prefix('{') else {
            continue;
        };
        while !inner.trim_start().starts_with('}') {
            inner = read_path(inner, parents, all);
            // What follows a name, such as ` as other`.
            inner = &inner[inner.find([',', '}']).unwrap()..];
            inner = inner.strip_prefix(',').unwrap_or(inner);
        }
        parents.truncate(depth);
        return inner.trim_start().strip_prefix('}').unwrap();
    }
    all.push(parents.clone());
    parents.truncate(depth);
    rest
}

/// The module that a path leads to: the longest of its beginnings that is one.
fn target(modules: &BTreeMap<String, String>, own: &str, path: &[&str]) -> Option<String> {
    let mut place: Vec<&str> = own.split("::").collect();
    let mut path = path;
    match path {
        ["crate", rest @ ..] => (place, path) = (Vec::new(), rest),
        ["self", rest @ ..] => path = rest,
        ["super", ..] => {}
        [child, ..] if modules.contains_key(&format!("{own}::{child}")) => {}
        _ => return None,
    }
    while let ["super", rest @ ..] = path {
        place.pop();
        path = rest;
    }
    place.extend(path);
    (1..=place.len())
        .rev()
        .map(|length| place[..length].join("::"))
        .find(|name| modules.contains_key(name))
}

/// Who uses whom.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn uses(modules: &BTreeMap<String, String>) -> Uses {
    let read = |(own, code): (&String, &String)| {
        let targets = paths(code)
            .into_iter()
            .filter_map(|path| target(modules, own, &path));
        (own.clone(), targets.filter(|other| other != own).collect())
    };
    modules.iter().map(read).collect()
}

/// The circles among the submodules of each module, a submodule being all that is below it. A module's own file and its submodules
/// may use each other, but not where the module is a whole layer.
fn circles(uses: &Uses) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let parents = uses
        .keys()
        .map(|name| name.rsplit_once("::").map_or("", |(parent, _)| parent));
    for parent in parents.collect::<BTreeSet<_>>() {
        let is_layer = LAYERS.contains(&[parent].as_slice());
        let member = |name: &str| {
            let below = match parent {
                "" => Some(name),
                parent if name == parent => return is_layer.then(|| name.to_owned()),
                parent => name.strip_prefix(parent).and_then(|rest| rest.strip_prefix("::")),
            };
            let child = below?.split("::").next()?;
            Some(if parent.is_empty() {
                child.to_owned()
            } else {
                format!("{parent}::{child}")
            })
        };
        let mut among = Uses::new();
        for (user, targets) in uses {
            if let Some(user) = member(user) {
                let others = targets
                    .iter()
                    .filter_map(|target| member(target))
                    .filter(|other| *other != user);
                among.entry(user.clone()).or_default().extend(others);
            }
        }
        for start in among.keys() {
            if let Some(circle) = circle(&among, start) {
                found.insert(circle);
            }
        }
    }
    found
}

/// The shortest circle through a module, if it is the first of its modules.
fn circle(uses: &Uses, start: &str) -> Option<String> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in uses.get(*way.last().unwrap()).into_iter().flatten() {
                let way = [way.as_slice(), &[next]].concat();
                if next == start {
                    return (way.iter().min() == Some(&start)).then(|| way.join(" -> "));
                }
                if seen.insert(next) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}

#[test]
fn within_a_layer_modules_form_no_circle() {
    let uses = uses(&modules(sources()));
    let circles = circles(&uses);
    let text: Vec<&str> = circles.iter().map(String::as_str).collect();
    assert!(
        text.is_empty(),
        "these modules use each other in a circle:\n{}",
        text.join("\n")
    );
    // The lines are read as they are written here: a module that seems to use nothing was not read.
    for (user, other) in [
        ("gate::client::pools", "gate::client::load"),
        ("gate::pipeline", "gate::client"),
        ("runtime::component", "runtime::engine"),
        ("runtime::http::handler", "runtime::http::resource"),
        ("runtime::state", "runtime::state::remaining"),
        ("run", "run::runner"),
        ("run::driver", "run::schedule"),
        ("run::schedule::give", "run::item"),
    ] {
        assert!(uses[user].contains(other), "{user} uses {:?}", uses[user]);
    }
}

#[test]
fn a_circle_is_named_however_it_is_written() {
    let named = |files: &[(&str, &str)]| {
        let source = |(name, text): &(&str, &str)| (PathBuf::from(name), (*text).to_owned());
        circles(&uses(&modules(files.iter().map(source).collect())))
    };
    let of = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let by_use = [
        (
            "gate/a.rs",
            "use crate::error::Error;\nuse crate::gate::{\n    b::c::D as E,\n    x::Y,\n};\n",
        ),
        ("gate/b.rs", "mod c;\n"),
        ("gate/b/c.rs", "fn f() -> super::super::a::Z {}\n"),
    ];
    assert_eq!(named(&by_use), of(&["gate::a -> gate::b -> gate::a"]));
    let of_the_layer = [("run.rs", "use b::B;\n"), ("run/b.rs", "use super::A;\n")];
    assert_eq!(named(&of_the_layer), of(&["run -> run::b -> run"]));
    let of_three = [
        ("run/a/x.rs", "use super::y::Y;\n"),
        ("run/a/y.rs", "fn f(_: self::super::z::Z) {}\n"),
        ("run/a/z.rs", "use {super::x::X, std::fmt};\n"),
    ];
    assert_eq!(
        named(&of_three),
        of(&["run::a::x -> run::a::y -> run::a::z -> run::a::x"])
    );
    let of_layers = [
        ("error.rs", "use crate::events::X;\n"),
        ("events.rs", "use crate::error;\n"),
    ];
    assert_eq!(named(&of_layers), of(&["error -> events -> error"]));
    let allowed = [
        ("run/a.rs", "use b::B;\nuse super::c::C;\n"),
        ("run/a/b.rs", "use super::A;\npub(in crate::run) fn f() {}\n"),
        (
            "run/c.rs",
            "// use super::a::A;\n#[cfg(test)]\nmod tests {\n    use crate::run::a::A;\n}\n",
        ),
        ("run/c/tests.rs", "use crate::run::a::A;\n"),
    ];
    assert_eq!(named(&allowed), of(&[]));
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
