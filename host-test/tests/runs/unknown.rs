//! Plain writes with an unknown outcome: the user decides about them.

use std::process::Command;

use rusqlite::Connection;
use serde_json::Value;
use simulator::{Action, Config, Rule, Simulator};
use tempfile::TempDir;

use crate::support::{credential, expect, lines, run, simulator, stderr};

struct Story {
    folder: TempDir,
    simulator: Simulator,
}

impl Story {
    /// Adds three stores; the response to the second is lost.
    fn new() -> Self {
        let story = Self {
            folder: TempDir::new().unwrap(),
            simulator: simulator(Config::default()),
        };
        let items = ["S0", "S1", "S2"]
            .map(|code| format!(r#"{{"organizationCode":"{code}","organizationName":"Store"}}"#));
        std::fs::write(story.folder.path().join("items.jsonl"), items.join("\n")).unwrap();
        let lost = Rule::new(Action::ResetAfterActing).path("/v1/masterdata/");
        story.simulator.add_fault(lost.after(1).times(1)).unwrap();
        let output = expect(story.save().args(["--concurrency", "1"]), 1);
        let results = lines(&output);
        assert_eq!(results[1]["error"]["kind"], "unavailable");
        assert_eq!(results[1]["error"]["certainty"], "unknown");
        assert_eq!(story.state(), "unknown");
        story
    }

    fn save(&self) -> Command {
        let mut command = run("masterdata", "saveStore");
        command
            .arg("--items")
            .arg(self.folder.path().join("items.jsonl"))
            .arg("--journal")
            .arg(self.folder.path().join("run.sqlite"))
            .env("NODULE_CREDENTIAL", credential(&self.simulator));
        command
    }

    /// The journal's state of the second item.
    fn state(&self) -> String {
        Connection::open(self.folder.path().join("run.sqlite"))
            .unwrap()
            .query_row("SELECT state FROM items WHERE item = 1", [], |row| row.get(0))
            .unwrap()
    }

    fn requests(&self) -> u64 {
        self.simulator.stats().requests
    }

    fn times(&self) -> Vec<u32> {
        self.simulator.ledger().stores.into_values().collect()
    }
}

#[test]
fn without_a_word_it_fails_and_is_not_sent() {
    let story = Story::new();
    let before = story.requests();
    for _ in 0..2 {
        let failed = story.folder.path().join("failed.jsonl");
        let output = expect(story.save().arg("--failed").arg(&failed), 1);
        let results = lines(&output);
        assert_eq!(results.len(), 3);
        let error = &results[1]["error"];
        assert_eq!(error["kind"], "unknown");
        // The original failure is kept, however often the run is repeated.
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .starts_with("perhaps done by an earlier run: "),
            "{error}"
        );
        assert_eq!(error["detail"]["kind"], "unavailable", "{error}");
        assert!(
            stderr(&output).contains("item 1: nobody knows whether it was done"),
            "{}",
            stderr(&output)
        );
        // Such an item is not offered for another run.
        assert_eq!(std::fs::read_to_string(failed).unwrap(), "");
    }
    assert_eq!((story.requests(), story.times()), (before, vec![1, 1, 1]));
    assert_eq!(story.state(), "unknown");
}

#[test]
fn skipped_it_is_left_out() {
    let story = Story::new();
    let before = story.requests();
    let summary = story.folder.path().join("summary.json");
    let output = expect(
        story
            .save()
            .args(["--unknown", "skip", "--summary"])
            .arg(&summary),
        0,
    );
    let items: Vec<Value> = lines(&output)
        .into_iter()
        .map(|line| line["item"].clone())
        .collect();
    assert_eq!(items, [0, 2]);
    let summary: Value = serde_json::from_slice(&std::fs::read(summary).unwrap()).unwrap();
    assert_eq!(
        (&summary["skipped"], &summary["again"], &summary["done"]),
        (&1.into(), &2.into(), &3.into())
    );
    assert_eq!((story.requests(), story.times()), (before, vec![1, 1, 1]));
    // It is still unknown in a later run.
    assert_eq!(story.state(), "unknown");
}

#[test]
fn retried_it_is_done_again_and_known_from_then_on() {
    let story = Story::new();
    let before = story.requests();
    let output = expect(story.save().args(["--unknown", "retry"]), 0);
    assert_eq!(lines(&output).len(), 3);
    let token = 1;
    // Doing it twice was the accepted risk.
    assert_eq!(
        (story.requests() - before, story.times()),
        (1 + token, vec![1, 2, 1])
    );
    assert_eq!(story.state(), "done");
    expect(&mut story.save(), 0);
    assert_eq!(story.times(), [1, 2, 1]);
}
