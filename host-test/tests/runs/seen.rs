//! What people see of a run: the summary, as lines and as a file, and the messages during the run.

use std::process::Command;

use serde_json::{Value, json};
use simulator::{Action, Config, Rule, Simulator};
use tempfile::TempDir;

use crate::support::{component, credential, expect, nodule, simulator, stderr};

/// `nodule run … --items … --summary …`, with the lines that are printed without a terminal.
fn run(folder: &TempDir, simulator: &Simulator, operation: [&str; 2], items: &[String]) -> Command {
    let file = folder.path().join("items.jsonl");
    std::fs::write(&file, items.join("\n")).unwrap();
    let mut command = nodule();
    command
        .arg("run")
        .arg(component())
        .args(operation)
        .arg("--items")
        .arg(file)
        .arg("--summary")
        .arg(folder.path().join("summary.json"))
        .env("NODULE_CREDENTIAL", credential(simulator));
    command
}

fn summary(folder: &TempDir) -> Value {
    serde_json::from_slice(&std::fs::read(folder.path().join("summary.json")).unwrap()).unwrap()
}

#[test]
fn the_summary_counts_failures_by_kind_retries_renewals_and_requests() {
    let (folder, simulator) = (TempDir::new().unwrap(), simulator(Config::default()));
    let refusal = |code: &str, action| Rule::new(action).path(format!("/v1/member/{code}"));
    let envelope = Action::EnvelopeError {
        code: "4711".to_owned(),
        message: "not now".to_owned(),
    };
    let status = |code| Action::Status {
        code,
        retry_after: Some("0".to_owned()),
        body: None,
    };
    for rule in [
        refusal("M1", envelope),
        refusal("M2", Action::TruncatedJson),
        refusal("M3", status(503)).times(2),
        refusal("M4", status(401)).times(1),
    ] {
        simulator.add_fault(rule).unwrap();
    }
    let mut items: Vec<String> = (0..6).map(|item| format!(r#"{{"cardNo":"M{item}"}}"#)).collect();
    items.push("{}".to_owned());
    let output = expect(&mut run(&folder, &simulator, ["member", "getMember"], &items), 1);
    let summary = summary(&folder);
    let failed = json!({"invalid-parameters": 1, "rejected": 1, "unintelligible": 1});
    assert_eq!(summary["failed"], failed);
    // Once each, except for the item without parameters; twice more for M3, once more for M4 with the new session.
    for (name, count) in [
        ("items", 7),
        ("done", 4),
        ("again", 0),
        ("skipped", 0),
        ("unknown", 0),
        ("retries", 2),
        ("renewals", 1),
        ("requests", 6 + 2 + 1),
        ("sameKey", 0),
    ] {
        assert_eq!(summary[name], count, "{name}: {summary}");
    }
    let tokens = simulator.stats().by_endpoint[&simulator::Endpoint::Token];
    assert_eq!(simulator.stats().requests - tokens, 6 + 2 + 1);
    let at = |name: &str| summary["latencyMs"][name].as_f64().unwrap();
    assert!(0.0 < at("p50") && at("p50") <= at("p95") && at("p95") <= at("p99"));
    assert!(at("p99") <= at("max") && at("max") <= summary["elapsedMs"].as_f64().unwrap());
    assert_eq!(summary["ended"], "complete");

    let told = stderr(&output);
    for words in [
        "7 items: 4 done, 3 failed (1 invalid-parameters, 1 rejected, 1 unintelligible), ",
        "9 requests, 2 retries, 1 renewed session, p50 ",
    ] {
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn one_is_not_many() {
    let (folder, simulator) = (TempDir::new().unwrap(), simulator(Config::default()));
    let items = [r#"{"cardNo":"M1"}"#.to_owned()];
    let output = expect(&mut run(&folder, &simulator, ["member", "getMember"], &items), 0);
    let told = stderr(&output);
    assert!(told.contains("1 item: 1 done, 0 failed, "), "{told}");
    assert!(told.contains("1 request, p50 "), "{told}");
}

#[test]
fn the_quantiles_are_those_of_the_requests() {
    let (folder, simulator) = (TempDir::new().unwrap(), simulator(Config::default()));
    // One of fifty takes a third of a second, which only the last percentile may show.
    simulator
        .add_fault(Rule::new(Action::Latency { ms: 300 }).path("/v1/member/M49"))
        .unwrap();
    let items: Vec<String> = (0..50).map(|item| format!(r#"{{"cardNo":"M{item}"}}"#)).collect();
    expect(&mut run(&folder, &simulator, ["member", "getMember"], &items), 0);
    let summary = summary(&folder);
    let at = |name: &str| summary["latencyMs"][name].as_f64().unwrap();
    assert!(at("p99") >= 297.0 && at("max") >= 297.0, "{summary}");
    assert!(at("p50") < at("p99"), "{summary}");
}

#[test]
fn a_service_that_dies_and_comes_back_is_spoken_of_and_spared() {
    let (folder, simulator) = (TempDir::new().unwrap(), simulator(Config::default()));
    let down = Action::Status {
        code: 503,
        retry_after: None,
        body: None,
    };
    simulator
        .add_fault(Rule::new(down).path("/v1/member/").times(64))
        .unwrap();
    let items: Vec<String> = (0..64).map(|item| format!(r#"{{"cardNo":"M{item}"}}"#)).collect();
    let mut command = run(&folder, &simulator, ["member", "getMember"], &items);
    let output = expect(command.args(["--concurrency", "64", "--retries", "9"]), 0);
    let told = stderr(&output);
    let down = told
        .find("the service does not answer, nothing is sent until it may be back (")
        .unwrap_or_else(|| panic!("{told}"));
    let back = told
        .find("the service answers again")
        .unwrap_or_else(|| panic!("{told}"));
    assert!(down < back, "{told}");
    assert!(!told.contains("given up"), "{told}");
    // Sixty-four failures, and then none of the retries that would have followed while the breaker is open.
    assert_eq!(summary(&folder)["requests"], 64 + 64);
    assert_eq!(summary(&folder)["retries"], 64);
}
