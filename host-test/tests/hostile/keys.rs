//! Every key of a policy file is enforced: rows 42 and 44.

use std::time::Duration;

use nodule::limits::LIMIT_SPECS;
use nodule::{Failure, ResultOrder, RunOptions};
use serde_json::{Value, json};

use crate::bench::{Bench, Setup};
use crate::guests::{CALLS, GROWS, HOARDS_ANSWERS, HOARDS_HANDLES, USES_VOID, WAITS};
use crate::server::{NOWHERE, Server, Step, answer, ok, within};

/// Every key of `[limits]`, with a small value that stops the node, and the proof that this value stopped it.
pub async fn every_limit(bench: &Bench) {
    let server = Server::start(|request| match request.target() {
        "/large" => ok(vec![b'x'; 5000]),
        "/headers" => answer("200 OK", &[("x", &"y".repeat(9000))], "{}"),
        "/silence" => vec![Step::Silence],
        "/half" => vec![
            Step::Write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}".to_vec()),
            Step::Silence,
        ],
        "/drip" => vec![
            Step::Write(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n".to_vec()),
            Step::Drip(vec![b'x'; 99], 30),
        ],
        _ => ok("{}"),
    })
    .await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tls = format!("https://{}", silent.local_addr().unwrap());
    let to = |path: &str| json!({"requests": [{"url": format!("{}{path}", server.origin())}]});
    let post = json!({"requests": [{"url": server.origin(), "method": "POST", "body": "x".repeat(5000)}]});
    let many = json!({"requests": [{"url": server.origin(), "headers": [["x-a", "b", 9]]}]});
    let cases: Vec<(&str, u64, &str, Value)> = vec![
        ("memory-bytes", 2 << 20, GROWS, json!({"hostile": true})),
        ("table-elements", 1, CALLS, to("/")),
        ("instances", 1, CALLS, to("/")),
        ("run-timeout-ms", 50, WAITS, json!({"hostile": true})),
        ("response-bytes", 4000, CALLS, to("/large")),
        ("request-body-bytes", 4000, CALLS, post),
        (
            "buffered-bytes",
            4000,
            HOARDS_ANSWERS,
            json!({"url": format!("{}/large", server.origin())}),
        ),
        ("header-count", 8, CALLS, many),
        ("header-bytes", 256, CALLS, to("/headers")),
        ("requests-in-flight", 1, CALLS, to("/silence")),
        (
            "connect-timeout-ms",
            100,
            CALLS,
            json!({"requests": [{"url": tls}]}),
        ),
        ("first-byte-timeout-ms", 100, CALLS, to("/silence")),
        ("between-bytes-timeout-ms", 100, CALLS, to("/half")),
        ("request-timeout-ms", 200, CALLS, to("/drip")),
        ("host-resources", 64, HOARDS_HANDLES, json!({"hostile": true})),
        ("output-bytes", 1024, CALLS, to("/large")),
    ];
    // The engine has one stack size, so a policy with another one is refused; row 28 shows that the limit works. Files have row 156.
    let covered: Vec<&str> = cases
        .iter()
        .map(|(key, ..)| *key)
        .chain(["stack-bytes", "file-bytes", "run-file-bytes", "files"])
        .collect();
    for knob in LIMIT_SPECS {
        assert!(covered.contains(&knob.key), "`{}` has no case", knob.key);
    }
    let other_stack = Setup::new(bench, CALLS, NOWHERE)
        .await
        .limits("stack-bytes = 1048576");
    assert!(
        other_stack
            .builder()
            .build()
            .unwrap_err()
            .to_string()
            .contains("`stack-bytes`")
    );
    for (key, value, guest, item) in cases {
        let mut limits = format!("{key} = {value}");
        if key == "requests-in-flight" {
            limits.push_str("\nconnect-timeout-ms = 500\nfirst-byte-timeout-ms = 3000");
        }
        let setup = Setup::new(bench, guest, server.origin())
            .await
            .allow(&tls)
            .limits(&limits);
        if key == "requests-in-flight" {
            // Three calls with one request each: one waits for a response, and the others for a slot.
            let options = RunOptions::default().order(ResultOrder::Completion);
            let runner = setup.runner();
            let run = runner.execute("things", "read", vec![item; 3], &options);
            let results = within(key, run).await.unwrap();
            let words = results
                .iter()
                .map(|result| result.as_ref().unwrap_err().to_string());
            let held: Vec<bool> = words
                .map(|words| words.contains("`requests-in-flight`"))
                .collect();
            assert_eq!(held.iter().filter(|held| **held).count(), 2, "{results:?}");
            continue;
        }
        let results = within(key, setup.run(vec![item])).await;
        let words = match &results[0] {
            Err(failure) => failure.to_string(),
            Ok(output) => output.iter().map(|json| json.get()).collect(),
        };
        assert!(words.contains(&format!("`{key}`")), "{key}: {words}");
        // A default would also stop the node, but later: the message shows that this value did.
        let stopped_by = match key {
            "memory-bytes" => value.to_string(),
            "run-timeout-ms"
            | "first-byte-timeout-ms"
            | "between-bytes-timeout-ms"
            | "request-timeout-ms" => {
                format!(" {} seconds", Duration::from_millis(value).as_secs_f64())
            }
            _ => continue,
        };
        assert!(words.contains(&stopped_by), "{key}: {words}");
    }
}

