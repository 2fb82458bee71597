//! Rows that are given while their item goes on: in order, once, across failures, kills and slow readers.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use futures_util::{StreamExt as _, stream};
use nodule::retry::Retry;
use nodule::{Component, Credential, Engine, EngineConfig, Part, ResultOrder, RunOptions, Runner};
use serde_json::{Value, json};
use simulator::{Action, Config, Rule, Simulator};

use crate::drop::runner;
use crate::support::{component, credential, expect, items, lines, run, simulator};

const RECORDS: &str = "/v1/points/pointsRecords/";

/// Lists the records of an account, which has as many as its name says.
fn all_of(account: &str) -> String {
    json!({"accountCode": account, "returnAll": true, "limit": 10_000_000}).to_string()
}

fn command(simulator: &Simulator, file: &tempfile::NamedTempFile) -> Command {
    let mut command = run("points", "getPointsRecords");
    command
        .arg("--items")
        .arg(file.path())
        .env("NODULE_CREDENTIAL", credential(simulator));
    command
}

/// The number of a record in its account.
fn number(line: &Value) -> u64 {
    let name = line["json"]["operationId"].as_str().unwrap();
    name.rsplit_once("-R").unwrap().1.parse().unwrap()
}

/// Asserts that these are the lines of one item: each record once, in order, and the end.
fn complete(lines: &[Value], item: u64, count: u64) {
    let (end, rows) = lines.split_last().unwrap();
    assert_eq!(*end, json!({"item": item, "end": {"rows": count}}));
    assert_eq!(rows.len() as u64, count);
    for (expected, line) in (0..).zip(rows) {
        assert_eq!((line["item"].as_u64(), number(line)), (Some(item), expected));
    }
}

#[test]
fn items_of_many_pages_are_printed_row_by_row_in_their_order() {
    let simulator = simulator(Config::default());
    let counts = [2_050, 300, 50, 0, 700, 101];
    let texts = counts.map(|count| all_of(&format!("F{count}")));
    let file = items(texts.iter().map(String::as_str));
    let folder = tempfile::tempdir().unwrap();
    let summary = folder.path().join("summary.json");
    let output = expect(
        command(&simulator, &file)
            .args(["--concurrency", "4", "--summary"])
            .arg(&summary),
        0,
    );
    let lines = lines(&output);
    let of = |item: u64| lines.iter().filter(move |line| line["item"] == item).cloned();
    for (item, count) in (0..).zip(counts) {
        let lines: Vec<Value> = of(item).collect();
        // What has no rows has gone on for no page.
        if count == 0 {
            assert!(lines.is_empty(), "{lines:?}");
        } else {
            complete(&lines, item, count);
        }
    }
    let summary: Value = serde_json::from_slice(&std::fs::read(&summary).unwrap()).unwrap();
    assert_eq!(summary["rows"], counts.iter().sum::<u64>());
    let order: Vec<u64> = lines.iter().map(|line| line["item"].as_u64().unwrap()).collect();
    assert!(order.is_sorted());
}

