//! Who may know the secret: rows 18 to 24; and no event shows it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use nodule::recording::Meta;
use nodule::{Credential, Failure, RunOptions};
use serde_json::{Value, json};

use crate::bench::{Bench, ITEM_DATA, SECRET, Setup, output};
use crate::guests::{CALLS, SEARCHES, TELLS};
use crate::server::{Request, Server, answer, ok};

/// The token that the guests derive from the secret.
fn token() -> String {
    SECRET.chars().rev().collect()
}

/// Every form of a secret.
fn forms(secret: &str) -> Vec<String> {
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let escaped: String = secret
        .chars()
        .map(|character| format!("\\u{:04x}", u32::from(character)))
        .collect();
    let json = json!(secret).to_string();
    vec![
        secret.to_owned(),
        STANDARD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        percent,
        escaped,
        json.trim_matches('"').to_owned(),
    ]
}

fn assert_clean(what: &str, text: &str) {
    for secret in [SECRET.to_owned(), token()] {
        for form in forms(&secret) {
            assert!(!text.contains(&form), "{what} shows a secret as `{form}`: {text}");
        }
        // A part that is long enough to be useful.
        assert!(
            !text.contains(&secret[..12]) && !text.contains(&secret[12..24]),
            "{what} shows a piece: {text}"
        );
    }
}

fn api(server: &Server) -> String {
    format!("{}/api", server.origin())
}

pub async fn not_added_elsewhere(bench: &Bench) {
    let (server, other) = (
        Server::start(|_| ok("{}")).await,
        Server::start(|_| ok("{}")).await,
    );
    let setup = Setup::new(bench, CALLS, api(&server))
        .await
        .allow(&other.origin())
        .allow(&server.origin());
    let urls = [
        format!("{}/api/things", server.origin()),
        format!("{}/other", server.origin()),
        format!("{}/apix", server.origin()),
        format!("{}/api/..%2fother", server.origin()),
        format!("{}/api/things", other.origin()),
    ];
    let requests: Vec<Value> = urls.iter().map(|url| json!({"url": url})).collect();
    let results = setup.run(vec![json!({"requests": requests})]).await;
    assert_eq!(output(&results[0]).len(), urls.len());
    let carried = |requests: Vec<Request>| -> Vec<(String, usize)> {
        requests
            .iter()
            .map(|seen| (seen.target().to_owned(), seen.header("authorization").len()))
            .collect()
    };
    let expected = [
        ("/api/things", 1),
        ("/other", 0),
        ("/apix", 0),
        ("/api/..%2Fother", 0),
    ];
    assert_eq!(
        carried(server.take()),
        expected.map(|(target, count)| (target.to_owned(), count))
    );
    assert_eq!(carried(other.take()), [("/api/things".to_owned(), 0)]);
}

pub async fn memory_search(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let mask = |text: &str| text.bytes().map(|byte| char::from(byte ^ 1)).collect::<String>();
    // The authenticating instance finds the secret or traps, so the search works.
    let setup = Setup::new(bench, SEARCHES, api(&server))
        .await
        .mode(&mask(SECRET));
    let marker = "a-text-that-is-there";
    let wanted = [
        SECRET,
        &token(),
        marker,
        &STANDARD.encode(SECRET),
        &STANDARD.encode(token()),
    ];
    let masked: Vec<String> = wanted.iter().map(|text| mask(text)).collect();
    let results = setup.run(vec![json!({"masked": masked, "marker": marker})]).await;
    let seen = output(&results[0]).remove(0);
    let found: Vec<u64> = seen["found"]
        .as_array()
        .unwrap()
        .iter()
        .map(|count| count.as_u64().unwrap())
        .collect();
    assert!(found[2] > 0, "the search finds what is there: {seen}");
    assert_eq!(
        (found[0], found[1], found[3], found[4]),
        (0, 0, 0, 0),
        "and no secret: {seen}"
    );
    let given = json!({
        "group": "things", "operation": "read", "baseUrl": api(&server), "hasAccess": false, "arguments": 0,
    });
    assert_eq!(seen["given"], given);
    assert_clean("the call", &seen.to_string());
}

