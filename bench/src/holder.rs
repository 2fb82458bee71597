//! A service that lets everybody log in and then never answers: runs park on it.

use std::convert::Infallible;

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

const LOG_IN: &str = "/v1/auth/token";
const LOGGED_IN: &str =
    r#"{"code":"200","msg":"success","data":{"accessToken":"parked-0123456789abcdef","expiresIn":7200}}"#;
/// A client opens as many connections as it has runs, all at once.
const BACKLOG: u32 = 16_384;

/// Listens until it is dropped.
pub struct Holder {
    base: String,
    held: watch::Receiver<usize>,
    _connections: JoinSet<()>,
}

impl Holder {
    /// Start it on a port of its own.
    pub fn start() -> Result<Self> {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, 1], 0).into())?;
        let listener = socket.listen(BACKLOG)?;
        let base = format!("http://{}", listener.local_addr()?);
        let (count, held) = watch::channel(0);
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, count));
        Ok(Self {
            base,
            held,
            _connections: connections,
        })
    }

    /// Where it listens.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Wait until it holds so many requests.
    pub async fn holds(&self, count: usize) -> Result<()> {
        self.held.clone().wait_for(|held| *held >= count).await?;
        Ok(())
    }
}

async fn accept(listener: TcpListener, count: watch::Sender<usize>) {
    let mut connections = JoinSet::new();
    // Out of descriptors, the runs that are missing say so to who waits for them.
    while let Ok((stream, _)) = listener.accept().await {
        let count = count.clone();
        connections.spawn(async move {
            let service = service_fn(|request| answer(request, &count));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // The other side ends with its process.
            let _ = connection.await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    count: &watch::Sender<usize>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() != LOG_IN {
        count.send_modify(|held| *held += 1);
        std::future::pending::<()>().await;
    }
    let mut response = Response::new(Full::from(LOGGED_IN));
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}
