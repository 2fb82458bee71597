//! How the server stops, and what its runs learn of it.

use std::process::Command;
use std::time::Duration;

use serde_json::json;
use simulator::Config;

use crate::support::{Server, component, get_member, member, simulator};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_with_whoever_started_it_and_leaves_no_socket() {
    let mut server = Server::start();
    assert_eq!(server.ready["ready"]["pid"], server.child.id());
    assert_eq!(server.ready["ready"]["socket"], json!(server.socket()));
    drop(server.child.stdin.take());
    let ended = tokio::task::block_in_place(|| server.child.wait()).unwrap();
    assert!(ended.success(), "{ended}");
    assert!(!server.socket().exists());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_end_it_lets_items_under_way_end_and_says_what_became_of_each() {
    let mut server = Server::start();
    let digest = server.load(&component()).await;
    let simulator = simulator(Config {
        latency: Duration::from_millis(300),
        ..Config::default()
    });
    let mut running = server.begin(&get_member(&digest, &simulator)).await;
    running.item(&member(1)).await;
    while simulator.stats().requests < 2 {
        tokio::task::yield_now().await;
    }
    let told = Command::new("kill")
        .arg(server.child.id().to_string())
        .status()
        .unwrap();
    assert!(told.success());
    let lines = running.rest().await;
    assert!(lines[0].get("output").is_some(), "{lines:?}");
    assert_eq!(lines[1]["end"]["ended"], "stopped", "{lines:?}");
    let ended = tokio::task::block_in_place(|| server.child.wait()).unwrap();
    assert!(ended.success(), "{ended}");
}
