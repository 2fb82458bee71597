//! Requests that are refused before anything runs.

use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use simulator::Config;

use crate::support::{Server, TOKEN, component, get_member, hostile, member, simulator};

#[tokio::test]
async fn without_the_token_nothing_is_answered() {
    let server = Server::start();
    for (path, said) in [
        ("/v1", None),
        ("/openapi.json", None),
        ("/none", None),
        ("/v1", Some("Bearer ")),
        ("/v1", Some(TOKEN)),
        ("/v1", Some("Bearer a-token-that-nobody-guesses-012345678")),
    ] {
        let mut request = Request::get(path).header("host", "nodule");
        if let Some(said) = said {
            request = request.header("authorization", said);
        }
        let request = request.body(Full::default().boxed_unsync()).unwrap();
        let answer = server.connection().await.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 401, "{path} {said:?}");
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn what_cannot_be_read_or_found_is_named_with_what_to_do() {
    let server = Server::start();
    let digest = server.load(&component()).await;
    let simulator = simulator(Config::default());
    let with = |key: &str, value: Value| {
        let mut run = get_member(&digest, &simulator);
        run[key] = value;
        run.to_string()
    };
    let other = format!("sha256:{}", "0".repeat(64));
    for (run, status, kind, part) in [
        (String::new(), 400, "invalid-request", "expected a run"),
        ("[]".to_owned(), 400, "invalid-request", "another kind"),
        (
            with("tenants", json!("")),
            400,
            "invalid-request",
            "unknown key `tenants`",
        ),
        (with("component", json!(other)), 404, "not-found", "is loaded"),
        (
            with("operation", json!("getMembers")),
            404,
            "unknown-operation",
            "getMembers",
        ),
        (
            with("credential", json!({"baseUrl": "x"})),
            400,
            "credential",
            "credential",
        ),
        (
            with("credential", Value::Null),
            400,
            "credential",
            "needs a credential",
        ),
        (
            with("policy", json!("alow = 1")),
            400,
            "invalid-request",
            "policy:1: unknown key `alow`",
        ),
        (
            with("allow", json!(["api.example.com"])),
            400,
            "invalid-request",
            "allow",
        ),
        (
            with("rate", json!("fast")),
            400,
            "invalid-request",
            "expected a rate",
        ),
        (
            with("concurrency", json!(0)),
            400,
            "invalid-request",
            "another kind",
        ),
        (
            with("concurrency", json!(1_000_000)),
            400,
            "invalid-request",
            "concurrency",
        ),
        (
            with("replay", json!({"path": "/etc/passwd"})),
            400,
            "invalid-request",
            "--read",
        ),
        (
            with("journal", json!({"path": "/etc/journal"})),
            400,
            "invalid-request",
            "--write",
        ),
        (
            with("record", json!({"path": "relative"})),
            400,
            "invalid-request",
            "--write",
        ),
    ] {
        let (found, body) = server
            .send(Method::POST, "/v1/runs", "application/x-ndjson", run.clone())
            .await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        let error = &body["error"];
        assert_eq!(
            (found.as_u16(), error["kind"].as_str().unwrap()),
            (status, kind),
            "{run}: {error}"
        );
        assert!(
            error["message"].as_str().unwrap().contains(part),
            "{run}: {error}"
        );
        assert!(!body.to_string().contains("demo-secret"), "{error}");
    }
    assert_eq!(simulator.stats().requests, 0);
}

#[tokio::test]
async fn a_component_is_loaded_from_its_bytes_if_they_are_the_pinned_ones() {
    let server = Server::start();
    let bytes = std::fs::read(component()).unwrap();
    let (_, loaded) = server
        .send(Method::POST, "/v1/components", "application/wasm", bytes.clone())
        .await;
    let loaded: Value = serde_json::from_slice(&loaded).unwrap();
    let digest = loaded["digest"].as_str().unwrap();
    let pinned = format!("/v1/components?digest={digest}");
    assert_eq!(
        server
            .send(Method::POST, &pinned, "application/wasm", bytes.clone())
            .await
            .0,
        200
    );
    let (status, _) = server
        .send(
            Method::POST,
            &pinned,
            "application/wasm",
            std::fs::read(hostile("calls")).unwrap(),
        )
        .await;
    assert_eq!(status, 409);
    assert_eq!(
        server
            .send(Method::POST, "/v1/components", "application/wasm", "no component")
            .await
            .0,
        400
    );
    assert_eq!(
        server
            .send(Method::POST, "/v1/components", "text/plain", bytes)
            .await
            .0,
        415
    );
    let outside = json!({"path": "/etc/passwd"});
    assert_eq!(server.json(Method::POST, "/v1/components", &outside).await.0, 400);
}

#[tokio::test]
async fn an_item_that_cannot_be_read_fails_by_its_position_and_hides_no_other() {
    let server = Server::start();
    let digest = server.load(&component()).await;
    let simulator = simulator(Config::default());
    let items = [
        member(7),
        json!("no item"),
        json!({"id": ["x"], "parameters": {}}),
        json!({"parameters": {"cardNo": "M3"}}),
    ];
    let lines = server.run(&get_member(&digest, &simulator), items).await;
    let results: Vec<(String, bool)> = lines
        .iter()
        .filter(|line| line.get("item").is_some())
        .map(|line| (line["item"].to_string(), line.get("output").is_some()))
        .collect();
    let expected = [("7", true), ("1", false), ("2", false), ("3", true)];
    assert_eq!(
        results,
        expected.map(|(item, is_done)| (item.to_owned(), is_done))
    );
}
