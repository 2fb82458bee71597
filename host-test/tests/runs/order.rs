//! The order in which results are returned: the items', or as they finish, each with its item's index.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{FutureExt as _, StreamExt as _, stream};
use nodule::journal::SqliteJournal;
use nodule::{Failure, ItemResult, OnFailure, ResultOrder, Results, RunOptions, Runner};
use rusqlite::Connection;
use simulator::{Action, Config, Rule, Simulator};
use tempfile::TempDir;

use crate::drop::runner;
use crate::support::simulator;

/// The most items per slot, from the first one without a returned result on.
const WINDOW: usize = 8;

async fn get(runner: &Runner, items: usize, options: &RunOptions) -> Results {
    let items = stream::iter((0..items).map(|item| Ok(format!(r#"{{"cardNo":"M{item}"}}"#))));
    runner.run("member", "getMember", items, options).await.unwrap()
}

fn as_they_come() -> RunOptions {
    RunOptions::default().order(ResultOrder::Completion)
}

/// The next result, within a time that every machine meets.
async fn next(results: &mut Results) -> Option<(usize, ItemResult)> {
    let time = std::time::Duration::from_secs(60);
    let next = tokio::time::timeout(time, results.next()).await.unwrap()?;
    let completed = next.unwrap();
    Some((completed.index, completed.result))
}

async fn all(results: &mut Results) -> Vec<(usize, ItemResult)> {
    let mut all = Vec::new();
    while let Some(result) = next(results).await {
        all.push(result);
    }
    all
}

/// Requests below this path never get a response.
fn silence(simulator: &Simulator, path: &str) {
    let silent = Rule::new(Action::Latency { ms: 600_000 }).path(path);
    simulator.add_fault(silent).unwrap();
}

fn refuse(simulator: &Simulator, path: &str) {
    let refusal = Action::EnvelopeError {
        code: "4711".to_owned(),
        message: "not now".to_owned(),
    };
    simulator.add_fault(Rule::new(refusal).path(path)).unwrap();
}

fn is_of(item: usize, result: &ItemResult) -> bool {
    let output = result.as_ref().unwrap();
    let member: serde_json::Value = serde_json::from_str(output[0].get()).unwrap();
    member["data"]["cardNo"] == format!("M{item}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_without_an_answer_holds_back_no_later_result_and_bounds_them() {
    let simulator = simulator(Config::default());
    silence(&simulator, "/v1/member/M0");
    let runner = runner(&simulator).await;
    let concurrency = 16;
    let mut results = get(&runner, 1_000, &as_they_come().concurrency(concurrency)).await;
    let mut given = BTreeSet::new();
    while given.len() < WINDOW * concurrency - 1 {
        let (item, result) = next(&mut results).await.unwrap();
        assert!(is_of(item, &result), "{item}: {result:?}");
        assert!(given.insert(item), "{item} twice");
    }
    assert_eq!(given, (1..WINDOW * concurrency).collect());
    assert!(results.next().now_or_never().is_none());
    let logins = 1;
    assert_eq!(simulator.stats().requests, (WINDOW * concurrency + logins) as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_result_has_the_index_of_its_item_in_both_orders() {
    let simulator = simulator(Config::default());
    let slow = Rule::new(Action::Latency { ms: 40 })
        .path("/v1/member/M")
        .every(7);
    simulator.add_fault(slow).unwrap();
    let runner = runner(&simulator).await;
    for order in [ResultOrder::Items, ResultOrder::Completion] {
        let mut results = get(&runner, 300, &RunOptions::default().order(order)).await;
        let results = all(&mut results).await;
        assert!(results.iter().all(|(item, result)| is_of(*item, result)));
        let mut indices: Vec<usize> = results.iter().map(|(item, _)| *item).collect();
        if order == ResultOrder::Completion {
            assert!(!indices.is_sorted(), "as they come");
            indices.sort_unstable();
        }
        assert_eq!(indices, (0..300).collect::<Vec<_>>(), "{order:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_bounded_whatever_the_number_of_items() {
    let simulator = simulator(Config::default());
    let runner = runner(&simulator).await;
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let items = stream::iter((0..10_000).map(move |item| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(format!(r#"{{"cardNo":"M{}"}}"#, item % 100))
    }));
    let concurrency = 16;
    let options = as_they_come().concurrency(concurrency);
    let mut results = runner.run("member", "getMember", items, &options).await.unwrap();
    let mut given = 0;
    // On top of the window: one piece of 32 in hand-over, one waiting, and one being read here.
    let most = WINDOW * concurrency + 3 * 32;
    while let Some((_, result)) = next(&mut results).await {
        result.unwrap();
        given += 1;
        let held = taken.load(Ordering::Relaxed) - given;
        assert!(held <= most, "{held} after {given}");
    }
    assert_eq!(given, 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_results_wait_for_one_round_of_requests() {
    let simulator = simulator(Config::default());
    silence(&simulator, "/v1/member/S");
    let runner = runner(&simulator).await;
    let concurrency = 8;
    for order in [ResultOrder::Items, ResultOrder::Completion] {
        // As many items as slots get a response, and none after them.
        let items = (0..100).map(move |item| {
            let name = if item < concurrency { "M" } else { "S" };
            Ok(format!(r#"{{"cardNo":"{name}{item}"}}"#))
        });
        let options = RunOptions::default().concurrency(concurrency).order(order);
        let mut results = runner
            .run("member", "getMember", stream::iter(items), &options)
            .await
            .unwrap();
        let mut given = Vec::new();
        for _ in 0..concurrency {
            given.push(next(&mut results).await.unwrap().0);
        }
        given.sort_unstable();
        assert_eq!(given, (0..concurrency).collect::<Vec<_>>(), "{order:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_is_given_is_in_the_journal_and_a_resumption_gives_it_again() {
    let (folder, simulator) = (TempDir::new().unwrap(), simulator(Config::default()));
    silence(&simulator, "/v1/member/M0");
    let runner = runner(&simulator).await;
    let path = folder.path().join("run.sqlite");
    let options = as_they_come().journal(SqliteJournal::new(&path));
    let mut results = get(&runner, 200, &options).await;
    let journal = Connection::open(&path).unwrap();
    for _ in 0..100 {
        let (item, result) = next(&mut results).await.unwrap();
        assert!(is_of(item, &result), "{item}");
        let sql = "SELECT state FROM items WHERE item = ?1";
        let state: String = journal.query_row(sql, [item as i64], |row| row.get(0)).unwrap();
        assert_eq!(state, "done", "{item}");
    }
    drop(journal);
    let control = results.control();
    control.abandon();
    let rest = all(&mut results).await;
    let interrupted = |(item, result): &(usize, ItemResult)| {
        *item == 0 && matches!(result, Err(Failure::Other { kind, .. }) if kind == "interrupted")
    };
    assert!(rest.iter().any(interrupted), "{rest:?}");
    results.finish().await.unwrap();
    simulator.clear_faults();
    let mut results = get(&runner, 200, &options).await;
    let mut again = all(&mut results).await;
    assert!(results.finish().await.unwrap().again >= 100);
    again.sort_by_key(|(item, _)| *item);
    assert_eq!(again.len(), 200);
    assert!(
        (0..)
            .zip(&again)
            .all(|(item, (index, result))| item == *index && is_of(item, result))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_starts_behind_an_item_that_failed_where_that_was_asked_for() {
    let simulator = simulator(Config::default());
    refuse(&simulator, "/v1/member/M30");
    let runner = runner(&simulator).await;
    let options = as_they_come().on_failure(OnFailure::Stop);
    let mut results = all(&mut get(&runner, 100, &options).await).await;
    results.sort_by_key(|(item, _)| *item);
    assert_eq!(results.len(), 100);
    for (item, (index, result)) in results.iter().enumerate() {
        assert_eq!(item, *index);
        match result {
            // The items of its call may have started before the failure.
            Ok(_) => assert!(is_of(item, result) && item < 30 + 4 * 16, "{item}"),
            Err(Failure::NotRun) => assert!(item > 30, "{item}"),
            Err(failure) => assert!(item == 30, "{item}: {failure}"),
        }
    }
    let is_run = |(_, result): &&(usize, ItemResult)| !matches!(result, Err(Failure::NotRun));
    let (run, logins) = (results.iter().filter(is_run).count(), 1);
    assert_eq!(simulator.stats().requests, (run + logins) as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_gives_all_results_up_to_the_last_that_started() {
    let simulator = simulator(Config::default());
    let runner = runner(&simulator).await;
    let mut results = get(&runner, 5_000, &as_they_come()).await;
    let control = results.control();
    let mut given = BTreeSet::new();
    while let Some((item, result)) = next(&mut results).await {
        assert!(is_of(item, &result));
        assert!(given.insert(item));
        if given.len() == 50 {
            control.stop();
        }
    }
    assert!((50..5_000).contains(&given.len()), "{}", given.len());
    assert_eq!(given, (0..given.len()).collect());
    assert_eq!(results.finish().await.unwrap().ended, nodule::Ended::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_items_has_a_list_of_results_in_its_order() {
    let simulator = simulator(Config::default());
    let slow = Rule::new(Action::Latency { ms: 40 })
        .path("/v1/member/M")
        .every(3);
    simulator.add_fault(slow).unwrap();
    let runner = runner(&simulator).await;
    let items = (0..30).map(|item| serde_json::json!({"cardNo": format!("M{item}")}));
    let results = runner
        .execute("member", "getMember", items.collect(), &as_they_come())
        .await
        .unwrap();
    assert!(
        results
            .iter()
            .enumerate()
            .all(|(item, result)| is_of(item, result))
    );
}
