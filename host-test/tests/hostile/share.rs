//! What a node may use up: rows 26 to 34; and how it may run by turns: row 45.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use futures_util::{StreamExt as _, stream};
use nodule::{Failure, ResultOrder, RunOptions};
use serde_json::{Value, json};

use crate::bench::{Bench, ITEM_DATA, Setup, kinds, output};
use crate::guests::{
    ASKS_THE_CLOCK, CALLS, DESCRIBES_FOREVER, FLOODS, GROWS, HANDS_OVER, HOARDS_ANSWERS, HOARDS_HANDLES,
    MISCOUNTS, PANICS, RECURSES, RETURNS_MUCH, SPINS, TAKES_TURNS, WAITS, WANTS_RANDOM,
};
use crate::heap::{in_use, resident};
use crate::server::{NOWHERE, Server, Step, answer, ok, soon, within};

fn hostile_between_honest() -> Vec<Value> {
    vec![
        json!({"n": 0, "data": ITEM_DATA}),
        json!({"hostile": true, "data": ITEM_DATA}),
        json!({"n": 2}),
    ]
}

/// Asserts that the hostile item fails with this kind and the others succeed. Returns the failure's message.
async fn contained(setup: &Setup, kind: &str) -> String {
    let results = within(kind, setup.run(hostile_between_honest())).await;
    assert_eq!(kinds(&results), ["ok", kind, "ok"], "{results:?}");
    results[1].as_ref().unwrap_err().to_string()
}

async fn limited(bench: &Bench, guest: &str, limits: &str, key: &str) {
    let words = contained(&Setup::new(bench, guest, NOWHERE).await.limits(limits), "limit").await;
    assert!(words.contains(&format!("`{key}`")), "{guest}: {words}");
    assert_eq!(bench.log.last("limit")["key"], key, "{guest}");
}

pub async fn endless(bench: &Bench) {
    for guest in [SPINS, ASKS_THE_CLOCK, WAITS] {
        limited(bench, guest, "run-timeout-ms = 200", "run-timeout-ms").await;
    }
    // A guest that polls for its response in a loop, and never waits, still gets the response.
    let server = Server::start(|_| ok(b"{}")).await;
    let setup = Setup::new(bench, CALLS, format!("{}/api", server.origin())).await;
    for asks in ["get", "ready"] {
        let request = json!({"url": format!("{}/api/things", server.origin()), "asks": asks});
        let answer = within(asks, setup.call(request)).await.unwrap();
        assert_eq!(answer["status"], 200, "{asks}");
    }
    // A guest that never finishes describing itself is not loaded; the deadline for descriptions is not configurable.
    let error = within(
        "describe",
        bench.engine.load_file(crate::bench::file(DESCRIBES_FOREVER)),
    )
    .await
    .unwrap_err();
    assert!(error.to_string().contains("longer than 5 seconds"), "{error}");
}

pub async fn memory(bench: &Bench) {
    let before = resident();
    limited(bench, GROWS, "", "memory-bytes").await;
    limited(bench, HANDS_OVER, "", "output-bytes").await;
    limited(bench, RETURNS_MUCH, "", "output-bytes").await;
    limited(bench, HOARDS_HANDLES, "", "host-resources").await;
    let words = contained(&Setup::new(bench, WANTS_RANDOM, NOWHERE).await, "trap").await;
    assert!(words.contains("exceeds limit"), "{words}");
    // Responses that a node never drops use the host's memory.
    let server = Server::start(|_| ok(vec![b'x'; 1 << 20])).await;
    let setup = Setup::new(bench, HOARDS_ANSWERS, format!("{}/api", server.origin())).await;
    let setup = setup.limits("buffered-bytes = 8388608");
    let results = setup
        .run(vec![json!({"url": format!("{}/api", server.origin())})])
        .await;
    let failure = results[0].as_ref().unwrap_err().to_string();
    assert!(failure.contains("`buffered-bytes`"), "{failure}");
    assert_eq!(server.take().len(), 9, "eight of them fit");
    // That limit does not count headers, so a response shares one copy, however often the node asks for them.
    let held = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&held);
    let server = Server::start(move |_| {
        seen.lock().unwrap().push(in_use());
        answer("200 OK", &[("x-many", "x"); 90], "{}")
    })
    .await;
    let url = format!("{}/api", server.origin());
    let setup = Setup::new(bench, HOARDS_ANSWERS, &url).await;
    let results = setup.run(vec![json!({"url": url, "often": 1_000})]).await;
    assert_eq!(kinds(&results), ["ok"], "{results:?}");
    let held = held.lock().unwrap().clone();
    let [first, second] = held[..] else {
        panic!("{held:?}")
    };
    let grown = second.saturating_sub(first);
    assert!(grown < 2 << 20, "{} KB of headers", grown >> 10);
    let grown = resident().saturating_sub(before);
    assert!(grown < 300 << 20, "{} MB more than before", grown >> 20);
}

