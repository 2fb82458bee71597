//! Connections, the log, the control endpoints, concurrency and reproducibility.

use std::sync::Arc;

use http::{Method, StatusCode};
use nodule_core::json;
use nodule_core::json::Json;
use simulator::{Config, Count, LOG_CAPACITY, Simulator, StartError};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::client::{Session, adjustment};

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let session = Session::start().await;
    for number in 0..50 {
        session.got(&format!("/v1/member/M{number}")).await;
    }
    let stats = session.simulator.stats();
    assert_eq!(
        (stats.connections, stats.open_connections, stats.requests),
        (1, 1, 51)
    );
    session.simulator.stop();
}

#[tokio::test]
async fn concurrent_repetitions_count_once() {
    for workers in [1, 4] {
        let session = Arc::new(
            Session::with(Config {
                workers,
                ..Config::default()
            })
            .await,
        );
        let mut sent = JoinSet::new();
        for index in 0..600 {
            let session = Arc::clone(&session);
            let body = adjustment(&format!("op-{}", index % 200));
            sent.spawn(
                async move { session.posted("/v1/points/adjustment", body).await["repeated"] == false },
            );
        }
        let effective = sent
            .join_all()
            .await
            .into_iter()
            .filter(|effective| *effective)
            .count();
        assert_eq!(effective, 200);
        assert_eq!(session.simulator.balance("M17").as_deref(), Some("3000"));
        let operations = session.simulator.ledger().operations;
        assert_eq!(operations.len(), 200);
        assert!(operations.values().all(|count| *count
            == Count {
                applied: 1,
                received: 3
            }));
        Arc::into_inner(session).unwrap().simulator.stop();
    }
}

/// Every byte that a fixed list of requests is answered with.
async fn recording(seed: u64) -> Vec<u8> {
    let session = Session::with(Config {
        epoch: Some(1_760_000_000),
        seed,
        ..Config::default()
    })
    .await;
    let mut all = session.token.clone().into_bytes();
    for (method, path, body) in [
        (Method::GET, "/v1/member/M5", None),
        (Method::POST, "/v1/points/adjustment", Some(adjustment("op"))),
        (Method::GET, "/v1/points/pointsRecords/P17", None),
        (Method::GET, "/v1/member/none", None),
    ] {
        let answer = session.send(method, path, body).await.unwrap();
        all.extend_from_slice(format!("{} {:?}", answer.status, answer.headers).as_bytes());
        all.extend_from_slice(&answer.body);
    }
    session.simulator.stop();
    all
}

#[tokio::test]
async fn a_fixed_clock_and_seed_give_the_same_bytes() {
    let first = recording(7).await;
    assert_eq!(
        String::from_utf8(first.clone()).unwrap(),
        String::from_utf8(recording(7).await).unwrap()
    );
    assert_ne!(first, recording(8).await);
    assert!(!String::from_utf8(first).unwrap().contains("\"date\""));
}

#[tokio::test]
async fn the_log_shows_the_wire() {
    let session = Session::start().await;
    session.simulator.clear_requests();
    session
        .get("/openapi-prod/v1/member/A%2fB%20%E5%BC%A0?x=1&y=%2B")
        .await;
    session
        .post("/v1/points/adjustment", json!({ "name": "张" }))
        .await;
    let logged = session.simulator.requests();
    assert_eq!(logged.len(), 2);
    assert_eq!(
        logged[0].target,
        "/openapi-prod/v1/member/A%2fB%20%E5%BC%A0?x=1&y=%2B"
    );
    assert_eq!(
        (logged[0].method.as_str(), logged[0].content_type.as_deref()),
        ("GET", None)
    );
    assert_eq!(
        (logged[1].body.as_str(), logged[1].authorization),
        ("{\"name\":\"张\"}", true)
    );
    assert_eq!(logged[1].content_type.as_deref(), Some("application/json"));
    assert!(logged[1].header_names.contains(&"host".to_owned()));

    let shown = session.get("/_simulator/requests").await;
    assert_eq!(
        shown,
        Json::parse(&serde_json::to_string(&logged).unwrap()).unwrap()
    );
    assert!(!shown.to_string().contains(&session.token));
    let cleared = session
        .send(Method::DELETE, "/_simulator/requests", None)
        .await
        .unwrap();
    assert_eq!(cleared.status, StatusCode::NO_CONTENT);
    assert_eq!(session.simulator.requests(), []);
    session.simulator.stop();
}

