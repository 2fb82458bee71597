//! Turns a core module into a component: the step between a compiler for `wasm32-unknown-unknown` and a host.
//!
//! The component imports exactly what the module's code uses. `wasm32-wasip2` would add an environment, exit, standard
//! streams and terminals for the sake of the standard library.

use std::ops::Range;

use wasmparser::{Parser, Payload};

/// Why a module cannot become a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The bytes are not a WebAssembly module.
    #[error("expected a WebAssembly module: {0}")]
    NotAModule(String),
    /// The module does not say which interface it implements.
    #[error("the module holds no component interface")]
    NoInterface,
    /// The module imports a function that is not part of any interface.
    #[error("the module imports `{name}` from `{module}`, which no host of nodes has")]
    ForeignImport {
        /// Where the import comes from, such as `env`.
        module: String,
        /// The function.
        name: String,
    },
    /// The module does not fit the interface that it names.
    #[error("the module does not fit its component interface: {0}")]
    Unfit(String),
}

impl EncodeError {
    /// What the author of the module can do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotAModule(_) | Self::Unfit(_) => None,
            Self::NoInterface => Some(
                "a node in Rust is a library with `crate-type = [\"cdylib\"]` that calls `nodule_sdk::export!`".to_owned(),
            ),
            Self::ForeignImport { module, .. } => Some(match module.as_str() {
                module if module.starts_with("__wbindgen") => {
                    "a dependency expects a browser: turn off its feature for wasm-bindgen, such as `wasmbind` of chrono \
                     or `js` of getrandom; `cargo tree --invert wasm-bindgen --target wasm32-unknown-unknown` says which"
                        .to_owned()
                }
                "wasi_snapshot_preview1" => {
                    "the module was built for wasm32-wasip1: build it for wasm32-unknown-unknown".to_owned()
                }
                _ => "a dependency calls code of another language, or of a system that a node does not have".to_owned(),
            }),
        }
    }
}

/// Encodes `module` as a component, without names and other custom sections, which are a fifth of the file.
///
/// # Errors
///
/// The module is invalid, or does not fit the interface in its custom section `component-type`.
pub fn component(module: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let is_module = Parser::is_core_wasm(module);
    let imports = imports(module).map_err(|error| EncodeError::NotAModule(error.to_string()))?;
    if !is_module {
        return Err(EncodeError::NotAModule("found something else".to_owned()));
    }
    if let Some((module, name)) = imports.foreign {
        return Err(EncodeError::ForeignImport { module, name });
    }
    if !imports.is_typed {
        return Err(EncodeError::NoInterface);
    }
    let unfit = |error: &dyn std::fmt::Display| EncodeError::Unfit(error.to_string());
    let component = wit_component::ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(wit_component::ComponentEncoder::encode)
        .map_err(|error| unfit(&format_args!("{error:#}")))?;
    without_custom_sections(&component).map_err(|error| unfit(&error))
}

/// The names of a component's imports, in its order.
///
/// # Errors
///
/// The bytes are not a component.
pub fn imports_of(component: &[u8]) -> Result<Vec<String>, EncodeError> {
    let mut names = Vec::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(|error| EncodeError::Unfit(error.to_string()))? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(|error| EncodeError::Unfit(error.to_string()))?;
                    names.push(import.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

struct Imports {
    /// The first import that belongs to no interface.
    foreign: Option<(String, String)>,
    /// The module says which interface it implements.
    is_typed: bool,
}

fn imports(module: &[u8]) -> Result<Imports, wasmparser::BinaryReaderError> {
    let mut found = Imports {
        foreign: None,
        is_typed: false,
    };
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    // `wasi:http/types@0.2.12`, `$root`, `[export]…`: the names of the component model's encodings.
                    let is_of_interface = import.module.contains([':', '$', '[', '|']);
                    if !is_of_interface && found.foreign.is_none() {
                        found.foreign = Some((import.module.to_owned(), import.name.to_owned()));
                    }
                }
            }
            Payload::CustomSection(section) if section.name().starts_with("component-type") => {
                found.is_typed = true;
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Removes the names and producers sections at any depth.
fn without_custom_sections(component: &[u8]) -> Result<Vec<u8>, wasmparser::BinaryReaderError> {
    let mut stack = Vec::new();
    let mut output = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        match &payload {
            Payload::Version { encoding, .. } => output.extend_from_slice(match encoding {
                wasmparser::Encoding::Module => b"\0asm\x01\0\0\0",
                wasmparser::Encoding::Component => b"\0asm\x0d\0\x01\0",
            }),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                stack.push((
                    std::mem::take(&mut output),
                    payload.as_section().map(|(id, _)| id),
                ));
                continue;
            }
            Payload::End(_) => {
                let Some((outer, id)) = stack.pop() else { break };
                let inner = std::mem::replace(&mut output, outer);
                section(&mut output, id.unwrap_or_default(), &inner);
                continue;
            }
            _ => {}
        }
        if matches!(payload, Payload::CustomSection(_)) {
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            section(&mut output, id, bytes(component, &range));
        }
    }
    Ok(output)
}

/// The parser's ranges lie within what it parsed.
fn bytes<'a>(component: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    component.get(at(range.start)..at(range.end)).unwrap_or_default()
}

fn section(output: &mut Vec<u8>, id: u8, bytes: &[u8]) {
    output.push(id);
    let mut length = bytes.len();
    // LEB128, like every length in WebAssembly.
    loop {
        let byte = u8::try_from(length & 0x7f).unwrap_or_default();
        length >>= 7;
        if length == 0 {
            output.push(byte);
            break;
        }
        output.push(byte | 0x80);
    }
    output.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with one import, and the custom sections of these names.
    fn module(import: Option<(&str, &str)>, custom: &[&str]) -> Vec<u8> {
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        let name = |name: &str| {
            let mut named = vec![u8::try_from(name.len()).unwrap()];
            named.extend_from_slice(name.as_bytes());
            named
        };
        if let Some((module, field)) = import {
            // One function type without parameters and results, and an import of a function of it.
            section(&mut bytes, 1, &[1, 0x60, 0, 0]);
            let import = [vec![1], name(module), name(field), vec![0, 0]].concat();
            section(&mut bytes, 2, &import);
        }
        for custom in custom {
            section(&mut bytes, 0, &name(custom));
        }
        bytes
    }

    #[test]
    fn a_module_that_expects_a_browser_is_refused_by_its_import() {
        let module = module(
            Some(("__wbindgen_placeholder__", "__wbindgen_describe")),
            &["component-type:x"],
        );
        let error = component(&module).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the module imports `__wbindgen_describe` from `__wbindgen_placeholder__`, which no host of nodes has"
        );
        assert!(error.hint().unwrap().contains("wasm-bindgen"));
    }

    #[test]
    fn a_module_without_an_interface_is_no_node() {
        assert_eq!(component(&module(None, &["name"])), Err(EncodeError::NoInterface));
    }

    #[test]
    fn what_is_no_module_is_refused() {
        for bytes in [&b"text"[..], b"", b"\0asm\x0d\0\x01\0", b"\0asm\x01\0\0"] {
            assert!(
                matches!(component(bytes), Err(EncodeError::NotAModule(_))),
                "{bytes:?}"
            );
        }
    }
}