pub async fn turns(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let setup = Setup::new(bench, TAKES_TURNS, format!("{}/api", server.origin())).await;
    let setup = setup.limits("run-timeout-ms = 300\nhost-resources = 64\noutput-bytes = 1048576");
    let calls = AtomicUsize::new(0);
    let take = async |mut item: Value| {
        // Each call has its own path, because a request that a stopped call had started may arrive during a later call.
        let path = format!("/api/things/{}", calls.fetch_add(1, Ordering::SeqCst));
        item["url"] = json!(format!("{}{path}", server.origin()));
        let mut results = within("turns", setup.run(vec![item])).await;
        let sent = server
            .take()
            .iter()
            .filter(|request| request.target() == path)
            .count();
        (results.remove(0), sent)
    };
    for (turns, times, kind, words, sent) in [
        ("waits for nothing", 0, "trap", "has asked for nothing", Some(0)),
        ("spins", 0, "limit", "`run-timeout-ms`", Some(1)),
        // Every response triggers another request, until the time is up.
        ("asks again", 0, "limit", "`run-timeout-ms`", None),
        ("panics", 0, "trap", "", Some(1)),
        (
            "returns too many",
            0,
            "trap",
            "expected 1 results, found 2",
            Some(1),
        ),
        ("asks for many", 65, "limit", "`host-resources`", Some(0)),
        ("hands over much", 2 << 20, "limit", "`output-bytes`", Some(0)),
    ] {
        let (result, seen) = take(json!({"turns": turns, "times": times})).await;
        let failure = result.expect_err(turns);
        assert_eq!(failure.kind(), kind, "{turns}: {failure:?}");
        assert!(failure.to_string().contains(words), "{turns}: {failure:?}");
        assert!(sent.is_none_or(|sent| sent == seen), "{turns}: {seen} sent");
    }
    let outcomes = async |item: Value| {
        let name = item.to_string();
        let (result, seen) = take(item).await;
        assert!(result.is_ok(), "{name}: {result:?}");
        (output(&result)[0].clone(), seen)
    };
    // With as many requests in flight as permitted, each gets a response.
    let (told, seen) = outcomes(json!({"turns": "asks for many", "times": 64})).await;
    assert!(told[0]["status"] == 200 && seen == 64, "{told} {seen}");
    // The common headers of a turn are checked like the headers of each request.
    let common = |name: &str, value: &str, times: u32| json!({"turns": "says much in common", "name": name, "value": value, "times": times});
    for (name, value, times) in [
        ("host", "evil.example", 1),
        ("proxy-authorization", "x", 1),
        ("x-a", "b\r\nx-c: d", 1),
        ("x a", "b", 1),
        ("x-a", "b", 101),
        ("x-a", &"b".repeat(70_000), 1),
    ] {
        let (told, seen) = outcomes(common(name, value, times)).await;
        assert!(
            told.as_array()
                .unwrap()
                .iter()
                .all(|one| one["error"].is_string()),
            "{told}"
        );
        assert_eq!(seen, 0, "{name}");
    }
    let (told, seen) = outcomes(common("x-a", "b", 100)).await;
    assert!(told[0]["status"] == 200 && seen == 2, "{told} {seen}");
}