#[tokio::test]
async fn the_log_is_off_by_default_and_capped() {
    let off = Session::with(Config::default()).await;
    off.got("/v1/member/M1").await;
    assert_eq!(off.simulator.requests(), []);
    off.simulator.stop();

    let on = Session::start().await;
    for number in 0..=LOG_CAPACITY {
        on.get(&format!("/v1/member/M{number}")).await;
    }
    let logged = on.simulator.requests();
    assert_eq!(
        (logged.len(), logged[0].target.as_str()),
        (LOG_CAPACITY, "/v1/member/M1")
    );
    on.simulator.stop();
}

#[tokio::test]
async fn the_control_endpoints_show_the_state() {
    let session = Session::start().await;
    session.posted("/v1/points/adjustment", adjustment("op-1")).await;
    assert_eq!(
        session.get("/_simulator/balance/M17").await,
        json!({ "balance": 1010 })
    );
    let ledger = session.get("/_simulator/ledger").await;
    assert_eq!(
        ledger["operations"],
        json!({ "op-1": { "applied": 1, "received": 1 } })
    );
    let stats = session.get("/_simulator/stats").await;
    assert_eq!(stats["byEndpoint"], json!({ "token": 1, "adjustPoints": 1 }));
    assert_eq!(
        (&stats["tokenRequests"], &stats["connections"]),
        (&json!(1), &json!(1))
    );
    for path in ["/_simulator/balance/none", "/_simulator/nothing"] {
        let answer = session.send(Method::GET, path, None).await.unwrap();
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    session.simulator.stop();
}

#[tokio::test]
async fn reading_leaves_no_trace() {
    let session = Session::start().await;
    for number in 0..1000 {
        session.got(&format!("/v1/points/pointsAccount/M{number}")).await;
    }
    assert_eq!(session.simulator.ledger(), simulator::Ledger::default());
    session.simulator.stop();
}

#[test]
fn a_port_is_free_when_the_simulator_has_ended() {
    let first = Simulator::start(Config::default()).unwrap();
    let config = Config {
        port: first.port(),
        ..Config::default()
    };
    let taken = Simulator::start(config.clone()).unwrap_err();
    assert!(matches!(taken, StartError::Listen { port, .. } if port == first.port()));
    first.stop();
    let second = Simulator::start(config.clone()).unwrap();
    drop(second);
    Simulator::start(config).unwrap().stop();
}

#[tokio::test]
async fn many_run_in_one_process() {
    let all: Vec<_> = (0..20)
        .map(|_| Simulator::start(Config::default()).unwrap())
        .collect();
    for simulator in &all {
        TcpStream::connect(("127.0.0.1", simulator.port())).await.unwrap();
    }
    for simulator in all {
        simulator.stop();
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let session = Session::start().await;
    let body = json!({ "appId": "x".repeat(17 << 20) });
    // The server answers without reading all of it, so the client may fail to write before it reads.
    if let Ok(answer) = session.send(Method::POST, "/v1/auth/token", Some(body)).await {
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    assert_eq!(session.simulator.stats().requests, 1);
    session.simulator.stop();
}

#[test]
fn debug_shows_no_secret() {
    let simulator = Simulator::start(Config::default()).unwrap();
    let text = format!("{simulator:?}");
    assert!(
        text.contains("demo") && !text.contains(simulator::DEMO_APP_SECRET),
        "{text}"
    );
    simulator.stop();
}
