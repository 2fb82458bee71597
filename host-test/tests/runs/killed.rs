//! Runs that are killed again and again, against a service that fails in every way, and resume from their journal.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use simulator::{Action, Config, Rule, Simulator};
use tempfile::TempDir;

use crate::support::{credential, expect, lines, run, simulator, stderr};

/// Random numbers that are the same in every run of the test.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// Resets before, during and after requests, refusals and slow responses: about one request in eight fails.
fn trouble(simulator: &Simulator, path: &str) {
    let status = |code, retry_after: Option<&str>| Action::Status {
        code,
        retry_after: retry_after.map(str::to_owned),
        body: None,
    };
    let rules = [
        Rule::new(Action::Latency { ms: 5 }).path(path).probability(0.2),
        Rule::new(Action::ResetBeforeActing).path(path).probability(0.02),
        Rule::new(Action::ResetAfterActing).path(path).probability(0.02),
        Rule::new(Action::ResetMidAnswer).path(path).probability(0.02),
        Rule::new(Action::CloseMidAnswer).path(path).probability(0.01),
        Rule::new(status(429, Some("0"))).path(path).probability(0.02),
        Rule::new(status(500, None)).path(path).probability(0.02),
        Rule::new(status(500, None))
            .path(path)
            .act(true)
            .probability(0.02),
        Rule::new(Action::ResetBeforeReading).probability(0.02),
    ];
    for rule in rules {
        simulator.add_fault(rule).unwrap();
    }
}

struct Story {
    folder: TempDir,
    simulator: Simulator,
}

impl Story {
    fn new(path: &str, items: impl Iterator<Item = String>) -> Self {
        let folder = TempDir::new().unwrap();
        let text: String = items.map(|item| item + "\n").collect();
        std::fs::write(folder.path().join("items.jsonl"), text).unwrap();
        let simulator = simulator(Config::default());
        trouble(&simulator, path);
        Self { folder, simulator }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, operation: [&str; 2], concurrency: &str) -> Command {
        let mut command = run(operation[0], operation[1]);
        command
            .arg("--items")
            .arg(self.file("items.jsonl"))
            .arg("--journal")
            .arg(self.file("run.sqlite"))
            .args(["--concurrency", concurrency, "--retries", "30"])
            .env("NODULE_CREDENTIAL", credential(&self.simulator));
        command
    }

    /// Starts the command, lets it print this many results, kills it, and returns the complete results.
    fn kill_after(&self, command: &mut Command, results: u64) -> Vec<Value> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut printed = Vec::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while (printed.len() as u64) < results && stdout.read_line(&mut line).unwrap() > 0 {
            printed.push(serde_json::from_str(&line).unwrap());
            line.clear();
        }
        // On Unix this is SIGKILL, which the process cannot handle.
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had already printed; its last line may be incomplete.
        while stdout.read_line(&mut line).unwrap() > 0 {
            if let (true, Ok(value)) = (line.ends_with('\n'), serde_json::from_str(&line)) {
                printed.push(value);
            }
            line.clear();
        }
        printed
    }
}

