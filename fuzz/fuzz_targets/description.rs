//! A description's documents are read or refused, and a node made of foreign texts is checked without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nodule_parsers::description::{Node, parse_json};

fuzz_target!(|text: &str| {
    let _ = parse_json(text, "fuzz");
    if let Ok(node) = serde_json::from_str::<Node>(text) {
        match node.check() {
            Ok(node) => {
                for operation in &node.operations {
                    assert!(node.operation(&operation.group, &operation.name).is_ok());
                }
            }
            Err(problems) => assert!(!problems.is_empty()),
        }
    }
});
