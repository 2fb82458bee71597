//! Instances that sign requests, which know the secret: rows 120 to 127.

use nodule::recording::{Meta, Recording};
use nodule::{Credential, Failure, ItemResult, RunOptions, Runner};
use serde_json::{Value, json};

use crate::bench::{Bench, SECRET, Setup, output};
use crate::guests::SIGNS;
use crate::server::{NOWHERE, Request, Server, answer, ok, within};

/// The guest with this `mode` for its signing instance.
async fn signing(bench: &Bench, base: &str, mode: &Value) -> Setup {
    Setup::new(bench, SIGNS, base).await.mode(&mode.to_string())
}

fn item(urls: &[String]) -> Value {
    let requests: Vec<Value> = urls.iter().map(|url| json!({"url": url})).collect();
    json!({"requests": requests})
}

async fn run(runner: &Runner, items: Vec<Value>) -> Vec<ItemResult> {
    let options = RunOptions::default();
    let run = runner.execute("things", "read", items, &options);
    within("the run", run).await.unwrap()
}

/// Sends one request, which must not be sent. Returns why.
async fn refused(setup: &Setup) -> Failure {
    let url = format!("{}/things", setup.base);
    run(&setup.runner(), vec![item(&[url])])
        .await
        .remove(0)
        .unwrap_err()
}

/// No form of the secret, whole or in part, is in a text.
fn is_clean(what: &str, text: &str) {
    let encoded: String = SECRET.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let json = serde_json::to_string(SECRET).unwrap();
    let text = text.to_ascii_lowercase();
    for form in [SECRET, &SECRET[..12], &encoded, json.trim_matches('"')] {
        assert!(!text.contains(&form.to_ascii_lowercase()), "{what}: {text}");
    }
}

async fn echoing() -> Server {
    Server::start(|_| ok("{}")).await
}

/// Row 120: nothing that it asks for leaves, whatever the policy allows the executing instance.
pub async fn reaches_out(bench: &Bench) {
    let (base, other) = (echoing().await, echoing().await);
    let urls = [
        format!("{}/stolen", base.origin()),
        format!("{}/stolen", other.origin()),
    ];
    let mode = json!({"how": "reaches", "urls": urls});
    let private = format!("[[allow]]\norigin = \"{}\"\nprivate = true", other.origin());
    let setup = signing(bench, &base.origin(), &mode).await.policy(private);
    let url = format!("{}/things", setup.base);
    let results = run(&setup.runner(), vec![item(&[url])]).await;
    assert_eq!(
        output(&results[0])[0]["status"],
        200,
        "the request itself is sent"
    );
    let seen = base.take();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].target(), "/things");
    let outcomes = seen[0].header("x-outcome");
    assert!(
        outcomes.len() == 2 && outcomes.iter().all(|it| it.contains("RequestDenied")),
        "{outcomes:?}"
    );
    assert!(other.take().is_empty());
    let event = bench.log.last("denied");
    assert_eq!(event["rule"], "signing");
    assert!(!event.to_string().contains("stolen") && event["origin"].as_str().unwrap_or_default().is_empty());
    is_clean("the events", &bench.log.text());
}

/// Row 121: another origin is another place for a secret, also one that the policy allows.
pub async fn other_origin(bench: &Bench) {
    let (base, other) = (echoing().await, echoing().await);
    let port = base.address().port();
    for url in [
        format!("{}/things", other.origin()),
        format!("http://localhost:{port}/things"),
        format!("https://127.0.0.1:{port}/things"),
        format!("http://user@127.0.0.1:{port}/things"),
        format!("http://2130706433:{port}/things"),
        "/things".to_owned(),
    ] {
        let allowed = format!("[[allow]]\norigin = \"{}\"\nprivate = true", other.origin());
        let setup = signing(bench, &base.origin(), &json!({"how": "url", "url": url})).await;
        let failure = refused(&setup.policy(allowed)).await;
        assert_eq!(failure.kind(), "signing", "{url}: {failure:?}");
        assert!(base.take().is_empty() && other.take().is_empty(), "{url}");
    }
}

