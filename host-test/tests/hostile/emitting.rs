//! Rows that an item gives while it goes on: row 153.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use nodule::{Completed, ItemResult, Part, RunOptions};
use serde_json::{Value, json};

use crate::bench::{Bench, Setup};
use crate::guests::EMITS;
use crate::heap::{in_use, resident};
use crate::server::{Server, ok, within};

/// What a run of these items gives.
async fn given(setup: &Setup, items: Vec<Value>, options: &RunOptions) -> Vec<Completed> {
    let items = stream::iter(items.into_iter().map(|item| Ok(item.to_string())));
    let runner = setup.runner();
    let results = runner.run("things", "read", items, options).await.unwrap();
    within("the rows", results.map(Result::unwrap).collect()).await
}

fn texts(result: &ItemResult) -> Vec<&str> {
    result.as_ref().unwrap().iter().map(|json| json.get()).collect()
}

pub async fn rows(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let url = format!("{}/api/things", server.origin());
    let setup = Setup::new(bench, EMITS, format!("{}/api", server.origin())).await;
    let setup = setup.limits("run-timeout-ms = 500\noutput-bytes = 1048576");
    let item = |emits: &str, turns: u64| json!({"emits": emits, "url": url, "turns": turns});
    let streaming = RunOptions::default().stream_rows(true);
    // Whatever a node does, its item fails, and the one behind it is given all its rows.
    let before = in_use();
    let most = Arc::new(AtomicUsize::new(0));
    let watch = tokio::spawn({
        let most = Arc::clone(&most);
        async move {
            loop {
                most.fetch_max(in_use(), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    for (emits, turns, kind, words) in [
        (
            "of another item",
            3,
            "trap",
            "rows of an item that its call does not have",
        ),
        ("no JSON", 3, "bad-output", "not JSON"),
        ("a long cursor", 3, "trap", "a cursor of more than 65536 bytes"),
        ("much without a cursor", 1_000, "limit", "`output-bytes`"),
        // Parts without rows are silence.
        ("nothing", u64::MAX, "limit", "`run-timeout-ms`"),
    ] {
        let given = given(&setup, vec![item(emits, turns), item("rows", 2)], &streaming).await;
        let [failed, first, second, last] = given.as_slice() else {
            panic!("{emits}: {given:?}");
        };
        let failure = failed.result.as_ref().unwrap_err();
        assert_eq!(failure.kind(), kind, "{emits}: {failure}");
        assert!(failure.to_string().contains(words), "{emits}: {failure}");
        assert_eq!(
            (first.index, first.part, second.part),
            (1, Part::Rows, Part::Rows),
            "{emits}"
        );
        assert!(
            matches!(
                last.part,
                Part::End {
                    rows: 3,
                    is_complete: true
                }
            ),
            "{emits}: {last:?}"
        );
    }
    watch.abort();
    let grown = most.load(Ordering::Relaxed).saturating_sub(before);
    assert!(
        grown < 32 << 20,
        "{} MB of cursors and rows that nobody waits for",
        grown >> 20
    );
    // Rows without a cursor belong to the result, which is one.
    let given_without = given(&setup, vec![item("without a cursor", 2)], &streaming).await;
    let [whole] = given_without.as_slice() else {
        panic!("{given_without:?}");
    };
    assert_eq!(whole.part, Part::Whole);
    assert_eq!(
        texts(&whole.result),
        [r#"{"row":1}"#, r#"{"row":2}"#, r#""last""#]
    );
    // Of what changes something, and where nobody reads rows one by one, every row belongs to the result.
    let runner = setup.runner();
    for (operation, options) in [("write", &streaming), ("read", &RunOptions::default())] {
        let run = runner.execute("things", operation, vec![item("rows", 2)], options);
        let results = within(operation, run).await.unwrap();
        assert_eq!(texts(&results[0]).len(), 3, "{operation}: {results:?}");
    }
    // Without an end: a reader may take as many as it likes, for longer than a call may be silent. Memory stays flat, and
    // when the reader has gone, so has the call.
    let before = resident();
    let endless = stream::iter([Ok(item("rows", u64::MAX).to_string())]);
    let mut results = runner.run("things", "read", endless, &streaming).await.unwrap();
    for taken in 0..5_000 {
        if taken % 1_000 == 0 {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let completed = results.next().await.unwrap().unwrap();
        assert_eq!(completed.part, Part::Rows, "{taken}");
        assert_eq!(
            texts(&completed.result),
            [json!({"row": taken + 1}).to_string()],
            "none is left out"
        );
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 50 << 20, "{} MB of rows that were read", grown >> 20);
    drop(results);
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.take();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(server.take().is_empty(), "nothing is asked for any more");
}
