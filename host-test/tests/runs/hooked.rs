//! Headers that an embedder adds to requests.

use std::sync::{Arc, Mutex};

use nodule::recording::Meta;
use nodule::{
    Credential, Engine, EngineConfig, Failure, HookedRequest, RequestHook, RunOptions, RunnerBuilder,
};
use serde_json::json;
use simulator::Simulator;

use crate::support::{component, credential, logging, simulator};

/// Adds these headers, and stores what it was shown.
#[derive(Debug, Clone, Default)]
struct Adding {
    headers: Vec<(&'static str, String)>,
    shown: Arc<Mutex<Vec<String>>>,
}

impl RequestHook for Adding {
    fn headers(&self, request: HookedRequest<'_>) -> Vec<(http::HeaderName, http::HeaderValue)> {
        self.shown.lock().unwrap().push(format!("{request:?}"));
        let header = |(name, value): &(&'static str, String)| (name.parse().unwrap(), value.parse().unwrap());
        self.headers.iter().map(header).collect()
    }
}

fn adding(headers: &[(&'static str, &str)]) -> Adding {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
    Adding {
        headers: headers.collect(),
        ..Adding::default()
    }
}

async fn builder(simulator: &Simulator, hook: &Adding) -> RunnerBuilder {
    let engine = Engine::new(&EngineConfig::default()).unwrap();
    let component = engine.load_file(component()).await.unwrap();
    let credential = Credential::from_json(component.node(), &credential(simulator)).unwrap();
    let builder = component.runner().tenant("tenant-7").request_hook(hook.clone());
    builder.credential(credential)
}

async fn read(builder: RunnerBuilder) -> Result<nodule::Runner, Failure> {
    let runner = builder.build().unwrap();
    let items = vec![json!({"cardNo": "M4242"})];
    let mut results = runner
        .execute(
            "member",
            "getMember",
            items,
            &RunOptions::default().run_id("run-1"),
        )
        .await
        .unwrap();
    results.remove(0).map(|_| runner)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_adds_headers_to_every_request_and_sees_neither_values_nor_secrets() {
    let simulator = simulator(logging());
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let hook = adding(&[
        ("traceparent", trace),
        ("user-agent", "engine/1"),
        ("authorization", "mine"),
    ]);
    // The session's header replaces the hook's; otherwise the item would have failed.
    read(builder(&simulator, &hook).await).await.unwrap();
    let requests = simulator.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert!(
            request.header_names.iter().any(|name| name == "traceparent"),
            "{request:?}"
        );
        assert_eq!(request.user_agent.as_deref(), Some("engine/1"));
    }
    let shown = hook.shown.lock().unwrap().join("\n");
    for part in [
        "authenticate",
        "member.getMember",
        "tenant-7",
        "run-1",
        "/v1/member/{cardNo}",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    for part in ["M4242", simulator::DEMO_APP_SECRET] {
        assert!(!shown.contains(part), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_must_not_set_and_what_is_too_large_is_refused_of_a_hook_too() {
    let simulator = simulator(logging());
    for name in [
        "x-forwarded-for",
        "x-http-method-override",
        "host",
        "content-length",
        "cookie",
    ] {
        let hook = adding(&[(name, "1")]);
        match read(builder(&simulator, &hook).await).await {
            Err(Failure::Denied { message, .. }) => {
                assert!(
                    message.contains(name) && message.contains("request hook"),
                    "{message}"
                );
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let long = "a".repeat(1024 * 1024);
    let refused = read(builder(&simulator, &adding(&[("traceparent", &long)])).await).await;
    assert!(
        matches!(&refused, Err(Failure::Limit(message)) if message.contains("header-bytes")),
        "{refused:?}"
    );
    assert_eq!(simulator.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_hook_adds_is_in_no_recording() {
    let simulator = simulator(logging());
    let hook = adding(&[("traceparent", "the-trace")]);
    let meta = Meta::new("member", "getMember", simulator.base_url().parse().unwrap());
    let runner = read(builder(&simulator, &hook).await.record(meta)).await.unwrap();
    let recording = runner.recording("run.har").unwrap().unwrap();
    assert!(recording.contains("/v1/member/M4242"), "{recording}");
    assert!(
        !recording.contains("traceparent") && !recording.contains("the-trace"),
        "{recording}"
    );
    assert_eq!(simulator.requests().len(), 2);
    assert!(
        simulator
            .requests()
            .iter()
            .all(|request| request.header_names.iter().any(|name| name == "traceparent"))
    );
}