pub async fn quarantine(bench: &Bench) {
    let server = Server::start(|_| ok("a-token-0123456789")).await;
    let thief = Server::start(|_| ok("{}")).await;
    // The policy lists the other host, and the executing instance may contact it.
    let setup = |mode: String| async move { Setup::new(bench, TELLS, String::new()).await.mode(&mode) };
    let clean = Setup {
        base: api(&server),
        ..setup("clean".to_owned()).await
    };
    assert!(
        clean.run(vec![json!({})]).await[0].is_ok(),
        "below its base URL it may authenticate"
    );
    assert_eq!(server.take().first().unwrap().target(), "/api/token");
    for url in [
        thief.origin(),
        format!("{}/elsewhere", server.origin()),
        "https://listed.example".to_owned(),
    ] {
        let stealing = Setup {
            base: api(&server),
            ..setup(format!("send to {url}")).await
        };
        let stealing = stealing
            .allow(&thief.origin())
            .allow(&server.origin())
            .allow("https://listed.example");
        let results = stealing.run(vec![json!({})]).await;
        let Err(failure @ Failure::Denied { .. }) = &results[0] else {
            panic!("{:?}", results[0])
        };
        assert_clean("the failure", &format!("{failure:?} {}", failure.to_json()));
        assert_clean("the event", &bench.log.last("denied").to_string());
        let rule = bench.log.last("denied")["rule"].clone();
        assert!(rule == "authentication" || rule == "forbidden-method", "{rule}");
        // As the first label of a host name, the secret loses its special characters.
        let label: String = SECRET.chars().filter(char::is_ascii_alphanumeric).collect();
        for text in [
            failure.to_string(),
            failure.to_json().to_string(),
            bench.log.text(),
        ] {
            assert!(!text.contains(&label), "the host's own words hold the secret");
        }
    }
    assert_eq!((thief.connections(), server.take().len()), (0, 0));
    assert!(bench.network.take().0.is_empty());
}

pub async fn echo(bench: &Bench) {
    let server = Server::start(|request| {
        let authorization = request.header("authorization").join("");
        let token = authorization.trim_start_matches("Bearer ").to_owned();
        let forms = [forms(&token), forms(SECRET)].concat();
        // Each form alone, and all together.
        let alone = request
            .target()
            .strip_prefix("/api/echo/")
            .map(|n| n.parse::<usize>().unwrap());
        let body = match alone {
            Some(n) => forms[n].clone(),
            None => format!("<{}> <{authorization}>", forms.join("> <")),
        };
        answer(
            "200 OK",
            &[
                ("x-echo", &authorization),
                ("x-token", &token),
                ("x-secret", SECRET),
            ],
            body,
        )
    })
    .await;
    let setup = Setup::new(bench, CALLS, api(&server)).await;
    let seen = setup.get(&format!("{}/echo", api(&server))).await.unwrap();
    assert!(
        seen["body"].as_str().unwrap().matches("[redacted]").count() >= 10,
        "{seen}"
    );
    assert_clean("the node", &seen.to_string());
    for n in 0..2 * forms(SECRET).len() {
        let seen = setup.get(&format!("{}/echo/{n}", api(&server))).await.unwrap();
        assert_eq!(seen["body"], "[redacted]", "form {n}: {seen}");
    }
    for name in ["x-echo", "x-token", "x-secret"] {
        let header = seen["headers"]
            .as_array()
            .unwrap()
            .iter()
            .find(|header| header[0] == name)
            .unwrap();
        assert!(header[1].as_str().unwrap().contains("[redacted]"), "{header}");
    }
    // In pieces over the wire, and compressed.
    let gzip = Server::start(|request| {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder
            .write_all(request.header("authorization").join("").as_bytes())
            .unwrap();
        answer(
            "200 OK",
            &[("content-encoding", "gzip")],
            encoder.finish().unwrap(),
        )
    })
    .await;
    let setup = Setup::new(bench, CALLS, api(&gzip)).await;
    let seen = setup.get(&format!("{}/echo", api(&gzip))).await.unwrap();
    assert_eq!(seen["body"], "[redacted]", "{seen}");
}

