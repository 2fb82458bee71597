//! Checks that a component is a node of this host's contract, and imports only what nodes may import.

use super::CONTRACT;
use super::bytes::{Import, Outside};
use crate::error::Error;
use crate::runtime::engine::ALLOWED_IMPORTS;
use nodule_core::text::shown;

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
        .filter(|Import { name, has_only_types }| !is_given(name) && !has_only_types)
        .map(|import| import.name.clone())
        .collect();
    if foreign.is_empty() {
        Ok(())
    } else {
        Err(Error::Imports {
            imports: foreign,
            allowed: &ALLOWED_IMPORTS,
        })
    }
}

/// The component exports the interface of the contract, but with other types.
pub(super) fn wrong(expected: &'static str, error: &wasmtime::Error) -> Error {
    Error::WrongContract {
        expected,
        found: shown(&format!("{error:#}"), SHOWN_WORDS),
    }
}

/// Whether an import belongs to a package that nodes may import, in a compatible version.
fn is_given(import: &str) -> bool {
    let (interface, version) = import.split_once('@').unwrap_or((import, ""));
    let package = interface.split('/').next().unwrap_or(interface);
    ALLOWED_IMPORTS.contains(&package) && version.starts_with("0.2.")
}
