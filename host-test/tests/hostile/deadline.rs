//! A call stops at its deadline whatever the guest does, and leaves others their share of the threads: rows 64 and 65.

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, stream};
use nodule::{Failure, ItemResult, RunOptions};
use serde_json::{Value, json};

use crate::bench::{Bench, Setup, file, output};
use crate::guests::{CALLS, LOOPS};
use crate::server::{Server, ok, within};

/// How many loops run at once: a crowd for two threads, and the rows finish soon.
const AT_ONCE: usize = 8;

/// The loops of the guest that run by turns.
const TURNS: [&str; 4] = ["denied", "many denied", "answered", "many answered"];

/// Every function that a node may call, in a loop: started, completed, dropped or denied; in `execute`, in
/// `authenticate`, during description, and by turns.
pub async fn every_loop(bench: &'static Bench) {
    // Every denied request logs an event, hundreds of thousands in total.
    let _quiet = bench.log.quiet();
    let server = Server::start(|_| ok(b"{}")).await;
    let base = format!("{}/api", server.origin());
    let url = format!("{base}/things");
    let listed = Setup::new(bench, LOOPS, &base)
        .await
        .run(vec![json!({"list": true})])
        .await;
    let rounds: Vec<String> = output(&listed[0])
        .into_iter()
        .filter_map(|name| name.as_str().map(ToOwned::to_owned))
        .collect();
    assert!(rounds.len() > 30, "{rounds:?}");

    let executing = rounds
        .iter()
        .map(|what| (String::new(), json!({"what": what, "url": url})));
    let turns = TURNS.iter().filter(|_| bench.turns);
    let by_turns = turns.map(|turns| (String::new(), json!({"turns": turns, "url": url})));
    let authenticating = rounds.iter().map(|what| (what.clone(), json!({})));
    let calls: Vec<_> = executing
        .chain(by_turns)
        .chain(authenticating)
        .map(|(mode, item)| ends(bench, base.clone(), mode, item).boxed())
        .collect();
    let mut wrong: Vec<_> = stream::iter(calls).buffer_unordered(AT_ONCE).collect().await;

    let bytes = std::fs::read(file(LOOPS)).unwrap();
    let describing: Vec<_> = rounds
        .into_iter()
        .map(|what| ends_describing(bench, saying(&bytes, &what), what).boxed())
        .collect();
    wrong.extend(
        stream::iter(describing)
            .buffer_unordered(2 * AT_ONCE)
            .collect::<Vec<_>>()
            .await,
    );
    let wrong: Vec<_> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The guest's file with the loop to run during description.
fn saying(bytes: &[u8], what: &str) -> Vec<u8> {
    const MARK: &[u8] = b"while describing:";
    let mut bytes = bytes.to_vec();
    let at = bytes
        .windows(MARK.len())
        .position(|window| window == MARK)
        .unwrap()
        + MARK.len();
    bytes[at..at + what.len()].copy_from_slice(what.as_bytes());
    bytes
}

/// What is wrong with how a call stops, if anything.
async fn ends(bench: &Bench, base: String, mode: String, item: Value) -> Option<String> {
    let claim = format!("authenticate: {mode:?}, execute: {item}");
    let setup = Setup::new(bench, LOOPS, base).await.mode(&mode);
    let setup = setup.limits("run-timeout-ms = 300");
    let results = within(&claim, setup.run(vec![item])).await;
    let words = match &results[0] {
        Err(failure @ Failure::Limit(_)) => failure.to_string(),
        other => format!("{other:?}"),
    };
    (!is_limit(&words)).then(|| format!("{claim}: {words}"))
}

/// What is wrong with how loading a component stops, if anything.
async fn ends_describing(bench: &Bench, component: Vec<u8>, what: String) -> Option<String> {
    let words = match within(&what, bench.engine.load(&component)).await {
        Err(error) => error.to_string(),
        Ok(_) => "it is loaded".to_owned(),
    };
    (!is_limit(&words)).then(|| format!("describe, {what}: {words}"))
}

/// Whether the call reached its deadline, or a limit on what it keeps before that.
fn is_limit(words: &str) -> bool {
    [
        "the call took longer than",
        "the node holds too many of the host's resources",
    ]
    .iter()
    .any(|limit| words.contains(limit))
}

/// Two hostile nodes occupy two threads, and an honest node of another tenant still gets its responses.
pub async fn neighbours(bench: &Bench) {
    const ITEMS: usize = 200;
    let _quiet = bench.log.quiet();
    let server = Server::start(|_| ok(b"{}")).await;
    let base = format!("{}/api", server.origin());
    let url = format!("{base}/things");
    let request = json!({"requests": [{"url": url}]}).to_string();
    let hogs = [
        "nothing",
        "handle, denied and dropped",
        "handle, dropped",
        "handle, ended",
    ]
    .map(|what| json!({"what": what, "url": url}));
    let turns = ["many denied", "answered"].map(|turns| json!({"turns": turns, "url": url}));
    for hog in hogs.into_iter().chain(turns.into_iter().filter(|_| bench.turns)) {
        // Longer than the honest node can take.
        let hostile = Setup::new(bench, LOOPS, &base)
            .await
            .limits("run-timeout-ms = 120000");
        let hostile = hostile.builder().tenant("hostile").build().unwrap();
        let honest = Setup::new(bench, CALLS, &base)
            .await
            .builder()
            .tenant("honest")
            .build()
            .unwrap();
        let options = RunOptions::default().concurrency(1);
        let mut looping = Vec::new();
        for _ in 0..2 {
            let items = stream::iter([Ok(hog.to_string())]);
            looping.push(hostile.run("things", "read", items, &options).await.unwrap());
        }
        let items = stream::iter(vec![request.clone(); ITEMS]).map(Ok);
        let results = honest.run("things", "read", items, &options).await.unwrap();
        let results = results.map(|completed| completed.unwrap().result);
        let results: Vec<ItemResult> = within(&hog.to_string(), results.collect()).await;
        assert!(results.iter().all(Result::is_ok), "{hog}");
        for hostile in &mut looping {
            let ended = tokio::time::timeout(Duration::ZERO, hostile.next()).await;
            assert!(ended.is_err(), "{hog}: {:?}", ended.unwrap());
        }
    }
}
