//! A client of one simulator, and a socket for what no client does.

use std::io::ErrorKind;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nodule_core::json;
use nodule_core::json::Json;
use simulator::{Config, DEMO_APP_ID, DEMO_APP_SECRET, Simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Json {
        Json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub type Failed = Box<dyn std::error::Error + Send + Sync>;

/// A simulator, a client with a pool, and a token.
pub struct Session {
    pub simulator: Simulator,
    http: Client<HttpConnector, Full<Bytes>>,
    pub token: String,
}

impl Session {
    pub async fn start() -> Self {
        Self::with(Config {
            log_requests: true,
            ..Config::default()
        })
        .await
    }

    pub async fn with(config: Config) -> Self {
        let simulator = Simulator::start(config).unwrap();
        let http = Client::builder(TokioExecutor::new()).build_http();
        let mut session = Self {
            simulator,
            http,
            token: String::new(),
        };
        let data = session.exchange().await;
        let token = data["accessToken"].as_str().or(data["token"].as_str()).unwrap();
        session.token = token.to_owned();
        session
    }

    /// The `data` of a new token exchange.
    pub async fn exchange(&self) -> Json {
        let body = json!({ "appId": DEMO_APP_ID, "appSecret": DEMO_APP_SECRET });
        self.post("/v1/auth/token", body).await["data"].clone()
    }

    /// Sends a request with `authorization`, and a body if there is one.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        authorization: &str,
        body: Option<Bytes>,
    ) -> Result<Answer, Failed> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.simulator.base_url()));
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let response = self
            .http
            .request(request.body(Full::new(body.unwrap_or_default()))?)
            .await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }

    /// Sends a request with the session's token.
    pub async fn send(&self, method: Method, path: &str, body: Option<Json>) -> Result<Answer, Failed> {
        let body = body.map(|body| Bytes::from(body.to_string()));
        self.request(method, path, &self.token, body).await
    }

    pub async fn get(&self, path: &str) -> Json {
        self.send(Method::GET, path, None).await.unwrap().json()
    }

    pub async fn post(&self, path: &str, body: Json) -> Json {
        self.send(Method::POST, path, Some(body)).await.unwrap().json()
    }

    /// The `data` of a successful GET.
    pub async fn got(&self, path: &str) -> Json {
        succeeded(&self.get(path).await)
    }

    /// The `data` of a successful POST.
    pub async fn posted(&self, path: &str, body: Json) -> Json {
        succeeded(&self.post(path, body).await)
    }

    /// A raw connection.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.simulator.port()))
            .await
            .unwrap()
    }

    /// The bytes of a GET with the session's token.
    pub fn raw_get(&self, path: &str) -> String {
        format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n",
            self.token
        )
    }

    /// Sends a GET on a connection of its own and reads until it ends.
    pub async fn raw(&self, path: &str) -> Ending {
        let mut socket = self.connect().await;
        socket.write_all(self.raw_get(path).as_bytes()).await.unwrap();
        read_to_end(&mut socket).await
    }
}

pub fn succeeded(envelope: &Json) -> Json {
    assert_eq!(envelope["code"], "200", "{envelope}");
    envelope["data"].clone()
}

/// What was read, and whether the connection was reset or closed.
#[derive(Debug)]
pub struct Ending {
    pub text: String,
    pub reset: bool,
}

pub async fn read_to_end(socket: &mut TcpStream) -> Ending {
    let mut bytes = Vec::new();
    let reset = match socket.read_to_end(&mut bytes).await {
        Ok(_) => false,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
        Err(error) => panic!("{error}"),
    };
    Ending {
        text: String::from_utf8_lossy(&bytes).into_owned(),
        reset,
    }
}

/// A valid adjustment of 10 points for member 17.
pub fn adjustment(operation_id: &str) -> Json {
    json!({
        "accountType": 2, "accountCode": "M17", "operationId": operation_id, "operationType": 6, "pointValue": 10,
        "effectiveEndTime": 4_000_000_000_000_i64, "upgradeTierFlag": 0
    })
}

/// `base` with the fields of `changes`; `null` there removes a field.
pub fn changed(mut base: Json, changes: Json) -> Json {
    let Json::Object(changes) = changes else {
        panic!("an object")
    };
    for (name, value) in changes {
        let map = base.as_object_mut().unwrap();
        if value.is_null() {
            map.remove(&name);
        } else {
            map.insert(name, value);
        }
    }
    base
}
