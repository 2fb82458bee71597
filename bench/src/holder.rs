//! A service that accepts every login and then never responds: runs park on it.

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
/// A client opens as many connections at once as it has runs.
const BACKLOG: u32 = 16_384;

/// The service; it stops on drop.
pub struct Holder {
    base: String,
    held: watch::Receiver<usize>,
    _connections: JoinSet<()>,
}

impl Holder {
    /// Starts the service on a free port.
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

    /// The service's base URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Waits until this many requests are pending.
    pub async fn holds(&self, count: usize) -> Result<()> {
        self.held.clone().wait_for(|held| *held >= count).await?;
        Ok(())
    }
}

async fn accept(listener: TcpListener, count: watch::Sender<usize>) {
    let mut connections = JoinSet::new();
    // If descriptors run out, the side that waits for the missing runs reports it.
    while let Ok((stream, _)) = listener.accept().await {
        let count = count.clone();
        connections.spawn(async move {
            let service = service_fn(|request| answer(request, &count));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // The connection closes when the client's process exits.
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
