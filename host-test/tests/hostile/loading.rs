//! The bytes of a component, before any of it runs: rows 66, 70 and 81.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nodule::Error;

use crate::bench::{Bench, command, file};
use crate::bombs::{
    self, END, Wasm, component, core_module, custom, functions, grafted, inner, local_get, local_set, module,
    section, signature, sized, times, uleb, variables_by_branches,
};
use crate::guests::CALLS;

/// The most memory, in bytes, that any process of the command may have at once.
const PEAK_BYTES: u64 = 512_000_000;
/// On an idle machine it takes ten seconds; tests run on busy ones.
const PATIENCE: Duration = Duration::from_secs(60);

/// Names that close a JavaScript string, control a terminal, look like another name, and so on.
const HOSTILE: [&str; 12] = [
    "a':0,[globalThis.x=1]:0,'b",
    "a\"b",
    "a`b",
    "a\\",
    "${a}",
    "a\nb",
    "\u{1b}]0;owned\u{7}\u{1b}[2J",
    "a\u{9b}0m",
    "a\u{202e}b",
    "a\u{2028}b",
    "__proto__",
    "</script>",
];

fn node() -> Wasm {
    std::fs::read(file(CALLS)).unwrap()
}

/// A module that imports and exports with these names.
fn imports(from: &str, name: &str) -> Wasm {
    let import = [sized(from), sized(name), vec![0, 0]].concat();
    module(&[
        section(1, times(1, signature(0, 0))),
        section(2, times(1, import)),
    ])
}

fn exports(name: &str) -> Wasm {
    let export = [sized(name), vec![0, 0]].concat();
    module(&[
        section(1, times(1, signature(0, 0))),
        section(3, times(1, [0])),
        section(7, times(1, export)),
        section(10, times(1, sized([0, END]))),
    ])
}

/// Every part of a component that has a name, with this name.
fn places(name: &str) -> Vec<(&'static str, Wasm)> {
    let extern_name = |name: &str| [vec![0], sized(name)].concat();
    let record = [vec![0x72], times(1, [sized(name), vec![0x7f]].concat())].concat();
    let function = [
        vec![0x40],
        times(1, [sized(name), vec![0x7f]].concat()),
        vec![1, 0],
    ]
    .concat();
    // An instance type that exports a type equal to one that it declares.
    let instance = [vec![0x42, 2, 1, 0x7f, 4], extern_name(name), vec![3, 0, 0]].concat();
    let nested = [vec![0x42, 1, 1], instance.clone()].concat();
    let core_type = [
        vec![0x50, 2, 1],
        signature(0, 0),
        vec![0],
        sized(name),
        sized("f"),
        vec![0, 0],
    ]
    .concat();
    let core_exports = module(&[section(7, [0])]);
    let named_module = |part: Wasm| core_module(&module(&[custom("name", part)]));
    vec![
        ("a core import's module", core_module(&imports(name, "f"))),
        ("a core import's name", core_module(&imports("m", name))),
        ("a core export", core_module(&exports(name))),
        (
            "a core import two levels down",
            inner(&component(&[inner(&component(&[core_module(&imports(
                name, "f",
            ))]))])),
        ),
        ("a field", section(7, times(1, record.clone()))),
        (
            "a case",
            section(7, times(1, [vec![0x6d], times(1, sized(name))].concat())),
        ),
        (
            "a flag",
            section(7, times(1, [vec![0x6e], times(1, sized(name))].concat())),
        ),
        ("a parameter", section(7, times(1, function))),
        ("an instance type's export", section(7, times(1, instance))),
        ("an export of a type in a type", section(7, times(1, nested))),
        ("a module type's import", section(3, times(1, core_type))),
        (
            "an import",
            inner(&component(&[
                section(7, times(1, [0x42, 0])),
                section(10, times(1, [extern_name(name), vec![5, 0]].concat())),
            ])),
        ),
        (
            "an export",
            inner(&component(&[
                section(7, times(1, [0x7f])),
                section(11, times(1, [extern_name(name), vec![3, 0, 0]].concat())),
            ])),
        ),
        (
            "an argument of a module",
            inner(&component(&[
                core_module(&core_exports),
                section(
                    2,
                    [
                        vec![2, 0, 0, 0],
                        vec![0, 0],
                        times(1, [sized(name), vec![0x12, 0]].concat()),
                    ]
                    .concat(),
                ),
            ])),
        ),
        (
            "an export of a core instance",
            inner(&component(&[
                core_module(&exports("f")),
                section(2, [1, 0, 0, 0]),
                section(6, [vec![1, 0, 0, 1, 0], sized("f")].concat()),
                section(
                    2,
                    [vec![1, 1], times(1, [sized(name), vec![0, 0]].concat())].concat(),
                ),
            ])),
        ),
        (
            "an alias",
            inner(&component(&[
                core_module(&exports("f")),
                section(2, [1, 0, 0, 0]),
                section(6, [vec![1, 0, 0, 1, 0], sized(name)].concat()),
            ])),
        ),
        (
            "an argument of a component",
            inner(&component(&[
                section(7, times(1, [0x7f])),
                inner(&component(&[])),
                section(
                    5,
                    [vec![1, 0, 0], times(1, [sized(name), vec![3, 0]].concat())].concat(),
                ),
            ])),
        ),
        (
            "an export of an instance",
            inner(&component(&[
                section(7, times(1, [0x7f])),
                section(
                    5,
                    [vec![1, 1], times(1, [extern_name(name), vec![3, 0]].concat())].concat(),
                ),
            ])),
        ),
        ("a custom section", custom(name, [])),
        (
            "a custom section of a module",
            core_module(&module(&[custom(name, [])])),
        ),
        (
            "a debug name of a tool",
            custom(
                "producers",
                times(
                    1,
                    [sized("sdk"), times(1, [sized(name), sized("1")].concat())].concat(),
                ),
            ),
        ),
        ("a debug name of a module", named_module(section(0, sized(name)))),
        (
            "a debug name of a function",
            named_module(section(1, times(1, [vec![0], sized(name)].concat()))),
        ),
        (
            "a debug name of a local variable",
            named_module(section(
                2,
                times(1, [vec![0], times(1, [vec![0], sized(name)].concat())].concat()),
            )),
        ),
        (
            "a debug name of a component",
            custom("component-name", section(0, sized(name))),
        ),
    ]
}

