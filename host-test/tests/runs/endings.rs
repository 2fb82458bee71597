//! A run whose results cannot be written: items in flight are stopped, their outcome is known, and the exit status says
//! why the run stopped.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use rusqlite::Connection;
use serde_json::Value;
use simulator::{Action, Config, Rule, Simulator};
use tempfile::TempDir;

use crate::support::{component, credential, nodule, run, simulator, stderr};
use crate::through;

const ITEMS: usize = 3_000;

struct Place {
    folder: TempDir,
    simulator: Simulator,
}

impl Place {
    fn new(config: Config) -> Self {
        let place = Self {
            folder: TempDir::new().unwrap(),
            simulator: simulator(config),
        };
        let items: String = (0..ITEMS)
            .map(|item| format!("{{\"organizationCode\":\"S{item}\",\"organizationName\":\"Store\"}}\n"))
            .collect();
        fs::write(place.folder.path().join("items.jsonl"), items).unwrap();
        place
    }

    /// Runs plain writes: somebody has to investigate each one whose outcome is unknown.
    fn save(&self, arguments: &[&str]) -> Command {
        let mut command = run("masterdata", "saveStore");
        command
            .current_dir(self.folder.path())
            .args([
                "--items",
                "items.jsonl",
                "--summary",
                "summary.json",
                "--retries",
                "0",
            ])
            .args(arguments)
            .env("NODULE_CREDENTIAL", credential(&self.simulator));
        command
    }

    fn summary(&self) -> Value {
        serde_json::from_slice(&fs::read(self.folder.path().join("summary.json")).unwrap()).unwrap()
    }

    /// How many items of the journal are in these states.
    fn states(&self, states: &str) -> usize {
        let journal = Connection::open(self.folder.path().join("run.sqlite")).unwrap();
        let query = format!("SELECT count(*) FROM items WHERE state IN ({states})");
        let count: u32 = journal.query_row(&query, [], |row| row.get(0)).unwrap();
        count as usize
    }

    /// Asserts that every outcome is known and that the journal agrees with the service.
    fn all_is_known(&self) {
        assert_eq!(self.states("'started', 'unknown'"), 0);
        assert_eq!(self.states("'done'"), self.simulator.ledger().stores.len());
    }
}

fn end(mut child: Child) -> (Option<i32>, String) {
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    (child.wait().unwrap().code(), told)
}

#[test]
fn a_reader_who_has_seen_enough_ends_the_run() {
    let place = Place::new(Config::default());
    let mut command = place.save(&["--journal", "run.sqlite", "--failed", "failed.jsonl"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with("{\"item\":0,"), "{line}");
    drop(stdout);
    let (code, told) = end(child);
    assert_eq!(code, Some(141), "{told}");
    assert!(told.contains("standard output was closed"), "{told}");
    assert!(told.contains("run the same command again"), "{told}");
    assert_eq!(place.summary()["ended"], "stopped");
    assert!(place.simulator.ledger().stores.len() < ITEMS);
    place.all_is_known();
    assert_eq!(fs::read(place.folder.path().join("failed.jsonl")).unwrap(), b"");
}

#[test]
fn a_recording_is_written_though_nobody_reads_the_results() {
    let place = Place::new(Config::default());
    let mut command = place.save(&["--record", "run.har"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let (code, told) = end(child);
    assert_eq!(code, Some(141), "{told}");
    let har: Value = serde_json::from_slice(&fs::read(place.folder.path().join("run.har")).unwrap()).unwrap();
    let entries = har["log"]["entries"].as_array().unwrap().len();
    let token = 1;
    assert_eq!(entries, place.simulator.ledger().stores.len() + token);
}

#[test]
fn a_full_disk_ends_the_run_and_is_told_apart() {
    for arguments in [&["--output", "/dev/full"][..], &[]] {
        let place = Place::new(Config::default());
        let mut command = place.save(&[&["--journal", "run.sqlite"], arguments].concat());
        if arguments.is_empty() {
            command.stdout(fs::File::options().write(true).open("/dev/full").unwrap());
        }
        let output = command.output().unwrap();
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(4), "{told}");
        assert!(
            told.contains("error:") && told.contains("No space left"),
            "{told}"
        );
        assert_eq!(place.summary()["ended"], "stopped");
        place.all_is_known();
    }
    // The other causes, each of them.
    let place = Place::new(Config::default());
    let mut command = place.save(&["--output", "/dev/full", "--record", "/dev/full"]);
    let output = command.output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert_eq!(
        told.matches("error: /dev/full: No space left").count(),
        2,
        "{told}"
    );
    // The files that are written last.
    for flag in ["--summary", "--record"] {
        let place = Place::new(Config::default());
        fs::write(
            place.folder.path().join("items.jsonl"),
            "{\"organizationCode\":\"S\",\"organizationName\":\"S\"}\n",
        )
        .unwrap();
        let mut command = run("masterdata", "saveStore");
        command
            .current_dir(place.folder.path())
            .args(["--items", "items.jsonl", flag, "/dev/full"])
            .env("NODULE_CREDENTIAL", credential(&place.simulator));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{flag}: {}", stderr(&output));
        assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 1);
    }
}

#[test]
fn a_limit_of_the_shell_is_a_full_disk() {
    let place = Place::new(Config::default());
    let name = "x".repeat(8_000);
    let items: String = (0..ITEMS)
        .map(|item| format!("{{\"organizationCode\":\"S{item}\",\"organizationName\":\"{name}\"}}\n"))
        .collect();
    fs::write(place.folder.path().join("items.jsonl"), items).unwrap();
    let refusal = Action::EnvelopeError {
        code: "4711".to_owned(),
        message: "no".to_owned(),
    };
    place
        .simulator
        .add_fault(Rule::new(refusal).path("/v1/masterdata/"))
        .unwrap();
    let inner = place.save(&["--failed", "failed.jsonl"]);
    // A limit in blocks of 512 bytes: the node's memory fits, and the file of failed items does not.
    let mut command = through("sh", &["-c", "ulimit -f 16000; exec \"$@\"", "sh"], &inner);
    let output = command.output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains("failed.jsonl: File too large"), "{told}");
    assert!(
        told.contains("what was written is in") && told.contains(".part"),
        "{told}"
    );
    assert_eq!(place.summary()["ended"], "stopped");
}

