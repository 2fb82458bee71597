//! A node that waits for each response before it sends the next request: the service sees how many come at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nodule::{Credential, Engine, EngineConfig, RunOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Answers requests in groups: each waits until as many have come as its group has.
struct Groups {
    sizes: VecDeque<usize>,
    came: usize,
    answered: watch::Sender<usize>,
}

impl Groups {
    /// Counts a request. Returns the number of the group that it belongs to.
    fn enter(&mut self) -> usize {
        let group = *self.answered.borrow();
        self.came += 1;
        if Some(&self.came) == self.sizes.front() {
            (self.came, _) = (0, self.sizes.pop_front());
            self.answered.send_replace(group + 1);
        }
        group
    }
}

async fn serve(mut stream: TcpStream, groups: Arc<Mutex<Groups>>) {
    let mut answered = groups.lock().unwrap().answered.subscribe();
    let mut bytes = Vec::new();
    while stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
        if !bytes.ends_with(b"\r\n\r\n") {
            continue;
        }
        bytes.clear();
        let group = groups.lock().unwrap().enter();
        answered.wait_for(|answered| *answered > group).await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(answer).await.unwrap();
    }
}

/// Runs as many items as the groups have together, with eight slots. If other numbers of requests come at once than the
/// groups say, it does not end.
async fn run(turns: bool, sizes: &[usize]) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let groups = Arc::new(Mutex::new(Groups {
        sizes: sizes.iter().copied().collect(),
        came: 0,
        answered: watch::Sender::new(0),
    }));
    let kept = Arc::clone(&groups);
    let service = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&kept)));
        }
    });
    let engine = Engine::new(&EngineConfig::default().turns(turns)).unwrap();
    let guest = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/hostile/calls.wasm");
    let component = engine.load_file(guest).await.unwrap();
    let json = json!({"baseUrl": origin, "secret": "0123456789abcdef", "mode": "none"});
    let credential = Credential::from_json(component.node(), &json.to_string()).unwrap();
    let runner = component.runner().credential(credential).build().unwrap();
    let item = json!({"requests": [{"url": format!("{origin}/x")}]});
    let items: Vec<Value> = vec![item; sizes.iter().sum()];
    let options = RunOptions::default().concurrency(8);
    let run = runner.execute("things", "read", items, &options);
    let results = tokio::time::timeout(Duration::from_secs(60), run).await;
    let left = groups.lock().unwrap();
    let results = results.unwrap_or_else(|_| panic!("{} came at once, expected {:?}", left.came, left.sizes));
    assert!(results.unwrap().iter().all(Result::is_ok));
    assert!(left.sizes.is_empty(), "{:?}", left.sizes);
    service.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_blocks_gets_one_item_per_call_once_calls_of_two_have_shown_it() {
    run(false, &[4, 4, 8, 8, 8]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_blocks_by_turns_gets_one_item_per_call_after_its_first_calls() {
    run(true, &[2, 2, 2, 2, 8, 8, 8]).await;
}