/// Debug names link nothing, and compilers put quotes and more into them, so they only have to be printable.
fn is_for_debugging(place: &str) -> bool {
    place.starts_with("a debug name")
}

pub async fn names(bench: &Bench) {
    let node = node();
    let load = async |bytes: &[u8]| bench.engine.load(bytes).await.map(|_| ());
    for (place, graft) in places("f") {
        load(&grafted(&node, &[graft]))
            .await
            .unwrap_or_else(|error| panic!("{place}: {error}"));
    }
    let compilers = custom("name", section(0, sized("<T as Trait<'_>>::{{closure}}")));
    load(&grafted(&node, &[core_module(&module(&[compilers]))]))
        .await
        .unwrap();
    for name in HOSTILE {
        for (place, graft) in places(name) {
            if is_for_debugging(place) && !name.chars().any(nodule::text::is_deceptive) {
                continue;
            }
            let loaded = load(&grafted(&node, &[graft])).await;
            let error = match loaded {
                Err(error @ Error::Name { .. }) => error.to_string(),
                loaded => panic!("{place} with the name {name:?}: {loaded:?}"),
            };
            assert!(!error.chars().any(nodule::text::is_deceptive), "{error:?}");
        }
    }
    let long = "a".repeat(10_000);
    let error = load(&grafted(&node, &[core_module(&imports(&long, "f"))]))
        .await
        .unwrap_err();
    assert!(error.to_string().len() < 500, "{error}");
    // The errors of Wasmtime and of the parser about broken components contain names too; none may reach a terminal
    // raw.
    for (_, graft) in places(HOSTILE[6]) {
        let measured = describe(&grafted(&node, &[graft])).await;
        assert_eq!(measured.exit, Some(3), "{measured:?}");
        assert!(!measured.said.contains(['\u{1b}', '\u{7}']), "{measured:?}");
    }
    // Garbage collection, threads and exceptions are refused during validation.
    let beyond = [
        ("externref", section(1, times(1, [0x60, 1, 0x6f, 0]))),
        ("a shared memory", section(5, [1, 3, 1, 1])),
        (
            "an exception",
            [section(1, times(1, signature(0, 0))), section(13, [1, 0, 0])].concat(),
        ),
        ("a struct", section(1, [1, 0x5f, 1, 0x7f, 0])),
    ];
    for (what, sections) in beyond {
        let refused = load(&grafted(&node, &[core_module(&module(&[sections]))])).await;
        assert!(
            matches!(refused, Err(Error::NotAComponent { .. })),
            "{what}: {refused:?}"
        );
    }
}

