//! Access tokens of a client that logs in by itself.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use http::Method;
use serde_json::{Value, json};

use crate::support::{Server, component};

pub fn guest() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/hostile/grants.wasm")
}

/// A service that takes one token, and keeps those that came. It ends with the test's process.
pub struct Service {
    base: String,
    port: u16,
    came: Arc<Mutex<Vec<String>>>,
}

impl Service {
    pub fn start(taken: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let came = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&came);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = Vec::new();
                let mut piece = [0; 1024];
                while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                    match stream.read(&mut piece) {
                        Ok(0) | Err(_) => break,
                        Ok(count) => head.extend_from_slice(&piece[..count]),
                    }
                }
                let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
                let bearer = head
                    .lines()
                    .find_map(|line| line.strip_prefix("authorization: bearer "));
                let bearer = bearer.unwrap_or_default().to_owned();
                let status = if bearer == taken { "200 OK" } else { "401 No" };
                log.lock().unwrap().push(bearer);
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
            }
        });
        Self {
            base: format!("http://127.0.0.1:{port}/api"),
            port,
            came,
        }
    }

    fn came(&self) -> Vec<String> {
        std::mem::take(&mut self.came.lock().unwrap())
    }

    fn binding(&self, digest: &str, token: &Value) -> Value {
        json!({
            "component": digest,
            "credential": {
                "$credential": "userApi", "baseUrl": self.base, "mode": self.port.to_string(), "clientId": "c1",
            },
            "token": token,
        })
    }

    pub fn run(&self, digest: &str, token: &Value) -> Value {
        let mut run = self.binding(digest, token);
        run["group"] = json!("things");
        run["operation"] = json!("read");
        run
    }

    pub fn item(&self) -> Value {
        json!({"id": 0, "parameters": {"requests": [{"url": format!("{}/things", self.base)}]}})
    }
}

#[tokio::test]
async fn a_run_asks_for_another_token_when_the_service_refuses_the_first() {
    let server = Server::start();
    let digest = server.load(&guest()).await;
    let service = Service::start("two");
    let mut running = server
        .begin(&service.run(&digest, &json!({"accessToken": "one"})))
        .await;
    running.item(&service.item()).await;
    assert_eq!(
        running.line().await.unwrap(),
        json!({"token": {"why": "refused"}})
    );
    let path = format!("/v1/runs/{}/token", running.id);
    let (status, problem) = server
        .json(
            Method::POST,
            &path,
            &json!({"accessToken": "two", "expiresAt": "s3cr3t"}),
        )
        .await;
    assert!(
        status == 400 && !problem.to_string().contains("s3cr3t"),
        "{problem}"
    );
    let (status, _) = server
        .json(Method::POST, &path, &json!({"accessToken": "two"}))
        .await;
    assert_eq!(status, 204);
    let result = running.line().await.unwrap();
    assert_eq!(result["output"][0]["status"], 200, "{result}");
    running.end_of_items();
    running.rest().await;
    assert_eq!(service.came(), ["one", "two"]);
    let (status, _) = server
        .json(Method::POST, &path, &json!({"accessToken": "three"}))
        .await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_token_that_ends_is_asked_for_before_an_item_needs_it() {
    let server = Server::start();
    let digest = server.load(&guest()).await;
    let service = Service::start("two");
    let ends = json!({"accessToken": "one", "expiresAt": "2026-01-01T00:00:00Z"});
    let mut running = server.begin(&service.run(&digest, &ends)).await;
    running.item(&service.item()).await;
    assert_eq!(running.line().await.unwrap(), json!({"token": {"why": "ending"}}));
    let path = format!("/v1/runs/{}/token", running.id);
    server
        .json(Method::POST, &path, &json!({"accessToken": "two"}))
        .await;
    let result = running.line().await.unwrap();
    assert_eq!(result["output"][0]["status"], 200, "{result}");
    assert_eq!(service.came(), ["two"]);
}

#[tokio::test]
async fn what_cannot_ask_uses_its_token_and_a_run_without_one_is_refused() {
    let server = Server::start();
    let digest = server.load(&guest()).await;
    let service = Service::start("two");
    for (token, ok) in [("two", true), ("one", false)] {
        let binding = service.binding(&digest, &json!({"accessToken": token}));
        let (status, checked) = server.json(Method::POST, "/v1/check-credential", &binding).await;
        assert_eq!((status.as_u16(), &checked["ok"]), (200, &json!(ok)), "{checked}");
    }
    // A credential of another scheme takes none.
    let session = server.load(&component()).await;
    let fields = json!({"baseUrl": service.base, "appId": "a", "appSecret": "b"});
    let binding = json!({"component": session, "credential": fields, "token": {"accessToken": "two"}});
    let (status, problem) = server.json(Method::POST, "/v1/check-credential", &binding).await;
    assert_eq!(status, 400);
    assert!(problem.to_string().contains("takes no access token"), "{problem}");
    let binding = service.binding(&digest, &Value::Null);
    let (status, problem) = server.json(Method::POST, "/v1/check-credential", &binding).await;
    assert_eq!(status, 400);
    assert!(
        problem["error"]["hint"].as_str().unwrap().contains("`token`"),
        "{problem}"
    );
    let wrong = service.binding(&digest, &json!({"accessToken": ["s3cr3t"]}));
    let (status, problem) = server.json(Method::POST, "/v1/check-credential", &wrong).await;
    assert!(
        status == 400 && !problem.to_string().contains("s3cr3t"),
        "{problem}"
    );
}
