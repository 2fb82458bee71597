//! A policy file is read or refused; one that was read is written out from what was understood, and reads the same.
#![no_main]

use std::fmt::Write as _;

use libfuzzer_sys::fuzz_target;
use nodule_core::limits::{LIMIT_SPECS, LimitSpec, Limits};
use nodule_core::policy::{Policy, PolicyError, Rule};

fuzz_target!(|text: &str| {
    match Policy::from_toml(text, "policy.toml") {
        Ok(policy) => {
            let written = written(&policy);
            let again = Policy::from_toml(&written, "again.toml").expect("what is written can be read");
            assert_eq!(again.rules(), policy.rules());
            assert_eq!(again.write_requests(), policy.write_requests());
            assert!(again.lowered().eq(policy.lowered()));
            assert!(policy.lowered().all(|operation| again.lowers_to_write(operation)));
            for base in bases() {
                let limits = policy.limits_over(base.clone());
                assert_eq!(again.limits_over(base), limits);
                assert_eq!(limits.check(), Ok(()), "no value beyond its range");
            }
        }
        Err(error) => pointed(text, &error),
    }
    if let Ok(rule) = Rule::parse(text) {
        assert_eq!(Rule::parse(&rule.to_string()).as_ref(), Ok(&rule));
    }
});

/// Every problem has a line of the file.
fn pointed(text: &str, error: &PolicyError) {
    assert!(!error.problems.is_empty());
    let lines = text.matches('\n').count() + 1;
    assert!(
        error
            .problems
            .iter()
            .all(|problem| (1..=lines).contains(&problem.line))
    );
    assert!(error.to_string().contains("policy.toml:"));
    // No hint is a panic, whatever it says.
    drop(error.hint());
}

/// Limits with the least and the most of every value: what a policy sets is the same over both.
fn bases() -> [Limits; 2] {
    let all = |value: fn(&LimitSpec) -> u64| {
        let mut limits = Limits::default();
        for knob in LIMIT_SPECS {
            limits
                .set(knob.key, value(knob))
                .expect("the end of a range is in it");
        }
        limits
    };
    [all(|knob| knob.least), all(|knob| knob.most)]
}

fn written(policy: &Policy) -> String {
    let mut out = String::new();
    if let Some(most) = policy.write_requests() {
        writeln!(out, "write-requests = {most}").expect("a String takes all");
    }
    let mut line = |text: std::fmt::Arguments| writeln!(out, "{text}").expect("a String takes all");
    for rule in policy.rules() {
        line(format_args!(
            "[[allow]]\norigin = {:?}\nprivate = {}",
            rule.origin(),
            rule.is_private()
        ));
        if !rule.path().is_root() {
            line(format_args!("path = {:?}", rule.path().as_str()));
        }
        if !rule.methods().is_empty() {
            let methods: Vec<&str> = rule.methods().iter().map(http::Method::as_str).collect();
            line(format_args!("methods = {methods:?}"));
        }
    }
    line(format_args!("[limits]"));
    let [least, most] = bases().map(|base| policy.limits_over(base));
    for knob in LIMIT_SPECS {
        if knob.read(&least) == knob.read(&most) {
            line(format_args!("{} = {}", knob.key, knob.read(&least)));
        }
    }
    line(format_args!("[effects]"));
    for operation in policy.lowered() {
        line(format_args!("\"{operation}\" = \"write\""));
    }
    out
}