pub async fn own_headers(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let setup = Setup::new(bench, CALLS, api(&server)).await;
    let url = format!("{}/x", api(&server));
    for name in [
        "host",
        "connection",
        "transfer-encoding",
        "keep-alive",
        "upgrade",
        "te",
        "proxy-connection",
        "proxy-authorization",
        "proxy-x",
        "expect",
        "trailer",
    ] {
        server.take();
        let failure = setup
            .call(json!({"url": url, "headers": [[name, "x"]]}))
            .await
            .expect_err(name);
        // `wasi:http` refuses to build such requests.
        assert!(
            ["invalid-input", "denied"].contains(&failure.kind()),
            "{name}: {failure:?}"
        );
        assert_eq!(server.take().len(), 1, "{name}: only the honest request");
    }
    // Only the session's value is sent for its headers, once.
    let own = json!([
        ["authorization", "mine"],
        ["Authorization", "mine too"],
        ["x-own", "kept"]
    ]);
    setup.call(json!({"url": url, "headers": own})).await.unwrap();
    let seen = server.take().swap_remove(0);
    assert_eq!(seen.header("authorization"), [format!("Bearer {}", token())]);
    assert_eq!(seen.header("x-own"), ["kept"]);
    // A request with a wrong length is refused, and no part of it is sent.
    for (length, body) in [("5", "123"), ("2", "123"), ("x", "123"), ("3", "")] {
        server.take();
        let request =
            json!({"url": url, "method": "POST", "headers": [["content-length", length]], "body": body});
        let failure = setup.call(request).await.expect_err(length);
        assert!(
            ["denied", "limit", "unavailable", "invalid-input"].contains(&failure.kind()),
            "{length}: {failure:?}"
        );
        assert_eq!(server.take().len(), 1, "{length}: only the honest request");
    }
}

pub async fn recording(bench: &Bench) {
    let server = Server::start(|request| {
        let authorization = request.header("authorization").join("");
        let body = [forms(&authorization), forms(&token()), forms(SECRET)]
            .concat()
            .join("\n");
        answer("200 OK", &[("x-echo", &authorization)], body)
    })
    .await;
    let setup = Setup::new(bench, CALLS, api(&server)).await;
    let meta = Meta::new("things", "read", api(&server).parse().unwrap());
    let runner = setup.builder().record(meta.clone()).build().unwrap();
    let url = format!("{}/echo", api(&server));
    let items = vec![json!({"requests": [{"url": url, "headers": [["authorization", "mine"]]}]})];
    runner
        .execute("things", "read", items, &RunOptions::default())
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("case.har");
    runner.save_recording(&file).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("[redacted]"), "{text}");
    assert_clean("the recording", &text);
    // If an item contains the secret, the file has it redacted, or is not saved.
    for form in forms(SECRET) {
        let runner = setup.builder().record(meta.clone()).build().unwrap();
        let items = vec![json!({"requests": [{"url": url, "method": "POST", "body": form}], "note": form})];
        runner
            .execute("things", "read", items, &RunOptions::default())
            .await
            .unwrap();
        let file = folder.path().join("leak.har");
        match runner.save_recording(&file) {
            Ok(()) => assert_clean("the recording", &std::fs::read_to_string(&file).unwrap()),
            Err(error) => {
                assert_clean("the error", &format!("{error} {error:?}"));
                assert!(!file.exists());
            }
        }
    }
}

