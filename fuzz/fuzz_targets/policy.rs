//! A policy file is read or refused, and what it allows it says again when it is shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nodule_parsers::policy::{Policy, Rule};

fuzz_target!(|text: &str| {
    match Policy::from_toml(text, "policy.toml") {
        Ok(policy) => {
            for rule in policy.rules() {
                if rule.methods().is_empty() {
                    let again = Rule::parse(&rule.to_string()).expect("a rule's own words are a rule");
                    assert_eq!((again.origin(), again.path(), again.host()), (rule.origin(), rule.path(), rule.host()));
                }
            }
        }
        Err(error) => {
            assert!(!error.problems.is_empty());
            let lines = text.matches('\n').count() + 1;
            assert!(error.problems.iter().all(|problem| (1..=lines).contains(&problem.line)));
            let _ = (error.to_string(), error.hint());
        }
    }
    if let Ok(rule) = Rule::parse(text) {
        assert_eq!(Rule::parse(&rule.to_string()).as_ref(), Ok(&rule));
    }
});
