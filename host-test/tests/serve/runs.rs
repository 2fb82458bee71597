//! Runs over the socket.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use simulator::{Action, Config, Rule};

use crate::support::{Server, component, credential, get_member, items, member, simulator};

#[tokio::test]
async fn each_result_comes_at_once_while_items_are_still_written() {
    let server = Server::start();
    let digest = server.load(&component()).await;
    let simulator = simulator(Config::default());
    let mut running = server.begin(&get_member(&digest, &simulator)).await;
    for id in [5, 3, 9] {
        running.item(&member(id)).await;
        let line = running.line().await.unwrap();
        assert_eq!(
            (&line["item"], line["output"].as_array().unwrap().len()),
            (&json!(id), 1)
        );
    }
    running.end_of_items();
    let end = running.rest().await;
    assert_eq!((end.len(), &end[0]["end"]["done"]), (1, &json!(3)));
}

#[tokio::test]
async fn results_come_in_the_items_order_or_as_they_are_known() {
    let server = Server::start();
    let digest = server.load(&component()).await;
    let simulator = simulator(Config::default());
    simulator
        .add_fault(Rule::new(Action::Latency { ms: 500 }).path("/v1/member/M0"))
        .unwrap();
    for (order, first) in [("items", 0), ("completion", 1)] {
        let mut run = get_member(&digest, &simulator);
        run["order"] = json!(order);
        // Each item is a call of its own, so none waits for its neighbours.
        let mut running = server.begin(&run).await;
        for id in 0..2 {
            running.item(&member(id)).await;
        }
        running.end_of_items();
        let lines = running.rest().await;
        assert_eq!(items(&lines), [json!(first), json!(1 - first)], "{order}");
    }
}