/// Bombs that the library refuses from their bytes alone, in every host.
fn refused_bombs() -> Vec<(&'static str, Vec<Wasm>)> {
    let of = |module: Wasm| vec![core_module(&module)];
    let none = [signature(0, 0)];
    let deep_loops = [[0x03, 0x40].repeat(20_000), vec![END; 20_000]].concat();
    let many_results = [signature(0, 0), signature(0, 200)];
    // Each two-byte call leaves 200 operands, which the branch discards.
    let calls = [vec![0x02, 0x40], [0x10, 0].repeat(100_000), vec![0x0c, 0, END]].concat();
    let br_table = |targets: usize, arity: usize| {
        let block = if arity == 0 {
            vec![0x02, 0x40]
        } else {
            vec![0x02, 1]
        };
        let operands = [0x41, 0].repeat(arity);
        let drops = vec![0x1a; arity];
        let code = [
            block,
            operands,
            vec![0x41, 0, 0x0e],
            times(targets, [0]),
            vec![0, END],
            drops,
        ]
        .concat();
        functions(&[signature(0, 0), signature(0, arity)], 30, 0, &code)
    };
    let imports = times(100_000, [sized("m"), sized("f"), vec![0, 0]].concat());
    let names = times(1_000_000, [vec![0], sized("f")].concat());
    let deep_types = [[0x42, 1, 1].repeat(1_000_000), vec![0x7f]].concat();
    let deep_components = (0..50).fold(component(&[]), |within, _| component(&[inner(&within)]));
    // Each one instantiates the one before it twice.
    let doubling: Vec<Wasm> = (0..40).map(doubled).collect();
    let nops = vec![0x01; 3_000_000];
    vec![
        ("functions", of(functions(&none, 60_000, 0, &[]))),
        ("a million functions", of(functions(&none, 1_000_000, 0, &[]))),
        (
            "variables by branches",
            of(variables_by_branches(1, 9_000, 6_000)),
        ),
        (
            "variables by branches in many functions",
            of(variables_by_branches(40, 1_000, 3_000)),
        ),
        ("local variables", of(functions(&none, 1, 50_000, &[]))),
        (
            "local variables of many functions",
            of(functions(&none, 40_000, 10_000, &[])),
        ),
        ("one long function", of(functions(&none, 1, 0, &nops))),
        ("much code", of(functions(&none, 40, 0, &vec![0x01; 1_000_000]))),
        ("loops in loops", of(functions(&none, 1, 0, &deep_loops))),
        ("calls with many results", of(with_import(&many_results, &calls))),
        ("branches by a table", of(br_table(500_000, 0))),
        ("branches by a table with operands", of(br_table(5_000, 200))),
        (
            "a signature of 1,000",
            of(functions(&[signature(1_000, 1_000)], 1, 0, &[0x00])),
        ),
        (
            "core types",
            of(module(&[section(1, times(500_000, signature(0, 0)))])),
        ),
        (
            "imports",
            of(module(&[
                section(1, times(1, signature(0, 0))),
                section(2, imports),
            ])),
        ),
        ("exports", of(many_exports(100_000))),
        (
            "globals",
            of(module(&[section(6, times(100_000, [0x7f, 0, 0x41, 0, END]))])),
        ),
        ("tables", of(module(&[section(4, times(80, [0x70, 0, 0]))]))),
        (
            "a table's elements",
            of(module(&[section(
                4,
                times(1, [vec![0x70, 0], uleb(10_000_000)].concat()),
            )])),
        ),
        ("memories", of(module(&[section(5, times(50, [0, 0]))]))),
        ("data segments", of(module(&[section(11, times(90_000, [1, 0]))]))),
        (
            "element segments",
            of(module(&[section(9, times(50_000, [1, 0, 0]))])),
        ),
        (
            "a long constant",
            of(module(&[section(
                6,
                times(
                    1,
                    [
                        vec![0x7f, 0, 0x41, 0],
                        [0x41, 0, 0x6a].repeat(5_000_000),
                        vec![END],
                    ]
                    .concat(),
                ),
            )])),
        ),
        ("debug names", of(module(&[custom("name", section(1, names))]))),
        ("types", vec![section(7, times(1_000_000, [0x7f]))]),
        ("types in types", vec![section(7, [vec![1], deep_types].concat())]),
        ("types that share their parts", sharing(3, 400)),
        (
            "fields of a record",
            (0..30).map(|_| section(7, times(1, fields(9_000)))).collect(),
        ),
        ("components in components", vec![inner(&deep_components)]),
        ("components", (0..900).map(|_| inner(&component(&[]))).collect()),
        ("components that double", doubling),
        ("modules", (0..900).map(|_| core_module(&module(&[]))).collect()),
        (
            "aliases",
            vec![section(7, [1, 0x7f]), section(6, times(300_000, [3, 2, 0, 0]))],
        ),
    ]
}

