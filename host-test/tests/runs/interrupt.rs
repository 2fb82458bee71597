//! Ctrl-C: items in flight are stopped, what is known is written, and the same command resumes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use serde_json::Value;
use simulator::{Action, Config, Rule, Simulator};
use tempfile::TempDir;

use crate::support::{credential, expect, items, lines, run, simulator, stderr};

/// A running command with its three streams.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdout: BufReader::new(child.stdout.take().unwrap()),
            stderr: BufReader::new(child.stderr.take().unwrap()),
            child,
        }
    }

    /// Waits until something happens that cannot happen after the command exits.
    fn until(&mut self, mut happened: impl FnMut() -> bool) {
        while !happened() {
            let status = self.child.try_wait().unwrap();
            assert!(status.is_none(), "it ended: {status:?}");
            std::thread::yield_now();
        }
    }

    fn interrupt(&self) {
        let status = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// The next result.
    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Standard error up to a line with this text.
    fn told(&mut self, text: &str) -> String {
        let mut told = String::new();
        while !told.contains(text) {
            assert!(self.stderr.read_line(&mut told).unwrap() > 0, "{told}");
        }
        told
    }

    /// Exit status, remaining results and remaining messages.
    fn end(mut self) -> (Option<i32>, Vec<Value>, String) {
        let (mut rest, mut told) = (String::new(), String::new());
        self.stdout.read_to_string(&mut rest).unwrap();
        self.stderr.read_to_string(&mut told).unwrap();
        let rest = rest
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (self.child.wait().unwrap().code(), rest, told)
    }
}

/// A service that never responds below this path.
fn silent(path: &str) -> Simulator {
    let simulator = simulator(Config::default());
    simulator
        .add_fault(Rule::new(Action::Latency { ms: 600_000 }).path(path).act(true))
        .unwrap();
    simulator
}

#[test]
fn an_interrupted_run_says_how_to_go_on_and_goes_on() {
    let simulator = simulator(Config::default());
    let folder = TempDir::new().unwrap();
    let journal = folder.path().join("run.sqlite");
    let texts: Vec<String> = (0..40).map(|item| format!(r#"{{"cardNo":"M{item}"}}"#)).collect();
    let mut command = run("member", "getMember");
    command
        .args(["--items", "-", "--journal"])
        .arg(&journal)
        .env("NODULE_CREDENTIAL", credential(&simulator))
        .stdin(Stdio::piped());
    let mut running = Running::start(&mut command);
    let mut stdin = running.child.stdin.take().unwrap();
    for text in &texts[..10] {
        writeln!(stdin, "{text}").unwrap();
    }
    stdin.flush().unwrap();
    // The items never finish, so only the interruption stops the run.
    for item in 0..10 {
        let line = running.line();
        assert_eq!(line["item"], item);
        assert!(line.get("json").is_some(), "{line}");
    }
    running.interrupt();
    let (code, rest, told) = running.end();
    assert_eq!(code, Some(130), "{told}");
    assert!(rest.is_empty(), "{rest:?}");
    assert!(told.contains("interrupted after 10 items"), "{told}");
    assert!(told.contains("run the same command again"), "{told}");
    drop(stdin);

    let file = items(texts.iter().map(String::as_str));
    let mut command = run("member", "getMember");
    command
        .arg("--items")
        .arg(file.path())
        .arg("--journal")
        .arg(&journal)
        .env("NODULE_CREDENTIAL", credential(&simulator));
    let before = simulator.stats().requests;
    let output = expect(&mut command, 0);
    assert_eq!(lines(&output).len(), 40);
    let token = 1;
    assert_eq!(simulator.stats().requests - before, 30 + token);
}

#[test]
fn an_item_that_never_ends_is_given_up_after_the_grace_time() {
    let simulator = silent("/v1/member/M1");
    let file = items([r#"{"cardNo":"M0"}"#, r#"{"cardNo":"M1"}"#, r#"{"cardNo":"M2"}"#]);
    let folder = TempDir::new().unwrap();
    let (failed, summary) = (folder.path().join("failed"), folder.path().join("summary"));
    let mut command = run("member", "getMember");
    command
        .arg("--items")
        .arg(file.path())
        .arg("--failed")
        .arg(&failed)
        .arg("--summary")
        .arg(&summary)
        .args(["--grace", "100ms"])
        .env("NODULE_CREDENTIAL", credential(&simulator));
    let mut running = Running::start(&mut command);
    let token = 1;
    running.until(|| simulator.stats().requests == token + 3);
    running.interrupt();
    let (code, results, told) = running.end();
    assert_eq!(code, Some(130), "{told}");
    // Every item has a result, in order; an interrupted read may be run again.
    assert_eq!(results.len(), 3, "{results:?}");
    assert_eq!(results[1]["item"], 1);
    assert_eq!(results[1]["error"]["kind"], "interrupted");
    assert!(results[1]["error"].get("certainty").is_none(), "{}", results[1]);
    assert!(
        std::fs::read_to_string(failed)
            .unwrap()
            .contains(r#"{"cardNo":"M1"}"#),
        "{told}"
    );
    assert!(told.contains("interrupted: waiting up to 0.1 s"), "{told}");
    assert!(told.contains("`--journal FILE`"), "{told}");
    let summary: Value = serde_json::from_slice(&std::fs::read(summary).unwrap()).unwrap();
    assert_eq!(summary["ended"], "stopped");
}

#[test]
fn a_plain_write_that_was_given_up_is_unknown_and_not_sent_again() {
    let simulator = silent("/v1/masterdata/");
    let file = items([r#"{"organizationCode":"S1","organizationName":"One"}"#]);
    let folder = TempDir::new().unwrap();
    let command = || {
        let mut command = run("masterdata", "saveStore");
        command
            .arg("--items")
            .arg(file.path())
            .arg("--journal")
            .arg(folder.path().join("run.sqlite"))
            .args(["--grace", "0s"])
            .env("NODULE_CREDENTIAL", credential(&simulator));
        command
    };
    let mut running = Running::start(&mut command());
    running.until(|| !simulator.ledger().stores.is_empty());
    running.interrupt();
    let (code, results, told) = running.end();
    assert_eq!(code, Some(130), "{told}");
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["error"]["kind"], "interrupted");
    assert_eq!(results[0]["error"]["certainty"], "unknown");
    assert!(told.contains("nobody knows whether it was done"), "{told}");

    simulator.clear_faults();
    let output = expect(&mut command(), 1);
    assert_eq!(
        lines(&output)[0]["error"]["kind"],
        "unknown",
        "{}",
        stderr(&output)
    );
    assert_eq!(simulator.ledger().stores["S1"], 1);
}

#[test]
fn a_second_interruption_ends_it_at_once() {
    let simulator = silent("/v1/member/");
    let mut command = run("member", "getMember");
    command
        .args(["--param", "cardNo=M1", "--grace", "1h"])
        .env("NODULE_CREDENTIAL", credential(&simulator));
    let mut running = Running::start(&mut command);
    let token = 1;
    running.until(|| simulator.stats().requests == token + 1);
    running.interrupt();
    running.told("again to end at once");
    running.interrupt();
    let (code, results, told) = running.end();
    assert_eq!(code, Some(130), "{told}");
    assert!(results.is_empty(), "{results:?}");
}