pub async fn recursion(bench: &Bench) {
    let setup = Setup::new(bench, RECURSES, NOWHERE).await;
    let words = contained(&setup, "limit").await;
    assert!(words.contains("`stack-bytes`"), "{words}");
    // A finite recursion is stopped too: each of its calls takes two words, so in total more than the stack has.
    let depth = nodule::limits::DEFAULT_STACK_BYTES;
    let results = setup
        .run(vec![
            json!({"hostile": true, "depth": depth}),
            json!({"hostile": true, "depth": 100}),
        ])
        .await;
    assert_eq!(kinds(&results), ["limit", "ok"], "{results:?}");
}

pub async fn flood(bench: &Bench) {
    let server = Server::start(|_| vec![Step::Silence]).await;
    let setup = Setup::new(bench, FLOODS, format!("{}/api", server.origin())).await;
    let setup = setup.limits(
        "requests-in-flight = 4\nhost-resources = 1000000\nconnect-timeout-ms = 100\nrun-timeout-ms = 5000",
    );
    // Sixteen calls, each of which begins ten thousand requests and may have one of them under way.
    let item = json!({"url": format!("{}/api", server.origin())});
    let options = RunOptions::default().order(ResultOrder::Completion);
    let before = bench.log.text().len();
    let runner = setup.runner();
    let run = runner.execute("things", "read", vec![item; 16], &options);
    // Four requests wait for a response; those of the other calls wait for a slot, no longer than the connect timeout, until the
    // first four calls are over.
    let meanwhile = async {
        let is_refused = || {
            bench
                .log
                .text()
                .split_off(before)
                .contains("\"requests-in-flight\"")
        };
        soon("a request that found no slot", is_refused).await;
        server.connections()
    };
    let (results, connections) = tokio::join!(within("the flood", run), meanwhile);
    assert_eq!(kinds(&results.unwrap()), ["limit"; 16]);
    assert!(connections <= 4, "{connections} connections at once");
    assert!(server.connections() >= 4);
    // With the default limits, the node exceeds what the host stores for it.
    let setup = Setup::new(bench, FLOODS, format!("{}/api", server.origin())).await;
    let results = within(
        "the flood",
        setup.run(vec![json!({"url": format!("{}/api", server.origin())})]),
    )
    .await;
    assert!(
        matches!(&results[0], Err(Failure::Limit(words)) if words.contains("`host-resources`")),
        "{results:?}"
    );
    soon("the connections end with the call", || server.open() == 0).await;
}

