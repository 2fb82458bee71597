//! Files by WASI's streams: row 157.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use nodule::RunOptions;
use nodule::file::{FileBytes, InputFile, NewItem};
use nodule::recording::Meta;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::bench::{Bench, SECRET, Setup};
use crate::guests::{PHOTOS, PIPES};
use crate::heap::resident;
use crate::moving::{Sink, failure, output, run};
use crate::server::{Server, Step, answer, ok, soon, within};

/// More than what flows.
const LARGE: usize = 3_000_000;

fn given(size: Option<u64>, bytes: usize) -> InputFile {
    InputFile {
        key: "f".to_owned(),
        name: None,
        media_type: None,
        size,
        source: Arc::new(FileBytes(vec![b'x'; bytes].into())),
    }
}

pub async fn files_by_streams(bench: &Bench) {
    going_up(bench).await;
    held_back(bench).await;
    coming_down(bench).await;
    read_after_all(bench).await;
    both_ways(bench).await;
}

async fn going_up(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let setup = Setup::new(bench, PIPES, format!("{}/api", server.origin()))
        .await
        .limits("file-bytes = 50000000");
    let runner = setup.runner();
    let options = RunOptions::default().files(Sink);
    let put = |body: Value, length: Option<usize>| {
        let url = format!("{}/api/up", server.origin());
        json!({"requests": [{"method": "PUT", "url": url, "body": body, "length": length}]})
    };
    let file = || json!(["<", {"file": 0}, ">"]);
    for size in [10, LARGE] {
        for length in [None, Some(size + 2)] {
            let files = vec![given(u64::try_from(size).ok(), size)];
            let told = output(&run(&runner, put(file(), length), files, &options).await[0]);
            assert_eq!(told["answers"][1]["status"], 200, "{told}");
            let sent = &server.take()[0];
            let length = sent.header("content-length");
            if size == LARGE && length.is_empty() {
                assert!(sent.body.len() > LARGE, "in chunks");
            } else {
                assert_eq!(length, [(size + 2).to_string()]);
                assert_eq!(sent.body.len(), size + 2);
                assert!(sent.body.starts_with(b"<x") && sent.body.ends_with(b"x>"));
            }
        }
    }
    // What is not whole is never taken for the whole.
    let endless = json!([{"times": 1_000_000, "of": "x"}]);
    for (what, task, file) in [
        ("a file that has grown", put(file(), None), given(Some(5), LARGE)),
        (
            "a file that has shrunk",
            put(file(), None),
            given(Some(5_000_000), LARGE),
        ),
        (
            "a file beyond the limit",
            put(file(), None),
            given(None, 60_000_000),
        ),
        ("a body that never ends", put(endless, None), given(Some(0), 0)),
        (
            "more than announced",
            put(file(), Some(LARGE)),
            given(None, LARGE),
        ),
        (
            "less than announced",
            put(file(), Some(LARGE + 9)),
            given(None, LARGE),
        ),
        (
            "another item's file",
            put(json!([{"file": 1}]), None),
            given(None, 5),
        ),
    ] {
        let before = resident();
        let results = run(&runner, task, vec![file], &options).await;
        let told = output(&results[0]);
        assert!(told["answers"][1]["error"].is_string(), "{what}: {told}");
        assert!(server.take().is_empty(), "{what}");
        let grown = resident().saturating_sub(before);
        assert!(grown < 100 << 20, "{what}: {} MB", grown >> 20);
    }
    let mut unfinished = put(file(), None);
    unfinished["requests"][0]["unfinished"] = json!(true);
    for size in [10, LARGE] {
        let told = output(&run(&runner, unfinished.clone(), vec![given(None, size)], &options).await[0]);
        assert!(told["answers"][1]["error"].is_string(), "{told}");
        assert!(server.take().is_empty());
    }
    // What cannot be read says why.
    let results = run(
        &runner,
        json!({"looks": [1, 1]}),
        vec![given(Some(0), 9)],
        &options,
    )
    .await;
    let told = output(&results[0]).to_string();
    assert!(told.contains("longer than it said"), "{told}");
}

