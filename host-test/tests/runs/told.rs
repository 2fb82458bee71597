//! What a node says by `nodule_sdk::log!` and by its panics, through the command.

use std::process::Command;

use serde_json::{Value, json};

use crate::hostile;
use crate::support::{expect, lines, nodule, stderr};

fn says(task: &Value) -> Command {
    let mut command = nodule();
    command
        .arg("run")
        .arg(hostile("says"))
        .args(["things", "read", "--log", "json"]);
    command.args(["--progress", "off", "--param", &format!("task:={task}")]);
    let credential = json!({"baseUrl": "http://127.0.0.1:9", "secret": "s3cr3t-value-0123456789"});
    command.env("NODULE_CREDENTIAL", credential.to_string());
    command
}

/// What the node said, as `stream` and `text` of the events.
fn said(output: &std::process::Output) -> Vec<(String, String)> {
    let events = stderr(output)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .collect::<Vec<_>>();
    let of_node = events.iter().filter(|event| event["target"] == "nodule::node");
    let field = |event: &Value, name: &str| event["fields"][name].as_str().unwrap().to_owned();
    of_node
        .map(|event| (field(event, "stream"), field(event, "text")))
        .collect()
}

#[test]
fn a_log_is_an_event_with_file_and_line() {
    let output = expect(&mut says(&json!({"log": "3 rows\nleft"})), 0);
    let said = said(&output);
    let [(log, first), (_, second)] = &*said else {
        panic!("two lines: {said:?}")
    };
    assert_eq!((&**log, &**second), ("log", "left"));
    let line = first
        .strip_prefix("examples/says.rs:")
        .and_then(|rest| rest.strip_suffix(": 3 rows"));
    assert!(line.is_some_and(|line| line.parse::<u32>().is_ok()), "{first}");
}

#[test]
fn a_panic_is_an_event_and_in_the_failure_of_its_item() {
    let output = expect(&mut says(&json!({"panic": "index 7, and three rows"})), 1);
    let said = said(&output);
    assert_eq!(said[0].0, "panic");
    assert!(said[0].1.ends_with(": index 7, and three rows"), "{said:?}");
    let failure = lines(&output).remove(0)["error"].take();
    assert_eq!(failure["kind"], "trap");
    let message = failure["message"].as_str().unwrap();
    assert!(
        message.contains("; it panicked at examples/says.rs:"),
        "{message}"
    );
    assert!(message.ends_with(": index 7, and three rows"), "{message}");
}