pub async fn headers(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let base = format!("{}/api", server.origin());
    let setup = Setup::new(bench, CALLS, base.clone()).await;
    let refused = async |name: &str, request: Value| {
        server.take();
        let results = setup
            .run(vec![
                json!({"requests": [request]}),
                json!({"requests": [{"url": base}]}),
            ])
            .await;
        let failure = results[0].as_ref().expect_err(name);
        assert!(
            ["invalid-input", "limit", "denied", "trap"].contains(&failure.kind()),
            "{name}: {failure:?}"
        );
        assert!(results[1].is_ok(), "{name}: the next item runs");
        assert_eq!(server.take().len(), 1, "{name}: only the honest request");
        failure.to_string()
    };
    refused(
        "32,769 headers",
        json!({"url": base, "headers": [["x-a", "b", 32_769]]}),
    )
    .await;
    let words = refused(
        "101 headers",
        json!({"url": base, "headers": [["x-a", "b", 101]]}),
    )
    .await;
    assert!(words.contains("`header-count`"), "{words}");
    refused(
        "a header of a megabyte",
        json!({"url": base, "headers": [["x-a", "b".repeat(1 << 20)]]}),
    )
    .await;
    let words = refused(
        "65 KiB of headers",
        json!({"url": base, "headers": [["x-a", "b".repeat(1000), 66]]}),
    )
    .await;
    assert!(words.contains("`header-bytes`"), "{words}");
    for (name, value) in [
        ("x-a", "b\r\nx-c: d"),
        ("x-a", "b\nc"),
        ("x-a", "b\0c"),
        ("x-a\r\nx", "b"),
        ("x a", "b"),
        ("", "b"),
    ] {
        refused(
            "a broken header",
            json!({"url": base, "headers": [[name, value]]}),
        )
        .await;
    }
    for method in ["GET /x HTTP/1.1\r\n", "G\0ET", "G\nET", "", "GE T"] {
        refused("a broken method", json!({"url": base, "method": method})).await;
    }
    for path in ["/x\r\nHost: evil", "/x\0", "/x y", "/x\ny"] {
        refused("a broken path", json!({"url": format!("{base}{path}")})).await;
    }
    refused(
        "a long URL",
        json!({"url": format!("{base}/{}", "x".repeat(20_000))}),
    )
    .await;
    // Limits on what the service sends.
    for (key, head) in [
        ("header-bytes", format!("x: {}\r\n", "y".repeat(1 << 20))),
        ("header-count", "x: y\r\n".repeat(200)),
        ("header-count", "x: y\r\n".repeat(40_000)),
    ] {
        let flooding = Server::start(move |_| {
            vec![Step::Write(
                format!("HTTP/1.1 200 OK\r\n{head}content-length: 0\r\n\r\n").into_bytes(),
            )]
        })
        .await;
        let url = format!("{}/x", flooding.origin());
        let failure = one(bench, &flooding, "", &url).await;
        assert!(
            matches!(&failure, Failure::Limit(words) if words.contains(&format!("`{key}`"))),
            "{failure:?}"
        );
    }
}

/// The failure of one request under these limits.
async fn one(bench: &Bench, server: &Server, limits: &str, url: &str) -> Failure {
    let setup = Setup::new(bench, CALLS, server.origin())
        .await
        .allow("https://127.0.0.1:1")
        .limits(limits);
    let results = within(url, setup.run(vec![json!({"requests": [{"url": url}]})])).await;
    match results.into_iter().next() {
        Some(Err(failure)) => failure,
        other => panic!("{url}: {other:?}"),
    }
}

fn chunk(bytes: usize) -> Vec<u8> {
    let mut chunk = format!("{bytes:x}\r\n").into_bytes();
    chunk.resize(chunk.len() + bytes, b'x');
    chunk.extend(b"\r\n");
    chunk
}

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// 200 MB of zeros, by `zlib.brotliCompressSync` of Node.js.
const BROTLI_ZEROS: &str = "z///fwAkAOKxQHLv//n//w+ABEAcFoDu/T////8BkACIwwLQvf/n//8/ABIAcVgAuvf//P//B0ACIA4LQPf+n////wBIAMRhAeje//P//x8ACYA4LADd+3/+//8DIAEQhwWge//P//9/ACQA4rAAdO//+f//D4AEQBwWgO79P////wGQAIjDAtC9/+f//z8AEgBxWAC69//5//8HQAIgDgtA9/4P";