#[tokio::test]
async fn rows_come_page_by_page_to_who_asks_for_that() {
    let server = Server::start();
    let digest = server.load(&component()).await;
    let simulator = simulator(Config::default());
    let listing = |id: &str, account: &str| {
        let parameters = json!({"accountCode": account, "returnAll": true});
        json!({"id": id, "parameters": parameters})
    };
    let given = async |options: Value| {
        let mut run = get_member(&digest, &simulator);
        (run["group"], run["operation"]) = (json!("points"), json!("getPointsRecords"));
        for (key, value) in options.as_object().unwrap() {
            run[key] = value.clone();
        }
        let mut lines = server
            .run(&run, [listing("a", "F250"), listing("b", "F120")])
            .await;
        lines.retain(|line| line.get("item").is_some());
        let count = |line: &Value, key: &str| line[key].as_array().map(Vec::len);
        let shown = |line: &Value| {
            let rows = count(line, "rows").or(count(line, "output")).unwrap();
            let kind = if line.get("rows").is_some() {
                "rows"
            } else {
                "output"
            };
            format!("{} {rows} {kind} {}", line["item"].as_str().unwrap(), line["end"])
        };
        lines.iter().map(shown).collect::<Vec<_>>()
    };
    assert_eq!(given(json!({})).await, ["a 250 output null", "b 120 output null"]);
    let ends = [
        "a 100 rows null",
        "a 100 rows null",
        "a 50 rows null",
        r#"a 0 output {"rows":250}"#,
    ];
    let others = ["b 100 rows null", "b 20 rows null", r#"b 0 output {"rows":120}"#];
    assert_eq!(
        given(json!({"streamRows": true})).await,
        [&ends[..], &others[..]].concat()
    );
    let limited = [
        "a 100 rows null",
        "a 50 rows null",
        r#"a 0 output {"rows":150,"complete":false}"#,
        "b 100 rows null",
        "b 20 rows null",
        r#"b 0 output {"rows":120}"#,
    ];
    assert_eq!(given(json!({"streamRows": true, "limit": 150})).await, limited);
}

#[tokio::test]
async fn a_session_is_shared_by_the_runs_of_one_tenant_and_credential() {
    let server = Server::start();
    let digest = server.load(&component()).await;
    let simulator = simulator(Config::default());
    for (tenant, tokens) in [("a", 1), ("a", 1), ("b", 2)] {
        let mut run = get_member(&digest, &simulator);
        run["tenant"] = json!(tenant);
        server.run(&run, [member(1)]).await;
        assert_eq!(simulator.stats().token_requests, tokens, "{tenant}");
    }
    // A check of the credential makes its own session.
    let binding = json!({"component": digest, "tenant": "a", "credential": credential(&simulator)});
    server.json(Method::POST, "/v1/check-credential", &binding).await;
    assert_eq!(simulator.stats().token_requests, 3);
}

#[tokio::test]
async fn closing_the_connection_ends_the_run() {
    let server = Server::start();
    let digest = server.load(&component()).await;
    let simulator = simulator(Config {
        latency: Duration::from_millis(50),
        ..Config::default()
    });
    let running = server.begin(&get_member(&digest, &simulator)).await;
    for id in 0..200 {
        running.item(&member(id)).await;
    }
    drop(running);
    let mut runs = Value::Null;
    for _ in 0..50_000 {
        runs = server.json(Method::GET, "/v1", &Value::Null).await.1["runs"].clone();
        if runs == json!([]) {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(runs, json!([]));
    assert!(simulator.stats().requests < 200, "{}", simulator.stats().requests);
}

#[tokio::test]
async fn a_caller_who_does_not_read_slows_the_requests_down() {
    let server = Server::start();
    let digest = server.load(&component()).await;
    let simulator = simulator(Config::default());
    let running = server.begin(&get_member(&digest, &simulator)).await;
    let mut written = 0;
    // Until the server takes no more items.
    while tokio::time::timeout(Duration::from_secs(1), running.item(&member(written)))
        .await
        .is_ok()
    {
        written += 1;
        assert!(written < 200_000, "everything is taken");
    }
    let requests = simulator.stats().requests;
    assert!(requests < written as u64, "{requests} of {written}");
}

#[tokio::test]
async fn after_a_failure_stop_starts_nothing_more_and_abandon_says_what_is_known() {
    let server = Server::start();
    let digest = server.load(&component()).await;
    let simulator = simulator(Config {
        latency: Duration::from_millis(100),
        ..Config::default()
    });
    let mut run = get_member(&digest, &simulator);
    run["onFailure"] = json!("stop");
    run["concurrency"] = json!(1);
    let lines = server
        .run(&run, [member(0), json!({"id": 1, "parameters": {}}), member(2)])
        .await;
    assert_eq!(items(&lines), [json!(0), json!(1), json!(2)]);
    assert_eq!(lines[3]["error"]["kind"], "not-run", "{lines:?}");

    run["operation"] = json!("memberAdmission");
    let before = simulator.stats().requests;
    let mut running = server.begin(&run).await;
    let admission =
        json!({"loyaltyCode": "LP001", "mobilePhone": "13900000001", "memberName": "Ada", "storeCode": "S1"});
    running.item(&json!({"id": "x", "parameters": admission})).await;
    while simulator.stats().requests == before {
        tokio::task::yield_now().await;
    }
    let path = format!("/v1/runs/{}/abandon", running.id);
    server.json(Method::POST, &path, &Value::Null).await;
    let lines = running.rest().await;
    assert_eq!(lines[0]["item"], "x", "{lines:?}");
    assert_eq!(lines[0]["error"]["certainty"], "unknown", "{lines:?}");
    assert_eq!(lines[1]["end"]["ended"], "stopped", "{lines:?}");
}

#[tokio::test]
async fn a_journal_a_recording_and_a_replay_are_files_below_the_named_folders() {
    let server = Server::start();
    let digest = server.load(&component()).await;
    let simulator = simulator(Config::default());
    let at = |name: &str| server.folder.path().join(name);

    let mut run = get_member(&digest, &simulator);
    run["journal"] = json!({"path": at("journal")});
    for again in [0, 2] {
        let lines = server.run(&run, [member(1), member(2)]).await;
        assert_eq!(lines.last().unwrap()["end"]["again"], again);
    }
    let conflict = format!("{run}\n{}\n", member(9));
    let (_, body) = server
        .send(Method::POST, "/v1/runs", "application/x-ndjson", conflict)
        .await;
    let broken = crate::support::lines(&body);
    assert_eq!(
        broken.last().unwrap()["end"]["error"]["kind"],
        "journal",
        "{broken:?}"
    );

    let mut run = get_member(&digest, &simulator);
    run["record"] = json!({"path": at("a.har"), "against": "the simulator"});
    let recorded = server.run(&run, [member(1), member(2)]).await;
    assert!(
        recorded.last().unwrap()["end"].get("error").is_none(),
        "{recorded:?}"
    );
    let requests = simulator.stats().requests;
    run["record"] = Value::Null;
    run["replay"] = json!({"path": at("a.har")});
    let replayed = server.run(&run, [member(1), member(2)]).await;
    assert_eq!(replayed[1..3], recorded[1..3]);
    assert_eq!(simulator.stats().requests, requests);
}

#[tokio::test]
async fn a_policy_of_the_settings_holds_for_runs_that_bring_none() {
    let settings = json!({"token": crate::support::TOKEN, "policy": "base-url = \"listed\""});
    let server = Server::with(&settings);
    let digest = server.load(&component()).await;
    let simulator = simulator(Config::default());
    let mut run = get_member(&digest, &simulator);
    let lines = server.run(&run, [member(1)]).await;
    assert_eq!(lines[1]["error"]["kind"], "denied", "{lines:?}");
    run["allow"] = json!([{"origin": simulator.base_url(), "path": "/v1", "methods": ["GET", "POST"]}]);
    let lines = server.run(&run, [member(1)]).await;
    assert!(lines[1].get("output").is_some(), "{lines:?}");
    run["allow"] = json!([]);
    run["policy"] = json!("");
    let lines = server.run(&run, [member(1)]).await;
    assert!(lines[1].get("output").is_some(), "{lines:?}");
}