/// Every other key of a policy file, with one request that it allows and one that it denies.
pub async fn every_key(bench: &Bench) {
    let (server, other) = (
        Server::start(|_| ok("{}")).await,
        Server::start(|_| ok("{}")).await,
    );
    let get = |url: String| json!({"requests": [{"url": url}]});
    let post = |count: usize| {
        let request = json!({"url": format!("{}/x", server.origin()), "method": "POST", "body": "{}"});
        json!({"requests": vec![request; count]})
    };
    let outcome = async |policy: &str, operation: &str, item: Value| {
        let setup = Setup::new(bench, CALLS, format!("{}/api", other.origin())).await;
        let runner = setup.policy(policy).runner();
        let options = RunOptions::default();
        let results = within(policy, runner.execute("things", operation, vec![item], &options)).await;
        match &results.unwrap()[0] {
            // With several requests, the guest reports each outcome.
            Ok(output) => output
                .iter()
                .map(|json| {
                    if json.get().contains("\"error\"") {
                        "denied"
                    } else {
                        "ok"
                    }
                })
                .collect::<Vec<_>>()
                .join(" "),
            Err(failure) => {
                let told = match failure {
                    Failure::Uncertain(told) => told,
                    told => told,
                };
                assert_eq!(told.kind(), "denied", "{policy}: {failure:?}");
                bench.log.last("denied")["rule"].as_str().unwrap().to_owned()
            }
        }
    };
    let origin = format!("[[allow]]\norigin = \"{}\"", server.origin());
    let read = async |policy: &str, url: String| outcome(policy, "read", get(url)).await;
    let to = |path: &str| format!("{}{path}", server.origin());
    // origin
    assert_eq!(read(&origin, to("/x")).await, "ok");
    assert_eq!(
        read("[[allow]]\norigin = \"http://127.0.0.2:1\"", to("/x")).await,
        "host"
    );
    // path
    let path = format!("{origin}\npath = \"/v1\"");
    assert_eq!(read(&path, to("/v1/x")).await, "ok");
    assert_eq!(read(&path, to("/v2/x")).await, "path");
    // methods
    let methods = format!("{origin}\nmethods = [\"GET\"]");
    assert_eq!(read(&methods, to("/x")).await, "ok");
    assert_eq!(outcome(&methods, "read", post(1)).await, "methods");
    // private
    bench.network.name("crm.example.com", &[&["127.0.0.1"]]);
    let named = format!("http://crm.example.com:{}", server.address().port());
    let entry = format!("[[allow]]\norigin = \"{named}\"");
    assert_eq!(read(&entry, format!("{named}/x")).await, "address");
    assert_eq!(
        read(&format!("{entry}\nprivate = false"), format!("{named}/x")).await,
        "address"
    );
    assert_eq!(
        read(&format!("{entry}\nprivate = true"), format!("{named}/x")).await,
        "ok"
    );
    // base-url
    let below = format!("{}/api/x", other.origin());
    assert_eq!(read("", below.clone()).await, "ok");
    assert_eq!(read("base-url = \"granted\"", below.clone()).await, "ok");
    assert_eq!(
        read("base-url = \"listed\"", below.clone()).await,
        "nothing-allowed"
    );
    let listed = format!(
        "base-url = \"listed\"\n[[allow]]\norigin = \"{}\"",
        other.origin()
    );
    assert_eq!(read(&listed, below).await, "ok");
    // imports
    for (guest, policy, is_refused) in [
        (USES_VOID, "", false),
        (USES_VOID, "imports = \"void\"", false),
        (USES_VOID, "imports = \"minimal\"", true),
        (CALLS, "imports = \"minimal\"", false),
    ] {
        let setup = Setup::new(bench, guest, other.origin()).await.policy(policy);
        assert_eq!(setup.builder().build().is_err(), is_refused, "{guest}: {policy}");
    }
    // write-requests
    for (most, expected) in [(0, "write-requests"), (1, "ok denied"), (2, "ok denied")] {
        let policy = format!("write-requests = {most}\n{origin}");
        let requests = if most == 0 { 1 } else { 2 };
        assert_eq!(
            outcome(&policy, "write", post(requests)).await,
            expected,
            "{most}"
        );
    }
    let own = |most| format!("{origin}\n[operations.\"things.write\"]\nwrite-requests = {most}");
    assert_eq!(outcome(&own(0), "write", post(1)).await, "write-requests");
    assert_eq!(outcome(&own(1), "write", post(1)).await, "ok");
    // effects
    assert_eq!(outcome(&origin, "read", post(2)).await, "ok ok");
    let lowered = format!("{origin}\n[effects]\n\"things.read\" = \"write\"");
    assert_eq!(outcome(&lowered, "read", post(2)).await, "ok denied");
    let raised = format!("write-requests = 2\n{lowered}");
    assert_eq!(outcome(&raised, "read", post(2)).await, "ok ok");
}