pub async fn debug_output(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let setup = Setup::new(bench, CALLS, api(&server)).await;
    let (credential, runner) = (setup.credential(), setup.runner());
    runner.check_credential().await.unwrap();
    let secret = nodule::secret::Secret::new(SECRET.to_owned());
    let redactor = nodule::redact::Redactor::new([&secret]);
    let shown = format!(
        "{credential:?} {credential:#?} {runner:?} {:?} {secret:?} {redactor:?} {:?}",
        setup.builder(),
        bench.engine
    );
    assert!(shown.contains("base_url"), "{shown}");
    assert_clean("Debug", &shown);
    // An error about a credential shows none of its values.
    let node = setup.component.node();
    for json in [
        json!({"secret": SECRET, "mode": "x"}).to_string(),
        json!({"baseUrl": "nonsense", "secret": SECRET}).to_string(),
        json!({"baseUrl": api(&server), "secret": [SECRET]}).to_string(),
        format!("{{\"secret\": {:?}", SECRET),
        format!("{SECRET:?}"),
    ] {
        let error = Credential::from_json(node, &json).unwrap_err();
        assert_clean("the error", &format!("{error} {error:?}"));
    }
    // The host shows no text from a node that knows the secret.
    let modes = [
        "rejected",
        "unintelligible",
        "limit",
        "invalid-input",
        "invalid-parameters",
        "other",
        "panic",
        "session crlf",
        "session host",
        "session name",
    ];
    for mode in modes {
        let telling = Setup::new(bench, TELLS, api(&server)).await.mode(mode);
        let results = telling.run(vec![json!({})]).await;
        let failure = results[0].as_ref().expect_err(mode);
        assert_clean(mode, &format!("{failure:?} {failure} {}", failure.to_json()));
    }
    assert!(server.take().is_empty(), "and none of these sent anything");
}

pub async fn events(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let setup = Setup::new(bench, CALLS, api(&server)).await;
    let data = format!("{ITEM_DATA}-in-a-path");
    let request = json!({
        "url": format!("{}/things/{data}?q={ITEM_DATA}", api(&server)), "method": "POST",
        "headers": [["x-data", ITEM_DATA]], "body": ITEM_DATA,
    });
    setup.call(request).await.unwrap();
    let declared = json!({"id": data, "requests": [{"url": format!("{}/things/{data}", api(&server))}]});
    let options = RunOptions::default();
    let results = setup
        .runner()
        .execute("things", "one", vec![declared], &options)
        .await;
    assert!(results.unwrap()[0].is_ok());
    setup
        .get(&format!("{}/undeclared/{data}", api(&server)))
        .await
        .unwrap();
    setup
        .get(&format!("https://api.example.com/{data}?{ITEM_DATA}"))
        .await
        .unwrap_err();
    // By turns, methods like this one do not exist.
    let odd = setup.call(json!({"url": api(&server), "method": ITEM_DATA}));
    assert_eq!(odd.await.is_ok(), !bench.turns);
    let text = bench.log.text();
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ours = |message: &str| {
        let named = events
            .iter()
            .filter(|event| event["fields"]["message"] == message);
        named
            .filter(|event| event["target"].as_str().unwrap().starts_with("nodule::"))
            .cloned()
            .collect::<Vec<_>>()
    };
    let request = ours("request")
        .iter()
        .rfind(|event| event["fields"]["path"] == "/things/{id}")
        .cloned()
        .unwrap();
    let fields = &request["fields"];
    assert_eq!(
        (&fields["method"], &fields["status"]),
        (&json!("GET"), &json!(200)),
        "{request}"
    );
    for name in [
        "node",
        "digest",
        "operation",
        "origin",
        "outcome",
        "ms",
        "sent",
        "received",
    ] {
        assert!(!fields[name].is_null(), "{name}: {request}");
    }
    assert!(ours("request").iter().any(|event| event["fields"]["path"] == "…"));
    let is_odd = |event: &Value| event["fields"]["method"] == "other";
    assert_eq!(ours("request").iter().any(is_odd), !bench.turns);
    for message in ["denied", "authentication"] {
        assert!(!ours(message).is_empty(), "{message}");
    }
    // Every event of this library, at every level, from all earlier rows.
    for event in events
        .iter()
        .filter(|event| event["target"].as_str().unwrap().starts_with("nodule"))
    {
        let event = event.to_string();
        assert!(!event.contains(ITEM_DATA), "{event}");
        assert_clean("an event", &event);
    }
}
