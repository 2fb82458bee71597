//! A run that stops early does not look complete, neither in its results nor in its watch.

use futures_util::{Stream, StreamExt as _, stream};
use nodule::journal::SqliteJournal;
use nodule::{Ended, Error, Failure, ItemError, RunOptions};
use simulator::Config;
use tempfile::TempDir;

use crate::drop::runner;
use crate::support::simulator;

fn members(count: usize) -> impl Stream<Item = Result<String, ItemError>> + Send + 'static {
    stream::iter((0..count).map(|item| Ok(format!(r#"{{"cardNo":"M{item}"}}"#))))
}

#[tokio::test]
async fn a_run_says_running_until_it_is_complete() {
    let simulator = simulator(Config::default());
    let runner = runner(&simulator).await;
    let options = RunOptions::default();
    let mut results = runner
        .run("member", "getMember", members(3), &options)
        .await
        .unwrap();
    let watch = results.watch();
    assert_eq!(watch.summary().ended, Ended::Running);
    while let Some(completed) = results.next().await {
        completed.unwrap();
    }
    assert_eq!(watch.summary().ended, Ended::Complete);
    assert_eq!(results.finish().await.unwrap().ended, Ended::Complete);
}

/// Asserts that the results of a run stop with an error, and returns it.
async fn broken(
    runner: &nodule::Runner,
    items: impl Stream<Item = Result<String, ItemError>> + Send + 'static,
    options: &RunOptions,
) -> (usize, Error) {
    let mut results = runner.run("member", "getMember", items, options).await.unwrap();
    let watch = results.watch();
    let mut done = 0;
    let error = loop {
        match results.next().await.expect("an error before the end") {
            Ok(completed) => {
                assert!(completed.result.is_ok(), "{completed:?}");
                assert_eq!(completed.index, done);
                done += 1;
            }
            Err(error) => break error,
        }
    };
    assert!(results.next().await.is_none(), "it is said once, and last");
    assert_eq!(watch.summary().ended, Ended::Broken);
    assert_eq!(watch.summary().to_json()["ended"], "broken");
    assert_eq!(results.finish().await.unwrap().ended, Ended::Broken);
    (done, error)
}

#[tokio::test]
async fn a_source_of_items_that_panics_ends_the_results_with_an_error() {
    let simulator = simulator(Config::default());
    let runner = runner(&simulator).await;
    let items = members(30).chain(stream::once(async { panic!("the engine's own mistake") }));
    let (done, error) = broken(&runner, items, &RunOptions::default()).await;
    assert_eq!(done, 30, "what came before it is run");
    assert!(matches!(error, Error::Items { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the source of items failed: it panicked: the engine's own mistake"
    );
}

#[tokio::test]
async fn a_source_of_items_that_fails_ends_the_results_with_an_error() {
    let simulator = simulator(Config::default());
    let runner = runner(&simulator).await;
    let failed = Err(ItemError::Source("the queue is gone".into()));
    let items = members(30).chain(stream::once(async { failed }));
    let (done, error) = broken(&runner, items, &RunOptions::default()).await;
    assert_eq!(done, 30);
    assert_eq!(error.to_string(), "the source of items failed: the queue is gone");
}

#[tokio::test]
async fn an_item_that_cannot_be_read_is_a_failed_item_and_no_more() {
    let simulator = simulator(Config::default());
    let runner = runner(&simulator).await;
    let unread = Failure::InvalidInput("half a line".to_owned());
    let items = stream::once(async { Err(unread.into()) }).chain(members(1));
    let options = RunOptions::default();
    let mut results = runner.run("member", "getMember", items, &options).await.unwrap();
    let first = results.next().await.unwrap().unwrap();
    assert!(matches!(first.result, Err(Failure::InvalidInput(_))), "{first:?}");
    assert!(results.next().await.unwrap().unwrap().result.is_ok());
    assert_eq!(results.finish().await.unwrap().ended, Ended::Complete);
}

#[tokio::test]
async fn a_journal_of_other_items_ends_the_results_with_an_error() {
    let (folder, simulator) = (TempDir::new().unwrap(), simulator(Config::default()));
    let runner = runner(&simulator).await;
    let options = RunOptions::default().journal(SqliteJournal::new(folder.path().join("run.sqlite")));
    let mut first = runner
        .run("member", "getMember", members(3), &options)
        .await
        .unwrap();
    while let Some(completed) = first.next().await {
        completed.unwrap();
    }
    assert_eq!(first.finish().await.unwrap().ended, Ended::Complete);
    let (done, error) = broken(&runner, members(9).skip(6), &options).await;
    assert_eq!(done, 0);
    assert!(
        error
            .to_string()
            .contains("item 0 is not the one that was recorded"),
        "{error}"
    );
    let (done, error) = broken(&runner, members(2), &options).await;
    assert_eq!(done, 2, "they are the recorded ones");
    assert!(
        error.to_string().contains("it has 3 of them, and 2 were given"),
        "{error}"
    );
}

#[tokio::test]
async fn a_list_of_items_that_breaks_loses_no_result() {
    let (folder, simulator) = (TempDir::new().unwrap(), simulator(Config::default()));
    let runner = runner(&simulator).await;
    let options = RunOptions::default().journal(SqliteJournal::new(folder.path().join("run.sqlite")));
    let items = |count: usize| -> Vec<serde_json::Value> {
        (0..count)
            .map(|item| serde_json::json!({"cardNo": format!("M{item}")}))
            .collect()
    };
    let execute = |count| runner.execute("member", "getMember", items(count), &options);
    assert_eq!(execute(3).await.unwrap().len(), 3);
    let error = execute(2).await.unwrap_err();
    let Error::Broken { results, source } = error else {
        panic!("{error:?}")
    };
    assert!(matches!(*source, Error::Journal(_)), "{source:?}");
    assert_eq!(
        results.iter().map(|(index, _)| *index).collect::<Vec<_>>(),
        [0, 1]
    );
    assert!(results.iter().all(|(_, result)| result.is_ok()));
}

#[tokio::test]
async fn a_run_whose_results_nobody_took_is_dropped() {
    let simulator = simulator(Config::default());
    let runner = runner(&simulator).await;
    let options = RunOptions::default();
    let run = || runner.run("member", "getMember", members(500), &options);
    let mut results = run().await.unwrap();
    let watch = results.watch();
    results.next().await.unwrap().unwrap();
    drop(results);
    assert_eq!(watch.summary().ended, Ended::Dropped);
    // The same for a caller that reads the summary instead.
    let mut results = run().await.unwrap();
    results.next().await.unwrap().unwrap();
    assert_eq!(results.finish().await.unwrap().ended, Ended::Dropped);
}
