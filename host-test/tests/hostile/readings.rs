//! Paths that leave a path rule if a server reads them in its own way: row 99.

use serde_json::json;

use crate::bench::{Bench, Setup, kinds};
use crate::guests::CALLS;
use crate::server::{Server, ok};

pub async fn paths(bench: &Bench) {
    let server = Server::start(|_| ok("{}")).await;
    let setup = Setup::new(bench, CALLS, format!("{}/api", server.origin())).await;
    let run = async |path: &str| {
        let url = format!("{}{path}", server.origin());
        kinds(&setup.run(vec![json!({"requests": [{"url": url}]})]).await).remove(0)
    };
    for out in [
        "/api/..%c0%afadmin",
        "/api/%c0%ae%c0%ae/admin",
        "/api/..%c1%9cadmin",
        "/api/..%e0%80%afadmin",
        "/api/..%f0%80%80%afadmin",
        "/api/..%25c0%25afadmin",
        "/api/%ef%bc%8e%ef%bc%8e%ef%bc%8fadmin",
        "/api/..%ef%bc%852fadmin",
        "/api/%e2%80%a5/admin",
        "/api/..%e2%88%95admin",
        "/api/..%20/admin",
        "/api/.%09./admin",
        "/api/..%00/admin",
    ] {
        assert_eq!(run(out).await, "denied", "{out}");
        assert!(server.take().is_empty(), "{out} was sent");
    }
    // Text of any language is data.
    for data in ["/api/%e7%94%b2%ef%bc%8f%e4%b9%99", "/api/caf%C3%A9%20%E2%80%A6"] {
        assert_eq!(run(data).await, "ok", "{data}");
    }
}