fn number(line: &Value) -> u64 {
    line["item"].as_u64().unwrap()
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

#[test]
fn five_thousand_adjustments_are_made_exactly_once_through_twenty_kills() {
    const ITEMS: u64 = 5_000;
    const MEMBERS: u64 = 50;
    const KILLS: u64 = 20;
    let story = Story::new(
        "/v1/points/",
        (0..ITEMS).map(|item| {
            let member = item % MEMBERS;
            format!(
                r#"{{"accountCode":"M{member}","operationId":"op-{item}","pointValue":{},"effectiveEndTime":"2030-12-31"}}"#,
                item % 7 + 1
            )
        }),
    );
    let adjust = ["points", "adjustPoints"];
    let mut dice = Dice(0x5eed);
    let mut before = 0;
    for kill in 0..KILLS {
        // Every finished result is printed again, so each run has to get further than the last one.
        let share = (ITEMS - before) / (KILLS - kill + 1);
        let printed = story.kill_after(
            &mut story.command(adjust, "64"),
            before + 1 + dice.roll(share.max(1) * 2),
        );
        for (position, line) in printed.iter().enumerate() {
            assert_eq!(number(line), position as u64, "kill {kill}");
            assert!(line.get("json").is_some(), "kill {kill}: {line}");
        }
        assert!(printed.len() as u64 >= before, "kill {kill}: results were lost");
        before = printed.len() as u64;
    }
    assert!(size(&story.file("run.sqlite")) > 0);
    let output = expect(&mut story.command(adjust, "64"), 0);
    let items: Vec<u64> = lines(&output).iter().map(number).collect();
    assert_eq!(items, (0..ITEMS).collect::<Vec<_>>(), "{}", stderr(&output));

    let ledger = story.simulator.ledger();
    assert_eq!(ledger.operations.len() as u64, ITEMS);
    assert!(ledger.operations.values().all(|count| count.applied == 1));
    assert!(
        ledger.operations.values().any(|count| count.received > 1),
        "nothing was ever tried again"
    );
    for member in 0..MEMBERS {
        let sum: u64 = (0..ITEMS)
            .filter(|item| item % MEMBERS == member)
            .map(|item| item % 7 + 1)
            .sum();
        assert_eq!(
            story.simulator.balance(&format!("M{member}")),
            Some((1000 + sum).to_string()),
            "M{member}"
        );
    }
    let fired = story.simulator.faults();
    assert!(fired.iter().all(|rule| rule.fired > 0), "{fired:?}");
}

#[test]
fn a_plain_write_is_never_done_twice_and_what_is_unknown_was_under_way() {
    // Several times as many as are taken while one of them waits for a retry: a kill has to find some in flight.
    const ITEMS: u64 = 5_000;
    const KILLS: u64 = 8;
    const CONCURRENCY: u64 = 16;
    let story = Story::new(
        "/v1/masterdata/",
        (0..ITEMS)
            .map(|item| format!(r#"{{"organizationCode":"S{item}","organizationName":"Store {item}"}}"#)),
    );
    let save = ["masterdata", "saveStore"];
    let mut dice = Dice(0xd1ce);
    let mut done = BTreeSet::new();
    let mut before = 0;
    for kill in 0..KILLS {
        let share = (ITEMS - before) / (KILLS - kill + 1);
        let printed = story.kill_after(
            &mut story.command(save, "16"),
            before + 1 + dice.roll(share.max(1) * 2),
        );
        before = printed.len() as u64;
        done.extend(
            printed
                .iter()
                .filter(|line| line.get("json").is_some())
                .map(number),
        );
    }
    let output = expect(&mut story.command(save, "16"), 1);
    let results: BTreeMap<u64, Value> = lines(&output)
        .into_iter()
        .map(|line| (number(&line), line))
        .collect();
    assert_eq!(results.len() as u64, ITEMS);

    let ledger = story.simulator.ledger();
    let mut cut_off = 0;
    let mut broken = 0;
    for (item, line) in &results {
        let count = ledger
            .stores
            .get(&format!("S{item}"))
            .copied()
            .unwrap_or_default();
        assert!(count <= 1, "item {item} was done {count} times");
        let error = &line["error"];
        if line.get("json").is_some() {
            assert_eq!(count, 1, "{line}");
            continue;
        }
        assert!(
            !done.contains(item),
            "item {item} was done, and is unknown now: {line}"
        );
        if error["kind"] == "unknown" && error.get("detail").is_none() {
            cut_off += 1;
        } else {
            assert!(
                error["kind"] == "unknown" || error["certainty"] == "unknown",
                "{line}"
            );
            broken += 1;
        }
    }
    // The items that a kill cut off were in flight, so there are at most that many.
    assert!(
        cut_off <= KILLS * CONCURRENCY,
        "{cut_off} items were cut off by {KILLS} kills"
    );
    assert!(
        cut_off > 0 && broken > 0,
        "{cut_off} cut off, {broken} broken: nothing was tested"
    );
    // Each of the others met a fault that leaves its outcome unknown; `open` counts all such faults.
    let open: u64 = story
        .simulator
        .faults()
        .iter()
        .filter(|state| {
            !matches!(
                state.rule.action,
                Action::Latency { .. } | Action::Status { code: 429, .. }
            )
        })
        .map(|state| state.fired)
        .sum();
    assert!(broken <= open, "{broken} broken by {open} faults");
    assert!(
        stderr(&output).contains("nobody knows whether they were done"),
        "{}",
        stderr(&output)
    );

    // With `--unknown skip`, nothing is sent any more.
    let requests = story.simulator.stats().requests;
    let skipped = expect(story.command(save, "16").args(["--unknown", "skip"]), 0);
    assert_eq!(lines(&skipped).len() as u64, ITEMS - cut_off - broken);
    assert_eq!(story.simulator.stats().requests, requests);
}