#[test]
fn a_limit_ends_an_item_and_no_further_page_is_asked_for() {
    let simulator = simulator(Config::default());
    for (limit, pages, end) in [
        ("250", 3, json!({"rows": 250, "complete": false})),
        ("300", 3, json!({"rows": 300, "complete": false})),
        ("100", 1, json!({"rows": 100, "complete": false})),
        // Fewer rows than the limit: all there are.
        ("5000", 11, json!({"rows": 1_000})),
    ] {
        let file = items([all_of("F1000").as_str()]);
        let before = simulator.stats().requests;
        let output = expect(command(&simulator, &file).args(["--limit", limit]), 0);
        let lines = lines(&output);
        let (last, rows) = lines.split_last().unwrap();
        assert_eq!(*last, json!({"item": 0, "end": end}), "{limit}");
        assert_eq!(rows.len() as u64, end["rows"].as_u64().unwrap());
        let token = 1;
        assert_eq!(simulator.stats().requests - before, pages + token, "{limit}");
    }
    // Where the rows come with the result, they are cut too.
    let file = items([r#"{"accountCode":"F60","pageSize":50}"#, all_of("F60").as_str()]);
    let lines = lines(&expect(command(&simulator, &file).args(["--limit", "10"]), 0));
    let of = |item: u64| lines.iter().filter(|line| line["item"] == item).count();
    assert_eq!((of(0), of(1)), (1, 11), "{lines:?}");
    assert_eq!(
        lines.last().unwrap()["end"],
        json!({"rows": 10, "complete": false})
    );
}

#[test]
fn a_listing_that_fails_now_and_then_goes_on_behind_what_was_given() {
    let simulator = simulator(Config::default());
    for rule in [
        Rule::new(Action::ResetMidAnswer).path(RECORDS).after(3).every(7),
        Rule::new(Action::ResetBeforeActing)
            .path(RECORDS)
            .after(5)
            .every(11),
    ] {
        simulator.add_fault(rule).unwrap();
    }
    let file = items([all_of("F5000").as_str()]);
    // What was given is not lost, so each failure has all its tries.
    let output = expect(command(&simulator, &file).args(["--retries", "2"]), 0);
    complete(&lines(&output), 0, 5_000);
    assert!(simulator.stats().faults > 10);
    // An item that fails for good says so behind its rows.
    simulator.clear_faults();
    let refusal = Action::EnvelopeError {
        code: "4711".to_owned(),
        message: "no more".to_owned(),
    };
    simulator
        .add_fault(Rule::new(refusal).path(RECORDS).after(4))
        .unwrap();
    let lines = lines(&expect(&mut command(&simulator, &file), 1));
    let (last, rows) = lines.split_last().unwrap();
    assert_eq!((rows.len(), &last["error"]["kind"]), (400, &json!("rejected")));
}

#[test]
fn a_run_that_was_killed_goes_on_at_its_page_and_every_row_is_there_once() {
    let simulator = simulator(Config::default());
    let folder = tempfile::tempdir().unwrap();
    let texts = [all_of("F3000"), all_of("F150"), all_of("F2000")];
    let file = items(texts.iter().map(String::as_str));
    let journaled = || {
        let mut command = command(&simulator, &file);
        command.arg("--journal").arg(folder.path().join("run.sqlite"));
        command
    };
    let mut printed = 0;
    for kill_after in [1, 450, 1_234, 3_100] {
        let mut child = journaled()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        for _ in 0..kill_after {
            line.clear();
            assert!(stdout.read_line(&mut line).unwrap() > 0);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        printed = kill_after;
    }
    let before = simulator.stats().requests;
    let lines = lines(&expect(&mut journaled(), 0));
    let of = |item: u64| -> Vec<Value> {
        let lines = lines.iter().filter(|line| line["item"] == item);
        lines.cloned().collect()
    };
    for (item, count) in [(0, 3_000), (1, 150), (2, 2_000)] {
        complete(&of(item), item, count);
    }
    // The pages that were given are not asked for again.
    let pages = 31 + 2 + 21;
    let token = 1;
    let asked = simulator.stats().requests - before - token;
    assert!(asked <= pages - printed / 100, "{asked} of {pages} pages");
    // A run that is over gives everything again, and asks for nothing.
    let before = simulator.stats().requests;
    assert_eq!(crate::support::lines(&expect(&mut journaled(), 0)), lines);
    assert_eq!(simulator.stats().requests, before);
    // With another limit it would be another run.
    let output = expect(journaled().args(["--limit", "7"]), 2);
    let said = crate::support::stderr(&output);
    assert!(said.contains("another limit of rows"), "{said}");
}

#[test]
fn a_listing_outlives_its_sessions() {
    let simulator = simulator(Config::default());
    let refused = Action::Status {
        code: 401,
        retry_after: None,
        body: None,
    };
    // Each session is refused after a few pages.
    simulator
        .add_fault(Rule::new(refused).path(RECORDS).after(3).every(4))
        .unwrap();
    let file = items([all_of("F2000").as_str()]);
    complete(&lines(&expect(&mut command(&simulator, &file), 0)), 0, 2_000);
    assert!(simulator.stats().faults >= 3);
}

fn streaming() -> RunOptions {
    RunOptions::default().stream_rows(true).retry(Retry::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_rows_come_after_the_first_page_and_a_reader_that_stops_stops_the_pages() {
    let simulator = simulator(Config::default());
    // The second page never comes.
    let silent = Rule::new(Action::Latency { ms: 600_000 }).path(RECORDS).after(1);
    simulator.add_fault(silent).unwrap();
    let runner = runner(&simulator).await;
    let begin = async |account: &str| {
        let items = stream::iter([Ok(all_of(account))]);
        let options = streaming();
        let run = runner.run("points", "getPointsRecords", items, &options);
        run.await.unwrap()
    };
    let first = begin("F500").await.next().await.unwrap().unwrap();
    assert_eq!((first.part, first.result.unwrap().len()), (Part::Rows, 100));
    simulator.clear_faults();
    let before = simulator.stats().requests;
    let mut results = begin("F100000").await;
    assert_eq!(results.next().await.unwrap().unwrap().part, Part::Rows);
    // What waits is a page that was asked for, one that was given and one behind it.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let asked = simulator.stats().requests - before;
    assert!(asked <= 6, "{asked} pages for a reader of one");
    let mut rows = 100;
    while let Some(completed) = results.next().await {
        let completed = completed.unwrap();
        rows += completed.result.unwrap().len() as u64;
        if let Part::End {
            rows: all,
            is_complete,
        } = completed.part
        {
            assert_eq!((all, is_complete), (100_000, true));
        }
    }
    assert_eq!(rows, 100_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_from_many_items_at_once_in_order_of_completion() {
    let simulator = simulator(Config::default());
    let runner = runner(&simulator).await;
    let items = stream::iter((0..8).map(|item| Ok(all_of(&format!("F{}", 250 + item)))));
    let options = streaming().order(ResultOrder::Completion);
    let mut results = runner
        .run("points", "getPointsRecords", items, &options)
        .await
        .unwrap();
    let mut rows = [0; 8];
    while let Some(completed) = results.next().await {
        let completed = completed.unwrap();
        rows[completed.index] += completed.result.unwrap().len() as u64;
    }
    assert_eq!(rows, [250, 251, 252, 253, 254, 255, 256, 257]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_stream_rows_gets_them_with_the_result() {
    let simulator = simulator(Config::default());
    let by_turns = runner(&simulator).await;
    let through_wasi: Runner = {
        let engine = Engine::new(&EngineConfig::default().turns(false)).unwrap();
        let component: Component = engine.load_file(&component()).await.unwrap();
        let credential = Credential::from_json(component.node(), &credential(&simulator)).unwrap();
        component.runner().credential(credential).build().unwrap()
    };
    let item = || serde_json::from_str::<Value>(&all_of("F350")).unwrap();
    let mut seen = Vec::new();
    for (runner, options) in [
        (&by_turns, RunOptions::default()),
        (&through_wasi, RunOptions::default()),
        // A node that does not run by turns gives nothing before its end.
        (&through_wasi, streaming()),
    ] {
        let run = runner.execute("points", "getPointsRecords", vec![item(), item()], &options);
        let results = run.await.unwrap();
        let texts = |result: &nodule::ItemResult| -> Vec<String> {
            let rows = result.as_ref().unwrap();
            rows.iter().map(|row| row.get().to_owned()).collect()
        };
        seen.extend(results.iter().map(texts));
    }
    assert!(seen.iter().all(|rows| rows.len() == 350 && *rows == seen[0]));
}
