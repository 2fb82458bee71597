//! Whether a component is a node of this host's contract, and asks only for what nodes are given.

use super::CONTRACT;
use super::bytes::{Import, Outside};
use crate::error::Error;
use crate::runtime::engine::ALLOWED_IMPORTS;
use nodule_core::text::shown;

/// Of a name of an interface in a message.
const SHOWN: usize = 100;
/// Of the linker's words, which hold names and types.
const SHOWN_WORDS: usize = 400;

/// Refuse what cannot be a node, by what it imports and exports.
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

/// An interface of the contract is there, and is another one than it should be.
pub(super) fn wrong(expected: &'static str, error: &wasmtime::Error) -> Error {
    Error::WrongContract {
        expected,
        found: shown(&format!("{error:#}"), SHOWN_WORDS),
    }
}

/// Whether an import belongs to a package that nodes are given, in a version that is compatible with ours.
fn is_given(import: &str) -> bool {
    let (interface, version) = import.split_once('@').unwrap_or((import, ""));
    let package = interface.split('/').next().unwrap_or(interface);
    ALLOWED_IMPORTS.contains(&package) && version.starts_with("0.2.")
}
