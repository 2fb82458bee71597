//! Needs what `make build` leaves in `target`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use embedder::EngineJournal;
use futures_util::{StreamExt as _, stream};
use nodule::{Credential, Engine, EngineConfig, RunOptions, Runner};
use sqlx::SqlitePool;

struct Simulator(Child);

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target")
}

fn simulator() -> (Simulator, String) {
    let mut command = Command::new(target().join("release/simulator"));
    let mut child = command
        .args(["--port", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("`make build` leaves the simulator");
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let url = line.split_whitespace().find(|word| word.starts_with("http://"));
    (Simulator(child), url.expect("its URL").to_owned())
}

async fn runner(base: &str) -> Runner {
    let engine = Engine::new(&EngineConfig::default()).unwrap();
    let component = engine.load_file(target().join("socialhub.wasm")).await.unwrap();
    let credential =
        serde_json::json!({"baseUrl": base, "appId": "demo", "appSecret": "demo-secret-0123456789"});
    let credential = Credential::from_json(component.node(), &credential.to_string()).unwrap();
    component.runner().credential(credential).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_kept_in_the_engines_own_database_and_resumed_from_there() {
    let (_simulator, base) = simulator();
    let runner = runner(&base).await;
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    for (round, again) in [(0, 0), (1, 100)] {
        let options = RunOptions::default().journal(EngineJournal::new(pool.clone(), "run-7"));
        let items = stream::iter((0..100).map(|item| Ok(format!(r#"{{"cardNo":"M{item}"}}"#))));
        let mut results = runner.run("member", "getMember", items, &options).await.unwrap();
        let mut count = 0;
        while let Some(completed) = results.next().await {
            assert!(completed.unwrap().result.is_ok());
            count += 1;
        }
        let summary = results.finish().await.unwrap();
        assert_eq!((count, summary.again), (100, again), "round {round}");
    }
    let done: i64 = sqlx::query_scalar("SELECT count(*) FROM items WHERE state = 'done'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(done, 100);
}

/// Numbers of this crate's own are what they are without Nodule.
#[test]
fn the_library_turns_no_feature_of_serde_json_on_that_changes_this_crates_own_types() {
    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(f64),
        Text(String),
    }
    let read = |text| serde_json::from_str::<Either>(text).unwrap();
    assert_eq!(read("1.5"), Either::Number(1.5));
    assert_eq!(read("\"a\""), Either::Text("a".to_owned()));
    assert_eq!(
        serde_json::json!(1.0),
        serde_json::from_str::<serde_json::Value>("1.00").unwrap()
    );
}
