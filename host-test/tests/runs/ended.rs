//! A run that ends early does not look complete to who reads its results and asks its watch.

use futures_util::{Stream, StreamExt as _, stream};
use nodule::journal::JournalOptions;
use nodule::{Ended, Failure, RunOptions};
use simulator::Config;
use tempfile::TempDir;

use crate::drop::runner;
use crate::support::simulator;

fn members(count: usize) -> impl Stream<Item = Result<String, Failure>> + Send + 'static {
    stream::iter((0..count).map(|item| Ok(format!(r#"{{"cardNo":"M{item}"}}"#))))
}

#[tokio::test]
async fn a_run_says_running_until_it_is_complete() {
    let simulator = simulator(Config::default());
    let runner = runner(&simulator).await;
    let options = RunOptions::default();
    let mut results = runner.run("member", "getMember", members(3), &options).unwrap();
    let watch = results.watch();
    assert_eq!(watch.summary().ended, Ended::Running);
    while results.next().await.is_some() {}
    assert_eq!(watch.summary().ended, Ended::Complete);
    assert_eq!(results.finish().await.unwrap().ended, Ended::Complete);
}

#[tokio::test]
async fn a_stream_of_items_that_panics_leaves_a_broken_run() {
    let simulator = simulator(Config::default());
    let runner = runner(&simulator).await;
    let items = members(3).chain(stream::once(async { panic!("the engine's own mistake") }));
    let mut results = runner
        .run("member", "getMember", items, &RunOptions::default())
        .unwrap();
    let watch = results.watch();
    while results.next().await.is_some() {}
    assert_eq!(watch.summary().ended, Ended::Broken);
    assert_eq!(watch.summary().to_json()["ended"], "broken");
    let finished = tokio::spawn(results.finish()).await;
    assert!(finished.unwrap_err().is_panic(), "the panic is its caller's");
}

#[tokio::test]
async fn a_journal_of_other_items_leaves_a_broken_run() {
    let (folder, simulator) = (TempDir::new().unwrap(), simulator(Config::default()));
    let runner = runner(&simulator).await;
    let options = RunOptions::default().journal(JournalOptions::new(folder.path().join("run.sqlite")));
    let mut first = runner.run("member", "getMember", members(3), &options).unwrap();
    while first.next().await.is_some() {}
    assert_eq!(first.finish().await.unwrap().ended, Ended::Complete);
    let others = members(9).skip(6);
    let mut results = runner.run("member", "getMember", others, &options).unwrap();
    let watch = results.watch();
    assert!(results.next().await.is_none());
    assert_eq!(watch.summary().ended, Ended::Broken);
    let error = results.finish().await.unwrap_err().to_string();
    assert!(
        error.contains("item 0 is not the one that was recorded"),
        "{error}"
    );
}

#[tokio::test]
async fn a_run_whose_results_nobody_took_is_dropped() {
    let simulator = simulator(Config::default());
    let runner = runner(&simulator).await;
    let run = || runner.run("member", "getMember", members(500), &RunOptions::default());
    let mut results = run().unwrap();
    let watch = results.watch();
    results.next().await.unwrap().unwrap();
    drop(results);
    assert_eq!(watch.summary().ended, Ended::Dropped);
    // The same to who asks how it went instead.
    let mut results = run().unwrap();
    results.next().await.unwrap().unwrap();
    assert_eq!(results.finish().await.unwrap().ended, Ended::Dropped);
}
