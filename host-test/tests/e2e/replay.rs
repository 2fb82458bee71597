//! A replay prints what was recorded, and opens no socket.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{cases, expect, items, lines, run, stderr};

fn recording(case: &str) -> Value {
    serde_json::from_slice(&std::fs::read(cases().join(case)).unwrap()).unwrap()
}

fn case_items(recording: &Value) -> tempfile::NamedTempFile {
    let texts: Vec<String> = recording["log"]["_case"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    items(texts.iter().map(String::as_str))
}

/// `nodule run` on these items, replaying this recording.
fn replaying(group: &str, operation: &str, items: &tempfile::NamedTempFile, recording: &Path) -> Command {
    let mut command = run(group, operation);
    command
        .arg("--items")
        .arg(items.path())
        .arg("--replay")
        .arg(recording);
    command
}

#[test]
fn it_prints_the_recorded_result_of_each_item() {
    let recording = recording("points/adjustPoints.har");
    let file = case_items(&recording);
    let case = cases().join("points/adjustPoints.har");
    let output = expect(&mut replaying("points", "adjustPoints", &file, &case), 0);
    let expected: Vec<Value> = recording["log"]["_case"]["results"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(item, result)| json!({"item": item, "json": result["output"][0]}))
        .collect();
    assert_eq!(lines(&output), expected);
    assert!(
        !stderr(&output).contains("credential:"),
        "a replay needs none: {}",
        stderr(&output)
    );
}

/// The recording is changed to name this test's listener as the service. The same run without `--replay` connects to
/// it, so the test would notice a connection.
#[test]
fn it_opens_no_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let base = format!("http://{}/openapi-prod", listener.local_addr().unwrap());
    let recording = recording("points/adjustPoints.har");
    let recorded_base = recording["log"]["_case"]["baseUrl"].as_str().unwrap();
    let moved = items([recording.to_string().replace(recorded_base, &base).as_str()]);
    let file = case_items(&recording);
    let output = expect(&mut replaying("points", "adjustPoints", &file, moved.path()), 0);
    assert_eq!(lines(&output).len(), 3);
    let waiting = listener.accept();
    assert_eq!(
        waiting.unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock,
        "the replay connected"
    );

    let mut live = run("points", "adjustPoints");
    live.arg("--items")
        .arg(file.path())
        .env("NODULE_CREDENTIAL", crate::support::credential_for(&base));
    let mut child = live
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    listener.set_nonblocking(false).unwrap();
    let connected = listener.accept();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(connected.is_ok(), "without --replay it connects");
}

#[test]
fn a_request_that_was_not_recorded_is_denied_with_the_first_difference() {
    let file = items([
        r#"{"accountCode":"M17","operationId":"welcome-M17","pointValue":51,"pointDesc":"Welcome","effectiveEndTime":"2030-12-31"}"#,
    ]);
    let case = cases().join("points/adjustPoints.har");
    let output = expect(&mut replaying("points", "adjustPoints", &file, &case), 3);
    let error = &lines(&output)[0]["error"];
    assert_eq!(error["kind"], "denied");
    assert!(
        error["message"].as_str().unwrap().contains("/pointValue"),
        "{error}"
    );
    assert!(
        stderr(&output).contains("recorded and never sent"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn clock_and_random_numbers_are_those_of_the_recording() {
    let recording = recording("consumer/queryConsumer.har");
    let file = case_items(&recording);
    let case = cases().join("consumer/queryConsumer.har");
    for _ in 0..2 {
        let output = expect(&mut replaying("consumer", "queryConsumer", &file, &case), 0);
        assert_eq!(lines(&output).len(), 3);
    }
}
