//! Which bytes of a component are refused.

use super::bytes::{inspect, refuse_foreign};
use super::compile;
use crate::error::Error;
use crate::runtime::engine::{Engine, EngineConfig};

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

fn uleb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], uleb(content.len()), content.to_vec()].concat()
}

fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [COMPONENT, &sections.concat()].concat()
}

fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    section(1, &[MODULE, &sections.concat()].concat())
}

/// A module with one function of this code, which has this many local variables of type `i32`.
fn function(locals: usize, code: &[u8]) -> Vec<u8> {
    let body = [&[1], &*uleb(locals), &[0x7f], code, &[0x0b]].concat();
    module(&[
        section(1, &[1, 0x60, 0, 0]),
        section(3, &[1, 0]),
        section(10, &[vec![1], uleb(body.len()), body].concat()),
    ])
}

fn too_large(sections: &[Vec<u8>]) -> &'static str {
    match inspect(&component(sections)).unwrap_err() {
        Error::TooLarge { what, .. } => what,
        error => panic!("{error}"),
    }
}

#[test]
fn what_is_no_component_is_named() {
    let found = |bytes: &[u8]| refuse_foreign(bytes).unwrap_err().to_string();
    assert!(found(b"").ends_with("an empty file"));
    assert!(found(MODULE).ends_with("a core module"));
    assert!(found(b"MZ").ends_with("a file that is not WebAssembly"));
    assert!(refuse_foreign(COMPONENT).is_ok());
    assert!(
        inspect(&component(&[vec![1, 200]])).is_err(),
        "a section that is cut off"
    );
}

#[test]
fn variables_times_branches_are_bounded_though_each_is_allowed() {
    let diamonds = |count: usize| [0x20, 0, 0x04, 0x40, 0x05, 0x0b].repeat(count);
    assert!(inspect(&component(&[function(5_000, &diamonds(100))])).is_ok());
    assert!(inspect(&component(&[function(100, &diamonds(5_000))])).is_ok());
    assert_eq!(
        too_large(&[function(5_000, &diamonds(5_000))]),
        "variables times branches of one function"
    );
}

#[test]
fn types_that_nest_by_the_million_do_not_end_the_process() {
    let nested = [vec![1], [0x42, 1, 1].repeat(1_000_000), vec![0x7f]].concat();
    assert_eq!(too_large(&[section(7, &nested)]), "levels of types");
}

#[test]
fn a_type_counts_as_often_as_it_is_used() {
    let doubling = |levels: usize| {
        let mut types = vec![vec![0x6f, 2, 0x7d, 0x7d]];
        types.extend((0..levels).map(|of| [vec![0x6f, 2], uleb(of), uleb(of)].concat()));
        section(7, &[uleb(types.len()), types.concat()].concat())
    };
    assert!(inspect(&component(&[doubling(10)])).is_ok());
    assert_eq!(
        too_large(&[doubling(60)]),
        "parts of types, those that are shared multiplied"
    );
    // The same through the types of instances and aliases of their parts.
    let mut types = vec![vec![0x42, 2, 1, 0x7d, 4, 0, 1, b'a', 3, 0, 0]];
    for of in 0..60 {
        // Aliases the previous type from outside, and exports two instances of it.
        let alias = [vec![2, 3, 2, 1], uleb(of)].concat();
        let parts = [4, 0, 1, b'a', 5, 0, 4, 0, 1, b'b', 5, 0];
        types.push([vec![0x42, 3], alias, parts.to_vec()].concat());
    }
    let instances = section(7, &[uleb(types.len()), types.concat()].concat());
    assert_eq!(
        too_large(&[instances]),
        "parts of types, those that are shared multiplied"
    );
}

#[test]
fn components_that_nest_by_the_thousand_are_refused() {
    let nested = (0..1_000).fold(component(&[]), |within, _| component(&[section(4, &within)]));
    assert_eq!(too_large(&[section(4, &nested)]), "levels of components");
}

#[test]
fn instances_count_as_often_as_they_are_made() {
    // Component 0 instantiates a module; each further component instantiates the previous one twice.
    let first = component(&[module(&[]), section(2, &[1, 0, 0, 0])]);
    let doubling = |levels: usize| {
        let mut sections = vec![section(4, &first)];
        for before in 0..levels {
            let alias = [vec![1, 4, 2, 1], uleb(before)].concat();
            let twice = component(&[section(6, &alias), section(5, &[2, 0, 0, 0, 0, 0, 0])]);
            sections.push(section(4, &twice));
        }
        sections
    };
    assert!(inspect(&component(&doubling(5))).is_ok());
    assert_eq!(
        too_large(&doubling(40)),
        "instances, those of components inside of components multiplied"
    );
}

#[test]
fn code_is_not_handed_from_component_to_component() {
    // A component that imports a module.
    let taken = [vec![1, 0, 1, b'm', 0, 0x11, 0]].concat();
    let error = inspect(&component(&[section(10, &taken)])).unwrap_err();
    assert!(error.to_string().contains("takes, gives or passes on"), "{error}");
}

#[test]
fn interfaces_of_types_are_told_from_those_that_ask_for_something() {
    let import = |declarations: &[u8]| {
        let types = section(7, &[&[1, 0x42], declarations].concat());
        let outside = inspect(&component(&[types, section(10, &[1, 0, 1, b'a', 5, 0])])).unwrap();
        outside.imports[0].has_only_types
    };
    assert!(import(&[0]));
    assert!(
        import(&[2, 1, 0x7f, 4, 0, 1, b't', 3, 0, 0]),
        "a type that equals another one"
    );
    assert!(!import(&[1, 4, 0, 1, b'r', 3, 1]), "a resource");
    assert!(!import(&[2, 1, 0x40, 0, 1, 0, 4, 0, 1, b'f', 1, 0]), "a function");
}

#[tokio::test]
async fn an_import_that_does_not_fit_is_named_with_what_differs() {
    let engine = Engine::new(&EngineConfig::default()).unwrap();
    let problem = |import: &str| {
        let text = format!(r#"(component (import "wasi:random/random@0.2.3" (instance {import})))"#);
        let bytes = wat::parse_str(text).unwrap();
        let component = wasmtime::component::Component::new(engine.wasmtime(), bytes).unwrap();
        match compile::link(&engine, &component) {
            Err(Error::ImportDiffers { problem }) => problem,
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it linked"),
        }
    };
    let missing = problem(r#"(export "get-luck" (func (result u64)))"#);
    assert!(
        missing.contains("wasi:random/random@0.2.3") && missing.contains("get-luck"),
        "{missing}"
    );
    let differs = problem(r#"(export "get-random-u64" (func (result string)))"#);
    for named in ["wasi:random/random@0.2.3", "get-random-u64", "string", "u64"] {
        assert!(differs.contains(named), "{named}: {differs}");
    }
}
