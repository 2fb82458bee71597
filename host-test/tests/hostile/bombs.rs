//! Components that are built byte by byte, with names and sizes that no compiler produces.

/// Bytes of a module or component.
pub type Wasm = Vec<u8>;

const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

pub const END: u8 = 0x0b;

pub fn uleb(mut number: usize) -> Wasm {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A text or bytes, preceded by their length.
pub fn sized(content: impl AsRef<[u8]>) -> Wasm {
    [uleb(content.as_ref().len()), content.as_ref().to_vec()].concat()
}

pub fn section(id: u8, content: impl AsRef<[u8]>) -> Wasm {
    [vec![id], sized(content)].concat()
}

/// A list of `count` equal items.
pub fn times(count: usize, item: impl AsRef<[u8]>) -> Wasm {
    [uleb(count), item.as_ref().repeat(count)].concat()
}

pub fn custom(name: &str, content: impl AsRef<[u8]>) -> Wasm {
    section(0, [sized(name), content.as_ref().to_vec()].concat())
}

pub fn module(sections: &[Wasm]) -> Wasm {
    [MODULE, &sections.concat()].concat()
}

pub fn component(sections: &[Wasm]) -> Wasm {
    [COMPONENT, &sections.concat()].concat()
}

/// A module inside a component.
pub fn core_module(module: &Wasm) -> Wasm {
    section(1, module)
}

/// A component inside a component.
pub fn inner(component: &Wasm) -> Wasm {
    section(4, component)
}

/// Appends sections to a component; it is still the same node.
pub fn grafted(node: &[u8], sections: &[Wasm]) -> Wasm {
    [node, &sections.concat()].concat()
}

/// How many modules and components a component already has.
#[derive(Default, Clone, Copy)]
pub struct Has {
    pub modules: usize,
    pub components: usize,
}

pub fn has(component: &[u8]) -> Has {
    let mut has = Has::default();
    let mut at = COMPONENT.len();
    while at < component.len() {
        let id = component[at];
        let (length, start) = read_uleb(component, at + 1);
        match id {
            1 => has.modules += 1,
            4 => has.components += 1,
            _ => {}
        }
        at = start + length;
    }
    has
}

fn read_uleb(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = bytes[at];
        number |= usize::from(byte & 0x7f) << shift;
        (shift, at) = (shift + 7, at + 1);
        if byte & 0x80 == 0 {
            return (number, at);
        }
    }
}

/// A function type with this many `i32` parameters and results.
pub fn signature(takes: usize, leaves: usize) -> Wasm {
    [vec![0x60], times(takes, [0x7f]), times(leaves, [0x7f])].concat()
}

/// A module with `count` copies of a function that has `locals` variables of type `i32`, and `code` without its final
/// `end`. `types` are the module's types, the first of which is the function's.
pub fn functions(types: &[Wasm], count: usize, locals: usize, code: &[u8]) -> Wasm {
    let locals = if locals == 0 {
        vec![0]
    } else {
        [vec![1], uleb(locals), vec![0x7f]].concat()
    };
    let body = sized([locals, code.to_vec(), vec![END]].concat());
    module(&[
        section(1, [uleb(types.len()), types.concat()].concat()),
        section(3, times(count, [0])),
        section(10, times(count, body)),
    ])
}

pub fn local_get(index: usize) -> Wasm {
    [vec![0x20], uleb(index)].concat()
}

pub fn local_set(index: usize) -> Wasm {
    [vec![0x21], uleb(index)].concat()
}

/// Sets every variable, then joins `diamonds` branches, then reads every variable.
pub fn variables_by_branches(count: usize, locals: usize, diamonds: usize) -> Wasm {
    let mut code = Vec::new();
    for index in 0..locals {
        code.extend([0x41, (index & 0x3f) as u8]);
        code.extend(local_set(index));
    }
    code.extend(
        [local_get(0), vec![0x04, 0x40, 0x05, END]]
            .concat()
            .repeat(diamonds),
    );
    for index in 0..locals {
        code.extend(local_get(index));
        code.push(0x1a);
    }
    functions(&[signature(0, 0)], count, locals, &code)
}
