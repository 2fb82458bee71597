//! A description is read and checked, or refused; one that passed is written and read again as the same, and holds what
//! the rest of the host relies on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nodule_core::description::{MAX_DRAWN_PARAMETERS, MAX_JSON_BYTES, Node, parse_json};

fuzz_target!(|text: &str| {
    if let Ok(value) = parse_json(text, "fuzz") {
        let written = value.to_string();
        if written.len() <= MAX_JSON_BYTES {
            assert_eq!(parse_json(&written, "fuzz").as_ref(), Ok(&value));
        }
    }
    let Ok(node) = serde_json::from_str::<Node>(text) else {
        return;
    };
    let written = serde_json::to_string(&node).expect("what was read can be written");
    let again: Node = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(again, node);
    match node.check() {
        Ok(node) => relied_on(&node),
        Err(problems) => {
            assert!(!problems.is_empty());
            assert!(problems.iter().all(|problem| !problem.to_string().is_empty()));
            assert!(again.check().is_err(), "refused for good");
        }
    }
});

/// Names are found, IDs lead somewhere, and no walk through groups and rows goes round in a circle.
fn relied_on(node: &Node) {
    let find = |id: &str| {
        let mut found = node.parameters.iter().filter(|parameter| parameter.id == id);
        let parameter = found.next().expect("an ID is a parameter's");
        assert!(found.next().is_none(), "and of one alone");
        parameter
    };
    let mut drawn = 0;
    for operation in &node.operations {
        let found = node
            .operation(&operation.group, &operation.name)
            .expect("an operation is found by its name");
        assert_eq!(found, operation);
        let mut open: Vec<&str> = operation.parameters.iter().map(String::as_str).collect();
        while let Some(id) = open.pop() {
            let parameter = find(id);
            open.extend(parameter.kind.children().iter().map(String::as_str));
            for condition in &parameter.visible_when {
                find(&condition.parameter);
            }
            drawn += 1;
            assert!(
                drawn <= MAX_DRAWN_PARAMETERS,
                "all forms together stay small enough"
            );
        }
    }
    for credential in &node.credentials {
        assert!(credential.fields.contains(&credential.base_url));
        credential.fields.iter().for_each(|field| {
            find(field);
        });
    }
}