/// A module that imports a function of the second type, and defines one of the first type.
fn with_import(types: &[Wasm], code: &[u8]) -> Wasm {
    let body = sized([vec![0], code.to_vec(), vec![END]].concat());
    module(&[
        section(1, [uleb(types.len()), types.concat()].concat()),
        section(2, times(1, [sized("m"), sized("f"), vec![0, 1]].concat())),
        section(3, times(1, [0])),
        section(10, times(1, body)),
    ])
}

fn many_exports(count: usize) -> Wasm {
    let names: Wasm = (0..count)
        .flat_map(|n| [sized(format!("f{n}")), vec![0, 0]].concat())
        .collect();
    module(&[
        section(1, times(1, signature(0, 0))),
        section(3, times(1, [0])),
        section(7, [uleb(count), names].concat()),
        section(10, times(1, sized([0, END]))),
    ])
}

fn fields(count: usize) -> Wasm {
    let fields: Wasm = (0..count)
        .flat_map(|n| [sized(format!("f{n}")), vec![0x7f]].concat())
        .collect();
    [vec![0x72], uleb(count), fields].concat()
}

/// A component that instantiates the previous one, if any, twice.
fn doubled(level: usize) -> Wasm {
    let before = has().components + level;
    if level == 0 {
        return inner(&component(&[core_module(&module(&[])), section(2, [1, 0, 0, 0])]));
    }
    let alias = [vec![1, 4, 2, 1], uleb(before - 1)].concat();
    inner(&component(&[
        section(6, alias),
        section(5, [2, 0, 0, 0, 0, 0, 0]),
    ]))
}

fn has() -> bombs::Has {
    bombs::has(&node())
}

/// Bombs that pass the checks of the bytes, and are as expensive as these allow.
fn dear_bombs() -> Vec<(&'static str, Vec<Wasm>)> {
    let of = |module: Wasm| vec![core_module(&module)];
    let none = [signature(0, 0)];
    let sums = |bytes: usize| {
        let line = [
            local_get(0),
            local_get(1),
            vec![0x6c],
            local_get(2),
            vec![0x6a],
            local_set(0),
        ]
        .concat();
        line.repeat(bytes / line.len())
    };
    let reads = [0x41, 0, 0x28, 2, 0, 0x1a].repeat(160_000);
    let divisions = [local_get(0), local_get(1), vec![0x6d], local_set(0)]
        .concat()
        .repeat(120_000);
    let calls = [0x10, 0].repeat(400_000);
    vec![
        ("49,000 functions", of(functions(&none, 49_000, 0, &[]))),
        ("49,000 functions that are in a table", of(in_table(49_000))),
        (
            "variables by branches",
            of(variables_by_branches(1, 2_000, 1_200)),
        ),
        (
            "variables by branches in 13 functions",
            of(variables_by_branches(13, 2_000, 1_200)),
        ),
        (
            "30 functions of a megabyte",
            of(functions(&none, 30, 4, &sums(1_000_000))),
        ),
        ("30 functions of a megabyte of reads", of(with_memory(30, &reads))),
        (
            "30 functions of divisions",
            of(functions(&none, 30, 4, &divisions)),
        ),
        ("calls", of(functions(&none, 10, 0, &calls))),
        (
            "a data segment of 60 MB",
            of(module(&[
                section(5, [1, 0, 0]),
                section(11, times(1, [vec![1], sized(vec![7; 60_000_000])].concat())),
            ])),
        ),
        ("images of memories", of(images())),
        (
            "a custom section of 60 MB",
            vec![custom("a", vec![7; 60_000_000])],
        ),
        (
            "a start function without an end",
            started(&[0x03, 0x40, 0x0c, 0, END]),
        ),
        (
            "starts that fill memories",
            started(&[0x41, 0, 0x41, 1, 0x41, 0x80, 0x80, 0x80, 0x20, 0xfc, 0x0b, 0]),
        ),
    ]
}