/// A service that takes nothing: what the node writes waits with the node, not in the host.
async fn held_back(bench: &Bench) {
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", deaf.local_addr().unwrap());
    let setup = Setup::new(bench, PIPES, format!("{origin}/api"))
        .await
        .limits("first-byte-timeout-ms = 1000\nfile-bytes = 2000000000\nbuffered-bytes = 2000000000");
    let task = json!({"requests": [{"method": "PUT", "url": format!("{origin}/api/up"), "body": [{"times": 1_000_000}]}]});
    let before = resident();
    let options = RunOptions::default().files(Sink);
    let grown = AtomicUsize::new(0);
    let listening = async {
        let _connection = deaf.accept().await.unwrap();
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            grown.fetch_max(resident().saturating_sub(before), Ordering::Relaxed);
        }
    };
    let runner = setup.runner();
    let results = tokio::select! {
        results = run(&runner, task, vec![], &options) => results,
        never = listening => never,
    };
    let told = output(&results[0]);
    assert_eq!(
        told["answers"][1]["error"], "ErrorCode::HttpResponseTimeout",
        "{told}"
    );
    let grown = grown.into_inner();
    assert!(grown < 50 << 20, "{} MB wait in the host", grown >> 20);
}

async fn coming_down(bench: &Bench) {
    let server = Server::start(|request| match request.target() {
        "/api/endless" => vec![
            Step::Write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()),
            Step::Endless([b"10000\r\n".as_slice(), &[b'x'; 65_536], b"\r\n"].concat()),
        ],
        "/api/large" => ok(vec![b'x'; LARGE]),
        _ => ok("{}"),
    })
    .await;
    let url = |path: &str| format!("{}/api/{path}", server.origin());
    let limits = "file-bytes = 100000000\nfiles = 100\nresponse-bytes = 1000000\nrequests-in-flight = 4";
    let setup = Setup::new(bench, PIPES, format!("{}/api", server.origin()))
        .await
        .limits(limits);
    let runner = setup.runner();
    let options = RunOptions::default().files(Sink);
    let given = |path: &str, more: Value| {
        let mut give = json!({"key": "data", "kept": 0});
        give.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"requests": [{"url": url(path)}], "give": [give]})
    };
    let before = resident();
    for (task, kind, words) in [
        (
            given("endless", json!({})),
            "limit",
            "a file of more than 100000000 bytes (`file-bytes`)",
        ),
        (given("small", json!({"begun": true})), "trap", "begun to read"),
        (
            json!({"give": vec![json!({"key": "a", "bytes": "x"}); 101]}),
            "limit",
            "more than 100 files of one item (`files`)",
        ),
    ] {
        let results = run(&runner, task, vec![], &options).await;
        let failure = failure(&results);
        assert_eq!(failure.kind(), kind, "{failure}");
        assert!(failure.to_string().contains(words), "{failure}");
    }
    // An answer that the node reads has the limit of every answer.
    for path in ["large", "endless"] {
        let task = json!({"requests": [{"url": url(path), "read": true}]});
        let told = output(&run(&runner, task, vec![], &options).await[0]);
        assert!(told["answers"][1]["broken"].is_string(), "{told}");
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 50 << 20, "{} MB of what never ends", grown >> 20);
    // What an item keeps is let go with it, and its instance too: more than may be in flight, run after run.
    for holds in [false, true, true, false, true] {
        let requests = vec![json!({"url": url("endless")}); 3];
        let task = json!({"requests": requests, "holds": holds});
        let told = output(&run(&runner, task, vec![], &options).await[0]);
        assert_eq!(told["answers"].as_array().unwrap().len(), 4, "{told}");
    }
    soon("connections stay open", || server.open() <= 1).await;
}

/// A service that repeats the secret: the node does not read it, and no recording has it.
async fn read_after_all(bench: &Bench) {
    let server = Server::start(|request| {
        let told = request.header("authorization").concat();
        answer("200 OK", &[("x-told", &told)], &told)
    })
    .await;
    let setup = Setup::new(bench, PIPES, server.origin()).await;
    let task = json!({"requests": [{"url": format!("{}/x", server.origin()), "read": true}, {"url": format!("{}/y", server.origin())}], "give": [{"key": "data", "kept": 1}]});
    let options = RunOptions::default().files(Sink);
    let told = output(&run(&setup.runner(), task.clone(), vec![], &options).await[0]);
    assert!(
        told["answers"][1]["body"]
            .as_str()
            .unwrap()
            .contains("[redacted]"),
        "{told}"
    );
    assert!(
        told["answers"][1]["length"].is_null(),
        "the secret's length: {told}"
    );
    let sent = server.take();
    assert!(
        sent[0].header("authorization").concat().contains(SECRET),
        "the service gets it"
    );
    let meta = Meta::new("things", "read", server.origin().parse().unwrap());
    let runner = setup.builder().record(meta).build().unwrap();
    let told = output(&run(&runner, task, vec![], &options).await[0]);
    assert!(!told.to_string().contains("s3cr3t"), "{told}");
    let text = runner.recording("case.har").unwrap().unwrap();
    // In whatever form.
    assert!(!text.contains("s3cr3t"), "{text}");
}

