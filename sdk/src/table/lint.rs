//! What the compiler cannot see in a table: everything that is wrong with it at once, naming operation and parameter.
//!
//! [`export!`](crate::export) runs it while the table is compiled, so that a wrong table is an error of the compiler. Whatever of a
//! component runs, runs for a sound table.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "it runs in the compiler, where a panic is the error that is meant"
)]

mod asked;
mod credential;
mod request;
mod scope;
mod text;

pub use text::Problems;
use text::{eq, is_camel_case, is_sentence};

#[cfg(feature = "origins")]
use super::Operation;
use super::Service;

/// Ends compilation where something is wrong with a service, or with what its node exports.
///
/// # Panics
/// Something is wrong; the message has all of it.
pub const fn check(service: &Service, exports: &[&str]) {
    let problems = lint(service, exports);
    assert!(problems.is_empty(), "{}", problems.text());
}

/// Everything that is wrong with a service, one line each, or with what its node exports.
pub const fn lint(service: &Service, exports: &[&str]) -> Problems {
    let mut problems = Problems::new();
    if service.name.is_empty() || service.title.is_empty() {
        problems.push(&["the service has no name or no title"]);
    } else if !is_camel_case(service.name) {
        problems.push(&[
            "the service has the name ",
            service.name,
            ", which is not camelCase",
        ]);
    }
    let mut named = 0;
    while named < service.groups.len() {
        let name = service.groups[named].name;
        if !is_camel_case(name) {
            problems.push(&["the resource ", name, " has a name that is not camelCase"]);
        }
        named += 1;
    }
    credential::lint(service, exports, &mut problems);
    let (mut index, mut last_group, mut asks) = (0, 0, false);
    #[cfg(feature = "files")]
    let mut moves_files = false;
    while index < service.operations.len() {
        let operation = service.operations[index];
        problems.enter(operation.group, operation.name);
        match group(service, operation.group) {
            None => problems.report(&["is of a group that the service does not have"]),
            Some(group) if group < last_group => {
                problems.report(&["stands after an operation of a later resource"]);
            }
            Some(group) => last_group = group,
        }
        let mut other = 0;
        while other < index {
            let earlier = service.operations[other];
            if eq(earlier.name, operation.name) && eq(earlier.group, operation.group) {
                problems.report(&["has the name of another operation"]);
            }
            other += 1;
        }
        if !operation.name.is_empty() && !is_camel_case(operation.name) {
            problems.report(&["has a name that is not camelCase"]);
        }
        let texts = [
            ("name", operation.name),
            ("title", operation.title),
            ("about", operation.about),
            ("action", operation.action),
            ("evidence", operation.evidence),
        ];
        let mut text = 0;
        while text < texts.len() {
            if !is_sentence(texts[text].1) {
                problems.report(&[
                    "has a ",
                    texts[text].0,
                    " that is empty, padded or ends with a full stop",
                ]);
            }
            text += 1;
        }
        #[cfg(feature = "files")]
        {
            moves_files |= operation.moves_files();
        }
        request::lint(operation, &mut problems);
        #[cfg(feature = "origins")]
        goes(service, operation, &mut problems);
        scope::lint(operation.parameters, &mut problems);
        asks |= asked::lint(operation.parameters, operation.parameters, &mut problems);
        index += 1;
    }
    credential::exported(asks, "parameter", "choices", exports, &mut problems);
    #[cfg(feature = "files")]
    credential::exported(moves_files, "operation", "files", exports, &mut problems);
    problems
}

/// Where it goes, and with which headers.
#[cfg(feature = "origins")]
const fn goes(service: &Service, operation: &Operation, problems: &mut Problems) {
    if let Some((origin, _)) = operation.request.elsewhere
        && !is_declared(service, origin)
    {
        problems.report(&["goes to ", origin, ", which is no origin of the service"]);
    }
    credential::headers(operation.request.headers, problems);
}

#[cfg(feature = "origins")]
const fn is_declared(service: &Service, origin: &str) -> bool {
    let mut index = 0;
    while index < service.origins.len() {
        if eq(service.origins[index].url, origin) {
            return true;
        }
        index += 1;
    }
    false
}

/// The place of a group of that name.
const fn group(service: &Service, name: &str) -> Option<usize> {
    let mut index = 0;
    while index < service.groups.len() {
        if eq(service.groups[index].name, name) {
            return Some(index);
        }
        index += 1;
    }
    None
}

#[cfg(test)]
mod tests;