/// Types that each contain the previous type twice; `components` components export the last one `count` times.
fn sharing(count: usize, components: usize) -> Vec<Wasm> {
    let twice = |of: usize| [vec![0x6f, 2], uleb(of), uleb(of)].concat();
    let mut types = vec![vec![0x6f, 2, 0x7d, 0x7d]];
    types.extend((0..16).map(twice));
    types.extend((0..count).map(|_| [vec![0x6f, 1], uleb(16)].concat()));
    let exported: Vec<Wasm> = (0..count)
        .map(|n| [vec![0], sized(format!("t{n}")), vec![3], uleb(17 + n), vec![0]].concat())
        .collect();
    let sharing = component(&[
        section(7, [uleb(types.len()), types.concat()].concat()),
        section(11, [uleb(count), exported.concat()].concat()),
    ]);
    let first = has().components;
    let instances = (0..components).map(|n| [vec![0], uleb(first + n), vec![0]].concat());
    let instances: Vec<Wasm> = instances.collect();
    let mut graft = vec![inner(&sharing); components];
    graft.push(section(5, [uleb(components), instances.concat()].concat()));
    graft
}

fn in_table(count: usize) -> Wasm {
    let all: Wasm = (0..count).flat_map(uleb).collect();
    module(&[
        section(1, times(1, signature(0, 0))),
        section(3, times(count, [0])),
        section(4, times(1, [vec![0x70, 0], uleb(count)].concat())),
        section(9, [vec![1, 0, 0x41, 0, END], uleb(count), all].concat()),
        section(10, times(count, sized([0, END]))),
    ])
}

fn with_memory(count: usize, code: &[u8]) -> Wasm {
    let body = sized([vec![0], code.to_vec(), vec![END]].concat());
    module(&[
        section(1, times(1, signature(0, 0))),
        section(3, times(count, [0])),
        section(5, [1, 0, 1]),
        section(10, times(count, body)),
    ])
}

/// Memories whose data segments are as far apart as the limit on images allows.
fn images() -> Wasm {
    let data: Wasm = (0..7_u8)
        .flat_map(|memory| {
            let at = |offset: &[u8]| [vec![2, memory, 0x41], offset.to_vec(), vec![END, 1, 7]].concat();
            [at(&[0]), at(&[0xff, 0xff, 0xff, 0x07])].concat()
        })
        .collect();
    module(&[
        section(5, times(7, [vec![0], uleb(256)].concat())),
        section(11, [uleb(14), data].concat()),
    ])
}

/// Modules that run `code` when they are instantiated, beside the node.
fn started(code: &[u8]) -> Vec<Wasm> {
    let body = sized([vec![0], code.to_vec(), vec![END]].concat());
    let module = module(&[
        section(1, times(1, signature(0, 0))),
        section(3, times(1, [0])),
        section(5, [vec![1, 0], uleb(1_024)].concat()),
        section(8, [0]),
        section(10, times(1, body)),
    ]);
    let instance = [vec![0], uleb(has().modules), vec![0]].concat();
    vec![core_module(&module), section(2, times(3, instance))]
}

pub async fn compile_bombs(bench: &Bench) {
    let node = node();
    let folder = tempfile::tempdir().unwrap();
    for (what, graft) in refused_bombs() {
        let bomb = grafted(&node, &graft);
        let clock = Instant::now();
        let refused = bench.engine.load(&bomb).await.map(|_| ());
        assert!(
            matches!(refused, Err(Error::TooLarge { .. })),
            "{what}: {refused:?}"
        );
        assert!(clock.elapsed() < PATIENCE, "{what}: {:?}", clock.elapsed());
    }
    tokio::task::spawn_blocking(compiled_within_bounds).await.unwrap();
    for (what, graft) in dear_bombs() {
        let path = folder.path().join("bomb.wasm");
        std::fs::write(&path, grafted(&node, &graft)).unwrap();
        let measured = describe_file(&path).await;
        if std::env::var_os("NODULE_SHOW").is_some() {
            eprintln!("{what}: {measured:?}");
        }
        assert!(matches!(measured.exit, Some(0 | 3)), "{what}: {measured:?}");
        assert!(measured.peak < PEAK_BYTES, "{what}: {measured:?}");
        assert!(measured.time < PATIENCE, "{what}: {measured:?}");
    }
}

