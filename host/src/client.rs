//! The pooled HTTP client: one look-up, filtered, pinned.
//!
//! A name is resolved once, the addresses that may not be reached are dropped, and the connection goes to an address
//! that was checked, with SNI and `Host` of the name. Nothing else looks names up, follows a redirect or reads a
//! proxy's address from the environment. Pools are kept apart by what their connections were allowed to reach.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower_service::Service;

use crate::address::{AddressDenial, Permit, filter};
use crate::error::Error;
use crate::limits::Limits;

/// A connection that has been idle for longer may have been closed by the server without our knowing. For a request
/// that must not be sent twice that is a risk not worth a handshake.
const FRESH: Duration = Duration::from_secs(1);
/// Common servers keep an idle connection for a minute or more; longer is a connection that is found closed.
const IDLE: Duration = Duration::from_secs(55);
/// Enough for every request in flight, few enough for the file handles of a process.
const IDLE_PER_HOST: usize = 256;

type Connector = Deadline<HttpsConnector<Pinned>>;
pub(crate) type HttpClient = Client<Connector, Full<Bytes>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How old a pooled connection may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Freshness {
    /// Whatever the pool has.
    Any,
    /// New, or used within a second.
    Recent,
}

/// What the connections of one pool have in common; nothing is shared between two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    permit: Permit,
    freshness: Freshness,
    connect_timeout: Duration,
    header_count: usize,
    header_bytes: usize,
}

/// The pools of an engine.
pub(crate) struct Clients {
    tls: Arc<rustls::ClientConfig>,
    pools: Mutex<HashMap<Key, HttpClient>>,
}

impl Clients {
    pub(crate) fn new(extra_roots: &[Vec<u8>]) -> Result<Self, Error> {
        let broken = |error: rustls::Error| Error::Engine {
            message: error.to_string(),
        };
        let mut roots = rustls::RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        for root in extra_roots {
            roots.add(root.clone().into()).map_err(broken)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(broken)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: Arc::new(tls),
            pools: Mutex::default(),
        })
    }

    /// The client for requests that this permit covers.
    pub(crate) fn get(&self, permit: Permit, freshness: Freshness, limits: &Limits) -> HttpClient {
        let key = Key {
            permit,
            freshness,
            connect_timeout: limits.connect_timeout,
            header_count: limits.header_count,
            header_bytes: limits.header_bytes,
        };
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.entry(key).or_insert_with(|| self.build(key)).clone()
    }

    fn build(&self, key: Key) -> HttpClient {
        let https = HttpsConnectorBuilder::new()
            .with_tls_config((*self.tls).clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(Pinned { permit: key.permit });
        Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(if key.freshness == Freshness::Recent {
                FRESH
            } else {
                IDLE
            })
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .http1_max_headers(key.header_count)
            .http1_max_buf_size(key.header_bytes.max(MIN_BUFFER))
            .build(Deadline {
                inner: https,
                timeout: key.connect_timeout,
            })
    }
}

/// Hyper refuses to work with less.
const MIN_BUFFER: usize = 8 * 1024;

/// Why there is no connection. Nothing has been sent.
#[derive(Debug)]
pub(crate) enum ConnectFailure {
    /// The name has no address, or the look-up failed.
    Name(String),
    /// The name has addresses, and none of them may be reached.
    Denied(AddressDenial),
    /// No address answered.
    Unreachable(io::Error),
    /// It took too long.
    Timeout(Duration),
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectFailure::Name(reason) => write!(f, "the name could not be resolved: {reason}"),
            ConnectFailure::Denied(denial) => denial.fmt(f),
            ConnectFailure::Unreachable(error) => write!(f, "no connection: {error}"),
            ConnectFailure::Timeout(timeout) => {
                write!(
                    f,
                    "no connection within {} seconds (`connect-timeout-ms`)",
                    timeout.as_secs_f64()
                )
            }
        }
    }
}

impl std::error::Error for ConnectFailure {}

/// Looks a name up once and connects to an address that passed.
#[derive(Clone)]
pub(crate) struct Pinned {
    permit: Permit,
}

impl Service<Uri> for Pinned {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectFailure;
    type Future = BoxFuture<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let permit = self.permit;
        Box::pin(async move { connect(&uri, permit).await.map(TokioIo::new) })
    }
}

async fn connect(uri: &Uri, permit: Permit) -> Result<TcpStream, ConnectFailure> {
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") {
        443
    } else {
        80
    });
    let addresses = filter(resolve(host, port).await?, permit).map_err(ConnectFailure::Denied)?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // A request is written at once; waiting for more to send only delays it.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(ConnectFailure::Unreachable(last))
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectFailure> {
    let literal = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    if let Ok(address) = literal.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    match tokio::net::lookup_host((host, port)).await {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(ConnectFailure::Name(error.to_string())),
    }
}

/// Ends a connection attempt, TLS included, that takes too long.
#[derive(Clone)]
pub(crate) struct Deadline<S> {
    inner: S,
    timeout: Duration,
}

impl<S> Service<Uri> for Deadline<S>
where
    S: Service<Uri, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let timeout = self.timeout;
        let connecting = self.inner.call(uri);
        Box::pin(async move {
            match tokio::time::timeout(timeout, connecting).await {
                Ok(result) => result,
                Err(_) => Err(ConnectFailure::Timeout(timeout).into()),
            }
        })
    }
}
