//! A node whose service needs no log-in, through the command: it has no base URL, and goes where the operator lets it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::hostile;
use crate::server::{Server, ok};
use crate::support::{credential_for, expect, lines, nodule, stderr, stdout};

async fn service() -> Server {
    Server::start(|request| ok(format!("{} 绿茶", request.target()))).await
}

/// A command about the node.
fn command(name: &str, arguments: &[&str]) -> Command {
    let mut command = nodule();
    command.arg(name).arg(hostile("no_credential")).args(arguments);
    // Meant for another node.
    command.env(
        "NODULE_CREDENTIAL",
        credential_for("http://127.0.0.1:9/another-node"),
    );
    command
}

fn requests(requests: &Value) -> String {
    format!("requests:={requests}")
}

fn run(operation: &str, parameters: &[&str]) -> Command {
    let mut command = command("run", &["things", operation, "--progress", "off"]);
    for parameter in parameters {
        command.args(["--param", parameter]);
    }
    command
}

/// Each operation of the node, with what it is asked for.
fn runs(origin: &str) -> [(&'static str, Vec<String>); 3] {
    let at = |method: &str, path: &str| json!([{"method": method, "url": format!("{origin}{path}")}]);
    [
        ("read", vec![requests(&at("GET", "/a?b=1"))]),
        ("write", vec![requests(&at("POST", "/things"))]),
        ("one", vec!["id=7".to_owned(), requests(&at("GET", "/things/7"))]),
    ]
}

fn texts(parameters: &[String]) -> Vec<&str> {
    parameters.iter().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_where_the_operator_lets_it_and_carries_nothing() {
    let service = service().await;
    let origin = service.origin();
    for (operation, parameters) in runs(&origin) {
        let output = expect(&mut run(operation, &texts(&parameters)), 3);
        assert!(
            stderr(&output).contains(&format!("--allow {origin}")),
            "{}",
            stderr(&output)
        );
        assert!(service.take().is_empty());
        let output = expect(run(operation, &texts(&parameters)).args(["--allow", &origin]), 0);
        assert_eq!(lines(&output)[0]["json"]["status"], 200, "{}", stdout(&output));
        let [request] = &service.take()[..] else {
            panic!("expected one request");
        };
        assert!(request.header("authorization").is_empty(), "{}", request.head);
        assert!(!request.head.contains("demo"), "{}", request.head);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_runs_are_recorded_replayed_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("things")).unwrap();
    let file = |operation: &str| folder.path().join(format!("things/{operation}.har"));
    let service = service().await;
    let origin = service.origin();
    let mut recorded = Vec::new();
    for (operation, parameters) in runs(&origin) {
        let mut run = run(operation, &texts(&parameters));
        run.args(["--allow", &origin, "--record"]).arg(file(operation));
        recorded.push(stdout(&expect(&mut run, 0)));
    }
    let case: Value = serde_json::from_slice(&std::fs::read(file("read")).unwrap()).unwrap();
    assert!(case["log"]["_case"].get("credential").is_none(), "{case}");
    drop(service);
    for ((operation, parameters), recorded) in runs(&origin).into_iter().zip(recorded) {
        let mut run = run(operation, &texts(&parameters));
        // A replay opens no socket, and has the policy of a run all the same.
        run.args(["--allow", &origin, "--replay"]).arg(file(operation));
        assert_eq!(stdout(&expect(&mut run, 0)), recorded);
    }
    let check = |folder: &Path, code: i32| {
        let mut check = command("check", &[folder.to_str().unwrap()]);
        stdout(&expect(&mut check, code))
    };
    let checked = check(folder.path(), 0);
    assert!(checked.ends_with("3 passed, 0 failed\n"), "{checked}");
    // Another answer is found out.
    let text = std::fs::read_to_string(file("read")).unwrap();
    std::fs::write(file("read"), text.replacen("绿茶", "红茶", 1)).unwrap();
    let checked = check(folder.path(), 1);
    assert!(checked.contains("FAILED  things/read.har"), "{checked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_form_is_asked_recorded_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("asked.har");
    let service = service().await;
    let origin = service.origin();
    let filled_in = requests(&json!([{"url": format!("{origin}/a")}, {"url": format!("{origin}/b")}]));
    let ask = |arguments: &[&str]| {
        let mut ask = command("choices", &["things", "read", "thing", "--param", &filled_in]);
        ask.args(arguments);
        ask
    };
    expect(&mut ask(&[]), 3);
    assert!(service.take().is_empty());
    let mut live = ask(&["--allow", &origin, "--record"]);
    let live = expect(live.arg(&file), 0);
    let expected = [
        json!({"label": "/a 绿茶", "value": "/a 绿茶"}),
        json!({"label": "/b 绿茶", "value": "/b 绿茶"}),
    ];
    assert_eq!(lines(&live), expected);
    drop(service);
    let mut replayed = ask(&["--allow", &origin, "--replay"]);
    assert_eq!(lines(&expect(replayed.arg(&file), 0)), expected);
}

#[test]
fn commands_about_a_credential_say_that_it_takes_none() {
    let folder = tempfile::tempdir().unwrap();
    let credential = folder.path().join("credential.json");
    std::fs::write(&credential, credential_for("http://127.0.0.1:9/another-node")).unwrap();
    let credential = ["--credential", credential.to_str().unwrap()];
    for (name, arguments) in [
        ("check-credential", &[][..]),
        ("check-credential", &credential),
        ("login", &credential),
        ("run", &[&["things", "read"][..], &credential].concat()),
    ] {
        let output = expect(&mut command(name, arguments), 2);
        let said = stderr(&output);
        assert!(said.contains("`hostile` takes no"), "{name}: {said}");
        assert_eq!(stdout(&output), "", "{name}");
    }
}