/// What a node of the SDK does by turns and by streams: its results with the digests of its files, and the bodies that it sent.
async fn photos(bench: &Bench, operation: &str, item: &Value, size: usize) -> (String, Vec<Vec<u8>>) {
    let server = Server::start(|request| match request.target() {
        "/photos/p.png" => answer(
            "200 OK",
            &[
                ("content-type", "image/png"),
                ("content-disposition", "attachment; filename=p.png"),
            ],
            vec![b'p'; LARGE],
        ),
        "/photos/refused" => answer("404 Not Found", &[], "{\"message\": \"no such photo\"}"),
        _ => ok(json!({"size": request.body.len(), "type": request.header("content-type").concat().split(';').next()}).to_string()),
    })
    .await;
    let setup = Setup::new(bench, PHOTOS, server.origin()).await;
    let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
    let file = InputFile {
        name: Some("a \"b\".png".to_owned()),
        media_type: Some("image/png".to_owned()),
        source: Arc::new(FileBytes(bytes.into())),
        ..given(u64::try_from(size).ok(), 0)
    };
    let item = NewItem {
        parameters: item.to_string(),
        files: vec![file],
    };
    let options = RunOptions::default().files(Sink);
    let runner = setup.runner();
    let results = runner.run("photo", operation, stream::iter([Ok(item)]), &options);
    let results: Vec<_> = within("the item", results.await.unwrap().collect()).await;
    let result = match &results[0].as_ref().unwrap().result {
        // By streams the node is not told how long an answer is.
        Ok(outputs) => outputs
            .iter()
            .map(|output| output.recorded().replace(",\"size\":3000000}", "}"))
            .collect(),
        Err(failure) => format!("{}: {failure}", failure.kind()),
    };
    let sent = server.take();
    let bodies = sent.iter().map(|request| {
        let boundary = request.header("content-type").concat();
        let boundary = boundary
            .split_once("boundary=")
            .map(|(_, boundary)| boundary.as_bytes());
        let body = boundary.map(|boundary| without(&request.body, boundary));
        body.unwrap_or_else(|| request.body.clone())
    });
    (result, bodies.collect())
}

fn without(text: &[u8], boundary: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    text.replace(&*String::from_utf8_lossy(boundary), "").into_bytes()
}

async fn both_ways(bench: &Bench) {
    let by_streams = bench.through_wasi();
    let photo = |more: Value| {
        let mut item = json!({"name": "n", "photo": "f"});
        item.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        item
    };
    for size in [0, 10, 300_000, LARGE] {
        for (operation, item) in [
            ("upload", json!({"caption": "Hi", "photo": "f"})),
            ("put", photo(json!({}))),
            ("put", photo(json!({"name": "refused"}))),
            ("look", photo(json!({}))),
            ("look", photo(json!({"pieces": "3"}))),
            ("download", json!({"name": "p.png"})),
            ("download", json!({"name": "refused"})),
            ("both", json!({"name": "p.png", "other": "o.png"})),
        ] {
            let turns = photos(bench, operation, &item, size).await;
            let streams = photos(&by_streams, operation, &item, size).await;
            assert!(
                turns == streams,
                "{operation} {item} {size}: {} {}",
                turns.0,
                streams.0
            );
            assert!(!turns.1.is_empty(), "{operation} {item}: {}", turns.0);
        }
    }
    // A file of an answer that was given already is no file, and no empty one.
    let again = json!({"name": "p.png", "other": "o.png", "twice": "true"});
    for bench in [bench, &by_streams] {
        let (result, _) = photos(bench, "both", &again, 0).await;
        assert!(result.starts_with("bad-"), "{result}");
    }
    // A stream is read once: what was sent cannot be sent again.
    let twice = photo(json!({"twice": "true"}));
    let (result, sent) = photos(&by_streams, "look", &twice, LARGE).await;
    assert!(result.contains("lets a file be read once"), "{result}");
    assert_eq!(sent.len(), 1);
    assert_eq!(photos(bench, "look", &twice, LARGE).await.1.len(), 2);
}
