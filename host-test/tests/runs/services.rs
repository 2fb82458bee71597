//! Every scenario of the raw server, read and written, by turns and through `wasi:http`.

use std::time::Duration;

use futures_util::StreamExt as _;
use host_test::raw::{self, Scenario, Server, TRIES};
use nodule::policy::Policy;
use nodule::retry::Retry;
use nodule::{Component, Credential, Engine, EngineConfig, RunOptions, Runner};
use serde_json::{Value, json};

use crate::support::component;

fn runner(component: &Component, base: &str, policy: &str) -> Runner {
    let json = json!({"baseUrl": base, "appId": "demo", "appSecret": "demo-secret-0123456789"});
    let credential = Credential::from_json(component.node(), &json.to_string()).unwrap();
    let policy = Policy::from_toml(policy, "policy.toml").unwrap();
    let builder = component.runner().policy(policy);
    builder.credential(credential).build().unwrap()
}

/// Runs one operation and returns its outcome.
async fn run(component: &Component, base: &str, policy: &str, is_write: bool) -> Result<String, Value> {
    let runner = runner(component, base, policy);
    let retry = Retry::default()
        .tries(TRIES)
        .waits(Duration::from_millis(1), Duration::from_millis(2));
    let options = RunOptions::default().retry(retry);
    let (group, operation, item) = if is_write {
        (
            "masterdata",
            "saveStore",
            json!({"organizationCode": "O1", "organizationName": "N"}),
        )
    } else {
        ("member", "getMember", json!({"cardNo": "M17"}))
    };
    let mut results = runner
        .execute(group, operation, vec![item], &options)
        .await
        .unwrap();
    match results.remove(0) {
        Ok(output) => Ok(output[0].get().to_owned()),
        Err(failure) => Err(serde_json::to_value(failure.to_json()).unwrap()),
    }
}

/// Every difference from the table.
async fn problems(turns: bool) -> Vec<String> {
    let engine = Engine::new(&EngineConfig::default().turns(turns)).unwrap();
    let component = engine.load_file(component()).await.unwrap();
    let mut problems = Vec::new();
    for is_write in [false, true] {
        let server = Server::start(raw::scenarios());
        let rows = futures_util::stream::iter(raw::scenarios()).map(|scenario| {
            let (component, server) = (&component, &server);
            async move {
                let Scenario {
                    name,
                    policy,
                    read,
                    write,
                    ..
                } = scenario;
                let result = run(component, &server.base(name), policy, is_write).await;
                let expected = if is_write { write } else { read };
                let problem = expected.problem(&result, server.requests(name))?;
                let effect = if is_write { "write" } else { "read" };
                Some(format!("{name}, {effect}: {problem}"))
            }
        });
        let found: Vec<Option<String>> = rows.buffer_unordered(8).collect().await;
        problems.extend(found.into_iter().flatten());
    }
    problems
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_service_is_read_as_its_scenario_says() {
    let problems = problems(true).await;
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_service_is_read_as_its_scenario_says_through_wasi_http() {
    let problems = problems(false).await;
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems.join("\n")
    );
}

/// A run's worth of plain writes, at a service that closes connections without announcing it. Returns those that
/// failed.
async fn writes(scenario: &str) -> (Vec<Value>, usize) {
    const WRITES: usize = 300;
    let engine = Engine::new(&EngineConfig::default()).unwrap();
    let component = engine.load_file(component()).await.unwrap();
    let server = Server::start(raw::scenarios());
    let runner = runner(&component, &server.base(scenario), "");
    let item = |index| json!({"organizationCode": format!("O{index}"), "organizationName": "N"});
    let items = (0..WRITES).map(item).collect();
    let options = RunOptions::default();
    let results = runner
        .execute("masterdata", "saveStore", items, &options)
        .await
        .unwrap();
    assert_eq!(results.len(), WRITES);
    let failed = results
        .into_iter()
        .filter_map(|result| serde_json::to_value(result.err()?.to_json()).ok());
    (failed.collect(), server.requests(scenario))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_plain_write_is_lost_where_a_service_closes_connections_without_a_word() {
    for scenario in ["kaclose", "kaclose20", "kaclose100"] {
        let (failed, requests) = writes(scenario).await;
        assert!(
            failed.is_empty(),
            "{scenario}: {} failed: {}",
            failed.len(),
            failed[0]
        );
        assert_eq!(requests, 300, "{scenario}: each was sent once");
    }
}
