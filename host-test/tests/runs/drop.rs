//! A slow reader slows the requests, both of the library's result stream and of standard output. Dropping the stream
//! cancels what is in flight.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use futures_util::StreamExt as _;
use nodule::retry::Retry;
use nodule::{Component, Credential, Engine, EngineConfig, Notice, RunOptions, Runner};
use simulator::{Action, Config, Rule, Simulator};

use crate::support::{component, credential, items, run, simulator};

pub async fn runner(simulator: &Simulator) -> Runner {
    let engine = Engine::new(&EngineConfig::default()).unwrap();
    let component: Component = engine.load_file(&component()).await.unwrap();
    let credential = Credential::from_json(component.node(), &credential(simulator)).unwrap();
    component.runner().credential(credential).build().unwrap()
}

fn endless() -> impl futures_util::Stream<Item = Result<String, nodule::ItemError>> + Send + 'static {
    futures_util::stream::iter((0..).map(|item: u64| Ok(format!(r#"{{"cardNo":"M{}"}}"#, item % 1000))))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_reading_stops_the_requests_and_dropping_ends_the_run() {
    let simulator = simulator(Config::default());
    let runner = runner(&simulator).await;
    let options = RunOptions::default().concurrency(8).retry(Retry::default());
    let mut results = runner
        .run("member", "getMember", endless(), &options)
        .await
        .unwrap();
    for _ in 0..100 {
        assert!(results.next().await.unwrap().unwrap().result.is_ok());
    }
    // Endless items without a reader: the window and the hand-over bound how many are taken, however long it lasts.
    let most = 100 + 8 * 4 * 4 + 32 + 10;
    for _ in 0..50 {
        tokio::task::yield_now().await;
        assert!(
            simulator.stats().requests < most,
            "{}",
            simulator.stats().requests
        );
    }
    drop(results);
    // The same runner continues to work.
    let again = runner
        .execute(
            "member",
            "getMember",
            vec![serde_json::json!({"cardNo": "M1"})],
            &options,
        )
        .await
        .unwrap();
    assert!(again[0].is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_without_an_answer_holds_up_neither_the_calls_beside_its_own_nor_the_bound() {
    let simulator = simulator(Config::default());
    let silent = Rule::new(Action::Latency { ms: 600_000 }).path("/v1/member/M0");
    simulator.add_fault(silent).unwrap();
    let runner = runner(&simulator).await;
    let once = (0..).map(|item: u64| Ok(format!(r#"{{"cardNo":"M{item}"}}"#)));
    // More slots than one call has, on any machine.
    let concurrency = 128;
    let options = RunOptions::default().concurrency(concurrency);
    let results = runner
        .run("member", "getMember", futures_util::stream::iter(once), &options)
        .await
        .unwrap();
    // Results are returned in order, so all others wait for the first: up to eight per slot, and no more.
    let window = concurrency as u64 * 8;
    let all_asked = async {
        while simulator.stats().requests < window {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let asked = tokio::time::timeout(std::time::Duration::from_secs(60), all_asked).await;
    assert!(asked.is_ok(), "{} of {window}", simulator.stats().requests);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let logins = 1;
    assert!(
        simulator.stats().requests <= window + logins,
        "{} of {window}",
        simulator.stats().requests
    );
    drop(results);
}

#[tokio::test]
async fn the_notices_of_a_run_end_with_it() {
    let simulator = simulator(Config::default());
    let runner = runner(&simulator).await;
    let twice = r#"{"accountCode":"P1","operationId":"one","pointValue":1,"effectiveEndTime":"2030-12-31"}"#;
    let items = futures_util::stream::iter([Ok(twice.to_owned()), Ok(twice.to_owned())]);
    let mut results = runner
        .run("points", "adjustPoints", items, &RunOptions::default())
        .await
        .unwrap();
    let mut notices = results.notices().unwrap();
    assert!(results.notices().is_none(), "they are taken once");
    while results.next().await.is_some() {}
    let same_key = notices.recv().await;
    assert!(
        matches!(same_key, Some(Notice::SameKey { item: 1, .. })),
        "{same_key:?}"
    );
    let end = tokio::time::timeout(std::time::Duration::from_secs(10), notices.recv()).await;
    assert_eq!(end, Ok(None));
    results.finish().await.unwrap();
}

#[test]
fn a_reader_of_standard_output_that_stops_reading_stops_the_requests() {
    const ITEMS: u64 = 20_000;
    let simulator = simulator(Config::default());
    let file = items(std::iter::repeat_n(r#"{"cardNo":"M1"}"#, 20_000));
    let mut command = run("member", "getMember");
    command
        .arg("--items")
        .arg(file.path())
        .env("NODULE_CREDENTIAL", credential(&simulator))
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::with_capacity(512, child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    // The pipe (64 KiB), the command's buffer and the run's window together take only a fraction of the items.
    let (mut before, mut quiet) = (0, 0);
    while quiet < 2_000 {
        std::thread::yield_now();
        let requests = simulator.stats().requests;
        quiet = if requests == before { quiet + 1 } else { 0 };
        before = requests;
        assert!(requests < ITEMS / 4, "{requests} requests, and one line was read");
    }
    let rest = stdout.lines().count() as u64;
    assert_eq!(1 + rest, ITEMS);
    assert!(child.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_gives_what_was_under_way_and_ends() {
    let simulator = simulator(Config::default());
    let runner = runner(&simulator).await;
    let mut results = runner
        .run("member", "getMember", endless(), &RunOptions::default())
        .await
        .unwrap();
    let control = results.control();
    let mut count = 0_u64;
    while let Some(completed) = results.next().await {
        let result = completed.unwrap().result;
        assert!(result.is_ok(), "{result:?}");
        count += 1;
        if count == 50 {
            control.stop();
        }
    }
    let summary = results.finish().await.unwrap();
    assert_eq!(summary.items, count);
    assert_eq!(summary.ended, nodule::Ended::Stopped);
    assert_eq!(summary.requests, count);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_recorded_though_nobody_takes_the_results() {
    let (folder, simulator) = (tempfile::TempDir::new().unwrap(), simulator(Config::default()));
    let runner = runner(&simulator).await;
    let journal = folder.path().join("run.sqlite");
    let options = RunOptions::default().journal(nodule::journal::SqliteJournal::new(&journal));
    let stores = (0..).map(|item: u64| {
        Ok(format!(
            r#"{{"organizationCode":"S{item}","organizationName":"Store"}}"#
        ))
    });
    let results = runner
        .run(
            "masterdata",
            "saveStore",
            futures_util::stream::iter(stores),
            &options,
        )
        .await
        .unwrap();
    let reader = rusqlite::Connection::open(&journal).unwrap();
    let count = |state: &str| -> usize {
        let query = "SELECT count(*) FROM items WHERE state = ?1";
        let count: u32 = reader.query_row(query, [state], |row| row.get(0)).unwrap();
        count as usize
    };
    // The window is full and the outcome of every sent item is known: a crash now would leave nothing unknown.
    let at_rest = async {
        loop {
            let (done, started) = (count("done"), count("started"));
            if done > 100 && started == 0 && done == simulator.ledger().stores.len() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let came = tokio::time::timeout(std::time::Duration::from_secs(60), at_rest).await;
    assert!(came.is_ok(), "{} started", count("started"));
    drop(results);
}