pub async fn bodies(bench: &Bench) {
    let before = resident();
    let endless =
        Server::start(|_| vec![Step::Write(CHUNKED.to_vec()), Step::Endless(chunk(64 << 10))]).await;
    let failure = one(bench, &endless, "", &endless.origin()).await;
    assert!(
        matches!(&failure, Failure::Limit(words) if words.contains("`response-bytes`")),
        "{failure:?}"
    );
    let promised = Server::start(|_| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 10_u64 << 30);
        vec![
            Step::Write(head.into_bytes()),
            Step::Endless(vec![b'x'; 64 << 10]),
        ]
    })
    .await;
    let failure = one(bench, &promised, "", &promised.origin()).await;
    assert!(
        matches!(&failure, Failure::Limit(words) if words.contains("`response-bytes`")),
        "{failure:?}"
    );
    // Small on the wire, in every coding that is decoded, once and several times.
    let zeros = vec![0; 200 << 20];
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let once = gzip(&zeros);
    let deflate = {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&zeros).unwrap();
        encoder.finish().unwrap()
    };
    let bombs = [
        ("gzip, gzip", gzip(&once)),
        ("gzip", once),
        ("deflate", deflate),
        ("zstd", zstd::bulk::compress(&zeros, 3).unwrap()),
        (
            "br",
            base64::engine::general_purpose::STANDARD
                .decode(BROTLI_ZEROS)
                .unwrap(),
        ),
    ];
    drop(zeros);
    for (coding, bomb) in bombs {
        assert!(bomb.len() < 1 << 20, "{coding}");
        let inflating =
            Server::start(move |_| answer("200 OK", &[("content-encoding", coding)], &bomb)).await;
        let failure = one(bench, &inflating, "", &inflating.origin()).await;
        assert!(
            matches!(&failure, Failure::Limit(words) if words.contains("`response-bytes`")),
            "{coding}: {failure:?}"
        );
    }
    // Invalid bodies, and one that was encoded more often than anybody would.
    let often = (0..6).fold(b"{}".to_vec(), |body, _| gzip(&body));
    for (coding, body) in [
        ("br", b"x".to_vec()),
        ("deflate", b"x".to_vec()),
        ("gzip, gzip", b"x".to_vec()),
        ("zstd", b"x".to_vec()),
        ("gzip, gzip, gzip, gzip, gzip, gzip", often),
    ] {
        let strange = Server::start(move |_| answer("200 OK", &[("content-encoding", coding)], &body)).await;
        assert_eq!(
            one(bench, &strange, "", &strange.origin()).await.kind(),
            "unavailable",
            "{coding}"
        );
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 200 << 20, "{} MB more than before", grown >> 20);
    // Too short, and too long: the surplus does not become part of the next response.
    let short = Server::start(|_| {
        vec![
            Step::Write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}".to_vec()),
            Step::Close,
        ]
    })
    .await;
    let failure = one(bench, &short, "", &short.origin()).await;
    assert!(
        matches!(&failure, Failure::Unavailable { message, .. } if message.contains("broke off")),
        "{failure:?}"
    );
    let long = Server::start(|_| {
        let second = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nforeign";
        vec![Step::Write(
            format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{{}}{second}").into_bytes(),
        )]
    })
    .await;
    let setup = Setup::new(bench, CALLS, long.origin()).await;
    let url = long.origin();
    let results = setup
        .run(vec![
            json!({"requests": [{"url": url}, {"url": url}, {"url": url}]}),
        ])
        .await;
    for seen in output(&results[0]) {
        assert_ne!(seen["body"], "foreign", "{seen}");
    }
    for lengths in [
        "content-length: 2\r\ncontent-length: 3",
        "content-length: -1",
        "content-length: x",
        "content-length: 2, 3",
    ] {
        let wrong = Server::start(move |_| {
            vec![
                Step::Write(format!("HTTP/1.1 200 OK\r\n{lengths}\r\n\r\n{{}}").into_bytes()),
                Step::Close,
            ]
        })
        .await;
        assert_eq!(
            one(bench, &wrong, "", &wrong.origin()).await.kind(),
            "unavailable",
            "{lengths}"
        );
    }
}