/// Row 122: the headers of a signature are those that a request may have.
pub async fn headers(bench: &Bench) {
    let base = echoing().await;
    for (name, value) in [
        ("host", "evil.example"),
        ("connection", "x-secret"),
        ("transfer-encoding", "chunked"),
        ("Content-Length", "1"),
        ("x-http-method-override", "DELETE"),
        ("x_http_method_override", "DELETE"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-a", "1\r\nhost: evil.example"),
    ] {
        let mode = json!({"how": "header", "name": name, "value": value});
        let failure = refused(&signing(bench, &base.origin(), &mode).await).await;
        assert_eq!(failure.kind(), "signing", "{name}: {failure:?}");
        assert!(base.take().is_empty(), "{name}");
    }
    let mode = json!({"how": "header", "name": "x-a", "value": "v".repeat(1 << 20)});
    let failure = refused(&signing(bench, &base.origin(), &mode).await).await;
    assert!(failure.to_string().contains("`header-bytes`"), "{failure}");
    assert!(base.take().is_empty());
}

/// Row 123: it has the limits of every call, and its failure is in the host's words.
pub async fn limits(bench: &Bench) {
    let base = echoing().await;
    for (mode, kind) in [
        (json!({"how": "body-of", "bytes": 100 << 20}), "limit"),
        (json!({"how": "body-of", "bytes": 2 << 20}), "signing"),
        (json!({"how": "spins"}), "limit"),
        (json!({"how": "fails", "kind": "trap"}), "trap"),
        (json!({"how": "fails", "kind": "problems"}), "invalid-parameters"),
        (json!({"how": "fails", "kind": "unauthenticated"}), "signing"),
        (json!({"how": "fails", "kind": "denied"}), "signing"),
        (json!({"how": "fails", "kind": "limit"}), "signing"),
        (json!({"how": "fails", "kind": "other"}), "signing"),
    ] {
        let setup = signing(bench, &base.origin(), &mode).await;
        let setup = setup.limits("request-body-bytes = 1048576");
        let failure = refused(&setup).await;
        assert_eq!(failure.kind(), kind, "{mode}: {failure:?}");
        is_clean("a failure", &format!("{failure} {}", failure.to_json()));
        assert!(base.take().is_empty(), "{mode}");
        let tested = within("the test", setup.runner().check_credential()).await;
        assert_eq!(tested.unwrap_err().kind(), kind, "{mode}");
    }
    is_clean("the events", &bench.log.text());
}

/// Row 124: the policy decides about the URL that is sent.
pub async fn other_path(bench: &Bench) {
    let base = echoing().await;
    let narrow = format!(
        "base-url = \"listed\"\n[[allow]]\norigin = \"{}\"\nprivate = true\npath = \"/api/things\"",
        base.origin()
    );
    let api = format!("{}/api", base.origin());
    for path in [
        "/api/users",
        "/admin",
        "/api/things/../users",
        "/api/things/%2e%2e/users",
        "/api//things",
        "/api/things#x",
        "/api/things/a b",
        "/api/%74hings",
    ] {
        let mode = json!({"how": "url", "url": format!("{}{path}", base.origin())});
        let failure = refused(&signing(bench, &api, &mode).await.policy(&narrow)).await;
        assert_eq!(failure.kind(), "signing", "{path}: {failure:?}");
        assert!(!failure.to_string().contains("users"), "{failure}");
        assert!(base.take().is_empty(), "{path}");
    }
    let mode = json!({"how": "url", "url": format!("{api}/things/1?sign=%7E")});
    let setup = signing(bench, &api, &mode).await.policy(&narrow);
    let results = run(&setup.runner(), vec![item(&[format!("{api}/things")])]).await;
    assert_eq!(output(&results[0])[0]["status"], 200);
    assert_eq!(base.take()[0].target(), "/api/things/1?sign=%7E");
}

/// Says what it was asked, what was in it, and what only it knows beside the user.
fn repeat(request: &Request) -> Vec<crate::server::Step> {
    let signature = request.header("x-signature").join(" ");
    let body = format!(
        "{} {signature} {SECRET} {}",
        request.target(),
        String::from_utf8_lossy(&request.body)
    );
    answer(
        "401 Unauthorized",
        &[("x-asked", request.target()), ("x-signed", &signature)],
        body,
    )
}

/// Row 125: what a signature added comes back to nobody, and a replay needs no signature.
pub async fn repeated(bench: &Bench) {
    let base = Server::start(repeat).await;
    for how in ["hmac", "path", "body"] {
        let setup = signing(bench, &base.origin(), &json!({"how": how})).await;
        let url = format!("{}/things?a=1", base.origin());
        let items = vec![json!({"requests": [{"url": url, "method": "POST", "body": "{\"a\":1}"}]})];
        let meta = Meta::new("things", "read", base.origin().parse().unwrap());
        let runner = setup.builder().record(meta).build().unwrap();
        let results = run(&runner, items.clone()).await;
        let seen = base.take().remove(0);
        let sent = format!("{} {}", seen.head, String::from_utf8_lossy(&seen.body));
        let signature = seen
            .target()
            .split_once("sign=")
            .map(|(_, signature)| signature.to_owned());
        assert!(
            how != "hmac" || signature.as_ref().is_some_and(|signature| signature.len() == 64),
            "{sent}"
        );
        assert!(
            how == "hmac" || sent.contains("s3cr3t"),
            "{how}: the service gets it: {sent}"
        );
        let read = output(&results[0])[0].to_string();
        assert!(read.contains("[redacted]"), "{how}: {read}");
        let recording = runner.recording("case.har").unwrap().unwrap();
        for (what, text) in [
            ("what the node reads", &read),
            ("the recording", &recording),
            ("the events", &bench.log.text()),
            ("the runner", &format!("{runner:?}")),
        ] {
            is_clean(&format!("{how}, {what}"), text);
            if let Some(signature) = &signature {
                assert!(!text.contains(signature.as_str()), "{what}: {text}");
            }
        }
        assert!(recording.contains(&url), "{recording}");
        let failure = setup.runner().check_credential().await.unwrap_err();
        assert_eq!(
            failure.kind(),
            if how == "body" {
                "signing"
            } else {
                "unauthenticated"
            },
            "{failure:?}"
        );
        is_clean("the test's failure", &format!("{failure} {failure:?}"));
        base.take();
        let recording = Recording::from_json(recording.as_bytes(), "case.har").unwrap();
        let replay = setup.component.runner().replay(recording).build().unwrap();
        let replayed = run(&replay, items).await;
        assert_eq!(output(&replayed[0])[0].to_string(), read, "{how}");
        assert!(base.take().is_empty());
    }
}

/// Row 126: whether a request is signed is a message. The executing instance does not live to read it.
pub async fn messages(bench: &Bench) {
    let base = echoing().await;
    let setup = signing(bench, &base.origin(), &json!({"how": "bits"})).await;
    let bits = 0..8;
    let (set, unset): (Vec<usize>, Vec<usize>) = bits.partition(|bit| SECRET.as_bytes()[0] >> bit & 1 == 1);
    let url = |bit: &usize| format!("{}/bit/{bit}", base.origin());
    let mut urls = vec![url(&unset[0]), url(&set[0])];
    urls.extend(unset.iter().map(url));
    let results = run(&setup.runner(), vec![item(&urls), item(&[url(&unset[0])])]).await;
    let failure = results[0].as_ref().unwrap_err();
    assert_eq!(failure.kind(), "signing", "{failure:?}");
    assert_eq!(output(&results[1])[0]["status"], 200, "the next item runs");
    let asked: Vec<String> = base.take().iter().map(|seen| seen.target().to_owned()).collect();
    let first = format!("/bit/{}", unset[0]);
    assert!(
        asked.iter().all(|target| *target == first),
        "nothing follows: {asked:?}"
    );
}

/// Row 127: no instance signs twice.
pub async fn state(bench: &Bench) {
    let base = echoing().await;
    let setup = signing(bench, &base.origin(), &json!({"how": "counts"})).await;
    let urls: Vec<String> = (0..5).map(|index| format!("{}/{index}", base.origin())).collect();
    let runner = setup.runner();
    for _ in 0..2 {
        let results = run(&runner, vec![item(&urls), item(&urls)]).await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }
    let seen = base.take();
    assert_eq!(seen.len(), 20);
    assert!(
        seen.iter().all(|seen| seen.header("x-count") == ["1"]),
        "{seen:?}"
    );
    // The plan of a dry run is not signed, and neither is what has no credential to go to.
    let fields = json!({"baseUrl": NOWHERE, "secret": SECRET, "mode": "{\"how\":\"counts\"}"}).to_string();
    let credential = Credential::from_json(setup.component.node(), &fields).unwrap();
    let elsewhere = format!("[[allow]]\norigin = \"{}\"\nprivate = true", base.origin());
    let setup = setup.policy(elsewhere);
    let runner = setup.builder().credential(credential).build().unwrap();
    run(&runner, vec![item(&urls)]).await;
    assert!(base.take().iter().all(|seen| seen.header("x-count").is_empty()));
}
