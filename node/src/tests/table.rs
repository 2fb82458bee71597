//! What holds for this service's table, beside what the compiler checks for every node's.

use nodule_sdk::{Effect, Method};

use crate::operations::OPERATIONS;

#[test]
fn paths_and_names_are_the_services() {
    let is_camel_case = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.chars().all(|char| char.is_ascii_alphanumeric())
    };
    for operation in OPERATIONS {
        let (name, path) = (operation.name, operation.request.path);
        assert!(path.starts_with("/v1/") && !path.ends_with('/'), "{name}: {path}");
        assert!(is_camel_case(name), "{name}");
        for parameter in operation.parameters {
            assert!(is_camel_case(parameter.name), "{name}: {}", parameter.name);
        }
    }
}

#[test]
fn a_put_changes_only_what_is_set() {
    for operation in OPERATIONS {
        let request = &operation.request;
        let is_put = request.method == Method::Put;
        assert_eq!(is_put, request.is_update, "{}", operation.name);
        assert!(
            !(is_put && operation.effect == Effect::Read),
            "{}",
            operation.name
        );
    }
}

/// The service's documentation promises little about doing things twice.
#[test]
fn an_effect_that_nothing_public_promises_is_assumed() {
    for operation in OPERATIONS {
        let promises = matches!(operation.effect, Effect::Idempotent | Effect::Keyed(_));
        assert!(
            !promises || operation.evidence.starts_with("assumed: "),
            "{}: {}",
            operation.name,
            operation.evidence
        );
    }
}