pub async fn drips(bench: &Bench) {
    const LIMITS: &str = "connect-timeout-ms = 300\nfirst-byte-timeout-ms = 400\nbetween-bytes-timeout-ms = 300\nrequest-timeout-ms = 900";
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n".to_vec();
    let body = vec![b'x'; 100];
    let cases: [(&str, &str, Vec<Step>); 4] = [
        ("accept and silence", "first-byte-timeout-ms", vec![Step::Silence]),
        (
            "a header byte now and then",
            "first-byte-timeout-ms",
            vec![Step::Drip(head.clone(), 50)],
        ),
        (
            "a body that stops",
            "between-bytes-timeout-ms",
            vec![Step::Write([head.clone(), vec![b'x'; 9]].concat()), Step::Silence],
        ),
        (
            "a body byte now and then",
            "request-timeout-ms",
            vec![Step::Write(head), Step::Drip(body, 100)],
        ),
    ];
    for (name, key, steps) in cases {
        let server = Server::start(move |_| steps.clone()).await;
        let clock = Instant::now();
        let failure = one(bench, &server, LIMITS, &server.origin()).await;
        assert!(
            matches!(&failure, Failure::Unavailable { message, .. } if message.contains(&format!("`{key}`"))),
            "{name}: {failure:?}"
        );
        assert!(
            clock.elapsed() < Duration::from_secs(10),
            "{name}: {:?}",
            clock.elapsed()
        );
    }
    // A connection that is accepted but gets no further: the TLS handshake counts as connecting.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("https://{}", silent.local_addr().unwrap());
    let server = Server::start(|_| ok("{}")).await;
    let setup = Setup::new(bench, CALLS, server.origin())
        .await
        .allow(&origin)
        .limits(LIMITS);
    let clock = Instant::now();
    let results = setup.run(vec![json!({"requests": [{"url": origin}]})]).await;
    let failure = results[0].as_ref().unwrap_err();
    assert!(
        failure.to_string().contains("`connect-timeout-ms`"),
        "{failure:?}"
    );
    assert!(clock.elapsed() < Duration::from_secs(10), "{:?}", clock.elapsed());
}

pub async fn panics(bench: &Bench) {
    let setup = Setup::new(bench, PANICS, NOWHERE).await;
    let items: Vec<Value> = (0..9).map(|n| json!({"n": n, "panic": n == 4})).collect();
    let results = setup.run(items.clone()).await;
    let expected: Vec<&str> = (0..9).map(|n| if n == 4 { "trap" } else { "ok" }).collect();
    assert_eq!(kinds(&results), expected);
    assert_eq!(output(&results[5])[0]["n"], 5);
    let stop = RunOptions::default().on_failure(nodule::OnFailure::Stop);
    let results = setup
        .runner()
        .execute("things", "read", items, &stop)
        .await
        .unwrap();
    let expected: Vec<&str> = (0..9)
        .map(|n| ["ok", "trap", "not-run"][usize::from(n >= 4) + usize::from(n > 4)])
        .collect();
    assert_eq!(kinds(&results), expected);
    // If results and items differ in number, the results cannot be attributed.
    let setup = Setup::new(bench, MISCOUNTS, NOWHERE).await;
    assert_eq!(
        kinds(&setup.run(vec![json!({}), json!({})]).await),
        ["trap", "trap"]
    );
}

pub async fn dropped_run(bench: &Bench) {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let server = Server::start(|_| vec![Step::Silence]).await;
    let before = tasks();
    let setup = Setup::new(bench, CALLS, server.origin()).await;
    let runner = setup.runner();
    let item = json!({"requests": [{"url": server.origin()}]}).to_string();
    let items = stream::repeat_with(move || Ok(item.clone()));
    let results = runner
        .run("things", "read", items, &RunOptions::default())
        .await
        .unwrap();
    soon("requests are under way", || server.open() >= 2).await;
    drop(results);
    drop((runner, setup));
    soon("their connections are closed", || server.open() == 0).await;
    soon("no task is left", || tasks() <= before).await;
    // Also while the guest itself computes or waits.
    for guest in [SPINS, WAITS] {
        let runner = Setup::new(bench, guest, NOWHERE).await.runner();
        let items = stream::iter(vec![json!({"hostile": true}).to_string(); 4]).map(Ok);
        let mut results = runner
            .run("things", "read", items, &RunOptions::default())
            .await
            .unwrap();
        let nothing = tokio::time::timeout(Duration::from_millis(50), results.next()).await;
        assert!(nothing.is_err(), "it does not end by itself");
        drop(results);
        soon("no task is left", || tasks() <= before).await;
    }
}
