//! Journals that are not this run's, or cannot be written: refused, naming what differs, and nothing is lost.

use std::process::Command;

use serde_json::Value;
use simulator::{Action, Config, Rule, Simulator};
use tempfile::TempDir;

use crate::support::{component, credential, expect, lines, nodule, run, simulator, stderr};

struct Place {
    folder: TempDir,
    simulator: Simulator,
}

impl Place {
    fn new(items: usize) -> Self {
        let place = Self {
            folder: TempDir::new().unwrap(),
            simulator: simulator(Config::default()),
        };
        place.items((0..items).map(|item| format!(r#"{{"cardNo":"M{item}"}}"#)));
        place
    }

    fn items(&self, items: impl Iterator<Item = String>) {
        let text: String = items.map(|item| item + "\n").collect();
        std::fs::write(self.folder.path().join("items.jsonl"), text).unwrap();
    }

    fn on(&self, mut command: Command) -> Command {
        command
            .arg("--items")
            .arg(self.folder.path().join("items.jsonl"))
            .arg("--journal")
            .arg(self.folder.path().join("run.sqlite"))
            .env("NODULE_CREDENTIAL", credential(&self.simulator));
        command
    }

    fn get(&self) -> Command {
        self.on(run("member", "getMember"))
    }
}

#[test]
fn a_journal_of_another_run_is_refused_by_what_differs() {
    let place = Place::new(3);
    expect(&mut place.get(), 0);
    let requests = place.simulator.stats().requests;
    let refused = |mut command: Command, what: &str| {
        let output = expect(&mut command, 2);
        assert!(stderr(&output).contains(what), "{}", stderr(&output));
    };
    refused(
        place.on(run("points", "getPointsAccount")),
        "another operation: expected `member.getMember`",
    );
    let mut other = place.get();
    other.env(
        "NODULE_CREDENTIAL",
        credential(&place.simulator).replace("\"demo\"", "\"other\""),
    );
    refused(other, "another credential");
    let mut other = place.get();
    let base = place.simulator.base_url();
    let prefixed = format!("{base}/openapi-prod");
    other.env(
        "NODULE_CREDENTIAL",
        credential(&place.simulator).replace(&base, &prefixed),
    );
    refused(other, "another base URL");
    place.items(
        [
            "{\"cardNo\":\"M0\"}",
            "{\"cardNo\":\"M7\"}",
            "{\"cardNo\":\"M2\"}",
        ]
        .iter()
        .map(ToString::to_string),
    );
    refused(place.get(), "item 1 is not the one that was recorded");
    place.items(std::iter::once("{\"cardNo\":\"M0\"}".to_owned()));
    refused(place.get(), "it has 3 of them, and 1 were given");
    // A renewed secret is the same credential, and nothing was asked of the service but a session.
    assert_eq!(place.simulator.stats().requests, requests);
}

#[test]
fn a_repaired_component_is_accepted_when_that_is_said() {
    let place = Place::new(3);
    expect(&mut place.get(), 0);
    // A custom section at the end changes the digest and nothing else.
    let mut bytes = std::fs::read(component()).unwrap();
    bytes.extend([0, 5, 4, b'n', b'o', b't', b'e']);
    let repaired = place.folder.path().join("repaired.wasm");
    std::fs::write(&repaired, bytes).unwrap();
    let command = || {
        let mut command = nodule();
        command
            .arg("run")
            .arg(&repaired)
            .args(["member", "getMember", "--progress", "off"]);
        place.on(command)
    };
    let output = expect(&mut command(), 2);
    assert!(
        stderr(&output).contains("another component"),
        "{}",
        stderr(&output)
    );
    assert!(
        stderr(&output).contains("--accept-component"),
        "{}",
        stderr(&output)
    );
    assert_eq!(lines(&expect(command().arg("--accept-component"), 0)).len(), 3);
}

#[test]
fn failed_items_are_tried_again_and_done_ones_are_not() {
    let place = Place::new(20);
    let refusal = Action::EnvelopeError {
        code: "4711".to_owned(),
        message: "not now".to_owned(),
    };
    place
        .simulator
        .add_fault(Rule::new(refusal).path("/v1/member/").every(4))
        .unwrap();
    let first = lines(&expect(&mut place.get(), 1));
    let failed: Vec<&Value> = first.iter().filter(|line| line.get("error").is_some()).collect();
    assert_eq!(failed.len(), 5);
    place.simulator.clear_faults();
    let before = place.simulator.stats().requests;
    let second = lines(&expect(&mut place.get(), 0));
    assert_eq!(second.len(), 20);
    let token = 1;
    assert_eq!(place.simulator.stats().requests - before, 5 + token);
    for (one, two) in first.iter().zip(&second) {
        if one.get("json").is_some() {
            assert_eq!(one, two);
        }
    }
}

#[cfg(unix)]
#[test]
fn a_journal_that_cannot_grow_ends_the_run_and_keeps_what_was_recorded() {
    let place = Place::new(2_000);
    // Compiled before, so that the limit on the size of files meets nothing but the journal.
    expect(nodule().arg("describe").arg(component()), 0);
    let mut limited = Command::new("sh");
    let get = place.get();
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\""])
        .arg(get.get_program());
    limited.args(get.get_args());
    limited.env("NODULE_CREDENTIAL", credential(&place.simulator));
    let output = expect(&mut limited, 2);
    assert!(stderr(&output).contains("cannot grow"), "{}", stderr(&output));
    assert!(stderr(&output).contains("make room"), "{}", stderr(&output));
    let given = lines(&output);
    assert!(!given.is_empty() && given.len() < 2_000, "{}", given.len());
    assert!(given.iter().filter(|line| line.get("json").is_some()).count() > 0);

    let output = expect(&mut place.get(), 0);
    let lines = lines(&output);
    assert_eq!(lines.len(), 2_000);
    assert!(lines.iter().all(|line| line.get("json").is_some()));
}
