//! Checks that a component is a node of this host's contract, and imports only what nodes may import.

use super::CONTRACT;
use super::bytes::{Import, Outside};
use crate::error::Error;
use crate::runtime::void_wasi::Given;
use nodule_core::text::shown;
use wasmtime::component::types::ComponentItem;

/// The length of an interface's name in a message.
const SHOWN: usize = 100;
/// The length of the linker's message, which contains names and types.
const SHOWN_WORDS: usize = 400;

/// Refuses a component that cannot be a node because of its imports or exports.
pub(super) fn refuse_foreign(outside: &Outside) -> Result<(), Error> {
    let exports = &outside.exports;
    if !exports.iter().any(|name| name == CONTRACT) {
        let near = exports
            .iter()
            .find(|name| name.starts_with("workflow:node/execution"));
        let found = match near.or(exports.first()) {
            Some(name) => format!("`{}`", shown(name, SHOWN)),
            None => "no exports at all".to_owned(),
        };
        return Err(Error::WrongContract {
            expected: CONTRACT,
            found,
        });
    }
    let foreign: Vec<String> = outside
        .imports
        .iter()
        .filter(|Import { name, has_only_types }| Given::of(name) == Given::Not && !has_only_types)
        .map(|import| import.name.clone())
        .collect();
    if foreign.is_empty() {
        Ok(())
    } else {
        Err(Error::Imports { imports: foreign })
    }
}

/// The component exports the interface of the contract, but with other types.
pub(super) fn wrong(expected: &'static str, error: &wasmtime::Error) -> Error {
    Error::WrongContract {
        expected,
        found: shown(&format!("{error:#}"), SHOWN_WORDS),
    }
}

/// The component imports an interface that this host has, but with other functions or types. Wasmtime's error names the
/// import, the function in it, and what differs.
pub(super) fn does_not_fit(error: &wasmtime::Error) -> Error {
    Error::ImportDiffers {
        problem: shown(&format!("{error:#}"), SHOWN_WORDS),
    }
}

/// The imports beyond those that every node may have, of which the host gives void versions.
pub(super) fn void_imports(component: &wasmtime::component::Component) -> Vec<String> {
    let engine = component.engine();
    let asks = |item: &ComponentItem| match item {
        ComponentItem::ComponentInstance(instance) => instance
            .exports(engine)
            .any(|(_, part)| !matches!(part.ty, ComponentItem::Type(_))),
        _ => true,
    };
    let mut imports: Vec<String> = component
        .component_type()
        .imports(engine)
        .filter(|(name, import)| Given::of(name) == Given::Void && asks(&import.ty))
        .map(|(name, _)| name.to_owned())
        .collect();
    imports.sort_unstable();
    imports
}