#[test]
fn a_signal_ends_a_run_whose_results_nobody_takes() {
    let place = Place::new(Config::default());
    let mut command = place.save(&["--journal", "run.sqlite", "--grace", "200ms"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The pipe fills, then nothing moves: the run waits for its reader.
    let mut before = 0;
    while before == 0 || before != place.simulator.ledger().stores.len() {
        before = place.simulator.ledger().stores.len();
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    let kill = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let stdout = child.stdout.take();
    let (code, told) = end(child);
    drop(stdout);
    assert_eq!(code, Some(143), "{told}");
    place.all_is_known();
}

#[test]
fn each_signal_has_a_status_of_its_own() {
    for (signal, expected) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let place = Place::new(Config::default());
        let silent = Rule::new(Action::Latency { ms: 600_000 }).path("/v1/masterdata/");
        place.simulator.add_fault(silent).unwrap();
        let inner = place.save(&["--grace", "0s"]);
        // Resets signals that the test's own parent (`nohup`) ignores.
        let mut command = through("env", &["--default-signal=HUP"], &inner);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let token = 1;
        while place.simulator.stats().requests <= token {
            assert!(child.try_wait().unwrap().is_none());
            std::thread::yield_now();
        }
        let kill = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        let (code, told) = end(child);
        assert_eq!(code, Some(expected), "{signal}: {told}");
        assert_eq!(place.summary()["ended"], "stopped");
    }
}

/// Every message is JSON, and none has the text of an item or a service.
#[test]
fn with_a_json_log_every_line_is_json() {
    let place = Place::new(Config::default());
    fs::write(
        place.folder.path().join("items.jsonl"),
        "{\"cardNo\":\"M-SECRET-1\"}\n{\"cardNo\":\"M-SECRET-2\"}\nno json\n",
    )
    .unwrap();
    let complaint = Action::Status {
        code: 503,
        retry_after: None,
        body: Some("\u{1b}[2J error: forged M-SECRET-1".to_owned()),
    };
    place
        .simulator
        .add_fault(Rule::new(complaint).path("/v1/member/"))
        .unwrap();
    let failing = |arguments: &[&str]| {
        let mut command = nodule();
        command
            .arg("run")
            .arg(component())
            .args(["member", "getMember"])
            .current_dir(place.folder.path())
            .args(["--log", "json", "--item-time", "1s", "--retries", "20"])
            .args(arguments)
            .env("NODULE_CREDENTIAL", credential(&place.simulator));
        command
    };
    for (arguments, code, levels) in [
        (
            &["--items", "items.jsonl", "--failed", "failed.jsonl"][..],
            1,
            &["INFO"][..],
        ),
        (&["--items", "none.jsonl"], 2, &["ERROR"]),
        (&["--items", "items.jsonl", "--nothing"], 2, &["ERROR"]),
        (
            &["--items", "items.jsonl", "--failed", "items.jsonl"],
            2,
            &["ERROR", "INFO"],
        ),
        (
            &["--items", "items.jsonl", "--output", "/dev/full"],
            4,
            &["ERROR"],
        ),
    ] {
        let output = failing(arguments).output().unwrap();
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(!told.contains("M-SECRET") && !told.contains("forged"), "{told}");
        let events: Vec<Value> = told
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{arguments:?}: {line}")))
            .collect();
        for level in levels {
            assert!(
                events.iter().any(|event| event["level"] == *level),
                "{arguments:?}: {told}"
            );
        }
        for event in &events {
            assert!(
                event["fields"]["message"].is_string() && event["target"].is_string(),
                "{event}"
            );
        }
        if code == 1 {
            let summary = events
                .iter()
                .find(|event| event["fields"]["message"] == "summary")
                .unwrap();
            assert_eq!(summary["fields"]["run"]["items"], 3);
        }
    }
}

/// Every command reports that its output could not be written.
#[test]
fn other_commands_tell_a_full_disk_too() {
    let place = Place::new(Config::default());
    let cases = crate::support::cases();
    let component = component();
    let (component, cases) = (component.to_str().unwrap(), cases.to_str().unwrap());
    for arguments in [
        &["describe", component][..],
        &["describe", component, "--format", "json"],
        &["check", component, cases],
        &["check-credential", component],
        &[
            "run",
            component,
            "member",
            "getMember",
            "--param",
            "cardNo=M1",
            "--dry-run",
        ],
    ] {
        let mut command = nodule();
        command
            .args(arguments)
            .env("NODULE_CREDENTIAL", credential(&place.simulator))
            .stdout(fs::File::options().write(true).open("/dev/full").unwrap());
        let output = command.output().unwrap();
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {told}");
        assert!(
            told.contains("standard output: No space left"),
            "{arguments:?}: {told}"
        );
    }
}