/// A component is compiled within the limits, or not at all if an earlier process left its code in the cache.
fn compiled_within_bounds() {
    let cache = tempfile::tempdir().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let path = |path: &Path| path.to_owned().into_os_string();
    let kept = || ("NODULE_CACHE_DIR", path(cache.path()));
    let little = || ("NODULE_COMPILE_MEGABYTES", OsString::from("15"));
    let refused = measured(file(CALLS), vec![kept(), little()]);
    assert_eq!(refused.exit, Some(3), "{refused:?}");
    assert!(refused.said.contains("more than 15 MB of memory"), "{refused:?}");
    assert!(refused.said.contains("hint: "), "{refused:?}");
    let compiled = measured(file(CALLS), vec![kept()]);
    assert_eq!(compiled.exit, Some(0), "{compiled:?}");
    // With cached code, nothing needs more memory.
    let warm = measured(file(CALLS), vec![kept(), little()]);
    assert_eq!(warm.exit, Some(0), "{warm:?}");
    // Without a cache folder, the command makes a temporary one and removes it.
    let alone = || ("TMPDIR", path(temporary.path()));
    let once = measured(file(CALLS), vec![alone()]);
    assert_eq!(once.exit, Some(0), "{once:?}");
    let refused = measured(file(CALLS), vec![alone(), little()]);
    assert_eq!(refused.exit, Some(3), "{refused:?}");
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}

pub async fn large_files(_: &Bench) {
    let folder = tempfile::tempdir().unwrap();
    // Sparse, so that it takes no disk space.
    let large = folder.path().join("large.wasm");
    std::fs::File::create(&large).unwrap().set_len(3 << 30).unwrap();
    let text = folder.path().join("zeros.wasm");
    std::fs::File::create(&text).unwrap().set_len(64 << 20).unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let cases: [(&Path, &str, i32); 5] = [
        (&large, "more than 64 MiB", 3),
        (&text, "not WebAssembly", 3),
        (&pipe, "expected a regular file", 2),
        (Path::new("/dev/zero"), "expected a regular file", 2),
        (folder.path(), "directory", 2),
    ];
    for (path, words, exit) in cases {
        let measured = describe_file(path).await;
        assert!(measured.said.contains(words), "{measured:?}");
        assert_eq!(measured.exit, Some(exit), "{measured:?}");
        // The command itself takes forty megabytes, and may read as much of a file as a component may have.
        let most = if path == text { 140_000_000 } else { 64_000_000 };
        assert!(measured.peak < most, "{path:?}: {measured:?}");
    }
}

#[derive(Debug)]
#[allow(dead_code, reason = "shown where a row fails")]
struct Measured {
    exit: Option<i32>,
    /// Bytes, of the largest of the command's processes.
    peak: u64,
    time: Duration,
    said: String,
}

async fn describe(bytes: &[u8]) -> Measured {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.wasm");
    std::fs::write(&path, bytes).unwrap();
    describe_file(&path).await
}

/// `nodule describe`, with an empty cache.
async fn describe_file(path: &Path) -> Measured {
    let path = path.to_owned();
    let cache = tempfile::tempdir().unwrap();
    let variables = vec![("NODULE_CACHE_DIR", cache.path().to_owned().into_os_string())];
    tokio::task::spawn_blocking(move || measured(path, variables))
        .await
        .unwrap()
}

fn measured(path: PathBuf, variables: Vec<(&str, OsString)>) -> Measured {
    let clock = Instant::now();
    let mut child = std::process::Command::new(command())
        .arg("describe")
        .arg(path)
        .env_remove("XDG_CACHE_HOME")
        .env_remove("HOME")
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut peak = 0;
    let exit = loop {
        peak = peak.max(peak_of(child.id()));
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        assert!(clock.elapsed() < 2 * PATIENCE, "it does not end");
        std::thread::sleep(Duration::from_millis(2));
    };
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    Measured {
        exit,
        peak,
        time: clock.elapsed(),
        said,
    }
}

/// The peak memory of a process and its children so far. The system reports it while the process lives.
fn peak_of(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let own = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let own = own.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let tasks = std::fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let started = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let started: Vec<u32> = started
        .flat_map(|ids| {
            ids.split_whitespace()
                .filter_map(|id| id.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect();
    let largest = started.into_iter().map(peak_of).max().unwrap_or_default();
    largest.max(own.unwrap_or_default() * 1024)
}
