//! A server, and a client that knows HTTP and JSON and nothing more.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use simulator::{Config, DEMO_APP_ID, DEMO_APP_SECRET, Simulator};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

pub const TOKEN: &str = "a-token-that-nobody-guesses-0123456789";

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join("target")
}

pub fn component() -> PathBuf {
    target().join("socialhub.wasm")
}

pub fn hostile(name: &str) -> PathBuf {
    target().join("hostile").join(format!("{name}.wasm"))
}

/// A server that stops with its test.
pub struct Server {
    pub child: Child,
    pub folder: TempDir,
    pub ready: Value,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command, with a socket in its own folder, and files below that folder.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(target().join("release/nodule"));
    command
        .arg("serve")
        .arg("--socket")
        .arg(folder.join("run/s"))
        .arg("--cache")
        .arg(target().join("tmp/serve-cache"))
        .args(["--settings", "-", "--stdio-lifetime", "--read"])
        .arg(target())
        .arg("--write")
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

impl Server {
    pub fn start() -> Self {
        Self::with(&json!({"token": TOKEN}))
    }

    pub fn with(settings: &Value) -> Self {
        std::fs::create_dir_all(target().join("tmp")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let start = command(folder.path());
        Self::spawn(start, folder, settings)
    }

    /// Starts a server with a custom command, which has its socket in `run` and reads its settings from standard input.
    pub fn spawn(mut start: Command, folder: TempDir, settings: &Value) -> Self {
        let mut child = start.spawn().unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{settings}").unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            ready: serde_json::from_str(&line).expect("a ready line"),
            child,
            folder,
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("run/s")
    }

    pub async fn connection(&self) -> SendRequest<UnsyncBoxBody<Bytes, std::convert::Infallible>> {
        let stream = UnixStream::connect(self.socket()).await.unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        sender
    }

    /// Sends a request and returns the complete response.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: impl Into<Bytes>,
    ) -> (StatusCode, Vec<u8>) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "nodule")
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", kind)
            .body(Full::new(body.into()).boxed_unsync())
            .unwrap();
        let answer = self.connection().await.send_request(request).await.unwrap();
        let status = answer.status();
        (
            status,
            answer.into_body().collect().await.unwrap().to_bytes().to_vec(),
        )
    }

    pub async fn json(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let (status, body) = self
            .send(method, path, "application/json", body.to_string())
            .await;
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// Loads a component from its file and returns its digest.
    pub async fn load(&self, file: &Path) -> String {
        let (status, loaded) = self
            .json(Method::POST, "/v1/components", &json!({"path": file}))
            .await;
        assert_eq!(status, StatusCode::OK, "{loaded}");
        loaded["digest"].as_str().unwrap().to_owned()
    }

    /// A run whose item lines are all sent at once. Returns the response's lines.
    pub async fn run(&self, run: &Value, items: impl IntoIterator<Item = Value>) -> Vec<Value> {
        let first = std::iter::once(run.clone());
        let body: Vec<String> = first.chain(items).map(|line| line.to_string()).collect();
        let body = body.join("\n");
        let (status, body) = self
            .send(Method::POST, "/v1/runs", "application/x-ndjson", body)
            .await;
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        lines(&body)
    }

    /// Starts a run to which the caller writes items.
    pub async fn begin(&self, run: &Value) -> Running {
        let (items, lines) = mpsc::channel::<Bytes>(1);
        let body = futures_util::stream::unfold(lines, async |mut lines| Some((lines.recv().await?, lines)));
        let body = StreamBody::new(body.map(|line| Ok(Frame::data(line))));
        let request = Request::post("/v1/runs")
            .header("host", "nodule")
            .header("authorization", format!("Bearer {TOKEN}"))
            .body(body.boxed_unsync())
            .unwrap();
        let mut connection = self.connection().await;
        let answer = tokio::spawn(async move { connection.send_request(request).await });
        items.send(format!("{run}\n").into()).await.unwrap();
        let answer: Response<Incoming> = answer.await.unwrap().unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let mut running = Running {
            items: Some(items),
            answer: answer.into_body(),
            buffer: Vec::new(),
            id: String::new(),
        };
        let first = running.line().await.unwrap();
        first["run"]["id"].as_str().unwrap().clone_into(&mut running.id);
        running
    }
}

pub struct Running {
    items: Option<mpsc::Sender<Bytes>>,
    answer: Incoming,
    buffer: Vec<u8>,
    pub id: String,
}

impl Running {
    pub async fn item(&self, item: &Value) {
        self.items
            .as_ref()
            .unwrap()
            .send(format!("{item}\n").into())
            .await
            .unwrap();
    }

    pub fn end_of_items(&mut self) {
        self.items = None;
    }

    pub async fn line(&mut self) -> Option<Value> {
        loop {
            if let Some(at) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=at).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = self.answer.frame().await?.ok()?;
            self.buffer.extend_from_slice(frame.data_ref().unwrap());
        }
    }

    /// All remaining lines.
    pub async fn rest(&mut self) -> Vec<Value> {
        let mut lines = Vec::new();
        while let Some(line) = self.line().await {
            lines.push(line);
        }
        lines
    }
}

pub fn lines(body: &[u8]) -> Vec<Value> {
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

pub fn simulator(config: Config) -> Simulator {
    Simulator::start(config).unwrap()
}

pub fn credential(simulator: &Simulator) -> Value {
    json!({"baseUrl": simulator.base_url(), "appId": DEMO_APP_ID, "appSecret": DEMO_APP_SECRET})
}

/// `getMember` of this simulator.
pub fn get_member(digest: &str, simulator: &Simulator) -> Value {
    json!({"component": digest, "group": "member", "operation": "getMember", "credential": credential(simulator)})
}

pub fn member(id: usize) -> Value {
    json!({"id": id, "parameters": {"cardNo": format!("M{id}")}})
}

/// The item indices of the lines with results, in order.
pub fn items(lines: &[Value]) -> Vec<Value> {
    lines
        .iter()
        .filter_map(|line| line.get("item").cloned())
        .collect()
}
