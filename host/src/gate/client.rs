//! The pooled HTTP client: one look-up per connection, filtered addresses, pinned connections.
//!
//! It resolves a name once, drops the addresses that may not be reached, and connects to an address that passed, with
//! the name in SNI and `Host`. Nothing else looks names up, follows a redirect or reads a proxy's address from the
//! environment. If the engine has a [`Proxy`], the proxy looks names up, and only targets written as addresses are
//! checked. Each owner and each permit has pools of its own: surplus bytes from a service never reach another tenant.
//!
//! A [`Network`] does both steps on the system. The filter between them is here, so an embedder's [`Network`] cannot
//! bypass it.

mod keeping;
mod load;
mod owner;
mod pools;
mod proxy;
mod race;
#[cfg(test)]
mod tests;
mod tls;
mod unread;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};

use http::{Uri, header};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use tokio::time::Instant;
use tower_service::Service;

use crate::error::Error;
use crate::gate::network::{Network, Proxy, ProxyServer};
use crate::gate::tls::Tls;
use crate::gate::upload::OutgoingBody;
use keeping::Choice;
use load::{Counted, Load, Place};
use nodule_core::address::{AddressDenial, AddressLists, Permit, filter};
use nodule_core::credential::Credential;
use owner::Owners;
use pools::{Origin, Pool, Pools};
use unread::CheckedStream;

pub(crate) use load::RequestPermit;
pub(crate) use owner::Owner;
pub(crate) use pools::Key;
use proxy::ProxyFailure;
pub(crate) use proxy::asks_for_credentials;
use race::connect_to_any;
pub(crate) use tls::trouble as certificate_trouble;
pub(crate) use tls::{RunnerTls, TlsManner};

tokio::task_local! {
    /// The request in flight. A request's deadline for its connection includes its wait for permission to open one, so
    /// each request has its own; the pool's connector does not know the request otherwise.
    static CONNECTING: Arc<Connecting>;
}

/// What a request shares with the connection that is opened for it.
#[derive(Debug)]
pub(crate) struct Connecting {
    /// The deadline for the connection.
    by: Instant,
    /// When the connection was ready.
    connected: OnceLock<Instant>,
    /// Permission to open a connection, until one is begun. While it is here, the pool has not asked for a new
    /// connection.
    place: Mutex<Option<Place>>,
    /// The requests and connections of the origin.
    load: Arc<Load>,
    /// Whether the request goes out on the connection that is tried.
    is_tried: AtomicBool,
    /// Whether the request may go out on a reused connection.
    is_kept: AtomicBool,
}

impl Connecting {
    pub(crate) fn by(by: Instant, asking: &RequestPermit) -> Arc<Self> {
        Arc::new(Self {
            by,
            connected: OnceLock::new(),
            place: Mutex::new(Some(asking.place())),
            load: asking.load(),
            is_tried: AtomicBool::new(false),
            is_kept: AtomicBool::new(false),
        })
    }

    fn place(&self) -> MutexGuard<'_, Option<Place>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the service could first have received a request made at `asked`, as far as is known now: at once if the
    /// pool had a connection for it, otherwise when the new connection was ready, or is due. Until then the request may
    /// also get a connection that becomes free.
    pub(crate) fn since(&self, asked: Instant) -> Instant {
        if self.place().is_some() {
            return asked;
        }
        self.connected.get().copied().unwrap_or(self.by)
    }
}

/// The way to one origin. A caller with many requests for the origin looks it up once.
pub(crate) struct OriginClient {
    pool: Arc<Pool>,
    origin: Origin,
    load: Arc<Load>,
    /// The proxy for a plain `http` target: such requests are sent to the proxy itself, not through a tunnel.
    plain_proxy: Option<Arc<ProxyServer>>,
}

impl OriginClient {
    /// Whether it leads to this URL's origin with this permit, in this manner.
    pub(crate) fn leads_to(&self, permit: Permit, tls: TlsManner, url: &Uri) -> bool {
        let (scheme, authority) = &self.origin;
        self.pool.key().permit == permit
            && self.pool.key().tls == tls
            && scheme.as_ref() == url.scheme()
            && authority.as_ref() == url.authority()
    }

    /// Counts a request until the returned permit is dropped: when the response is complete or the request has failed.
    pub(crate) fn request_permit(&self) -> RequestPermit {
        RequestPermit::new(Arc::clone(&self.load))
    }

    /// Records that a request got no response. If its connection was a reused one, the service may close idle
    /// connections.
    pub(crate) fn lost(&self, connecting: &Connecting) {
        if connecting.is_kept.load(Ordering::Relaxed) {
            self.load.distrust();
        }
    }

    /// The proxy, if this response's status says that it refused to pass the request on.
    pub(crate) fn refused_by_proxy<B>(&self, answer: &http::Response<B>) -> Option<&Arc<ProxyServer>> {
        let is_refused = answer.status() == http::StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        self.plain_proxy.as_ref().filter(|_| is_refused)
    }

    /// Sends a request. `connecting` tells the connector about it.
    pub(crate) fn request(
        &self,
        connecting: Arc<Connecting>,
        mut request: http::Request<OutgoingBody>,
    ) -> impl Future<Output = Result<http::Response<Incoming>, legacy::Error>> + use<> {
        if let Some(value) = self
            .plain_proxy
            .as_ref()
            .and_then(|proxy| proxy.authorization.as_ref())
        {
            let headers = request.headers_mut();
            headers.insert(header::PROXY_AUTHORIZATION, value.clone());
        }
        let choice = self.load.choose();
        connecting
            .is_tried
            .store(choice == Choice::Tried, Ordering::Relaxed);
        connecting
            .is_kept
            .store(choice == Choice::Kept, Ordering::Relaxed);
        CONNECTING.scope(connecting, self.pool.client(choice).request(request))
    }
}

/// The TLS sessions that a pool keeps for resumption: rustls counts eight per origin, and most pools have one origin.
const TLS_SESSIONS: usize = 64;

type Connector = Deadline<HttpsConnector<Pinned>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How long a pooled connection may have been idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Freshness {
    /// As long as the pool keeps it.
    Any,
    /// At most for half a second, or the connection is new.
    Recent,
}

/// The settings that all outgoing connections of an engine share.
#[derive(Debug, Clone)]
pub(crate) struct Outbound {
    network: Arc<dyn Network>,
    addresses: Arc<AddressLists>,
    proxy: Option<Arc<Proxy>>,
}

impl Outbound {
    pub(crate) fn new(network: Arc<dyn Network>, addresses: AddressLists, proxy: Option<Proxy>) -> Self {
        Self {
            network,
            addresses: Arc::new(addresses),
            proxy: proxy.map(Arc::new),
        }
    }

    /// The proxy that a request for this URL goes through.
    fn proxy(&self, target: &Uri) -> Option<&Arc<ProxyServer>> {
        self.proxy.as_ref()?.of(target)
    }
}

/// The connection pools of an engine.
pub(crate) struct Clients {
    /// The certificates that all runners trust.
    roots: Vec<Vec<u8>>,
    /// For runners without settings of their own.
    tls: Arc<RunnerTls>,
    outbound: Outbound,
    owners: Owners,
    pools: Mutex<Pools>,
}

impl Clients {
    pub(crate) fn new(extra_roots: &[Vec<u8>], outbound: Outbound) -> Result<Self, Error> {
        Ok(Self {
            tls: Arc::new(RunnerTls::new(extra_roots, &Tls::default())?),
            roots: extra_roots.to_vec(),
            outbound,
            owners: Owners::new()?,
            pools: Mutex::default(),
        })
    }

    /// The TLS of a runner with these settings.
    pub(crate) fn tls(&self, tls: &Tls) -> Result<Arc<RunnerTls>, Error> {
        if tls.is_default() {
            return Ok(Arc::clone(&self.tls));
        }
        RunnerTls::new(&self.roots, tls).map(Arc::new)
    }

    /// The owner of the connections that a component uses for a tenant and a credential, if any. `digest` is the
    /// component's, with the runner's settings of TLS ([`Tls::bound_to`]).
    pub(crate) fn owner(&self, digest: &str, tenant: &str, credential: Option<&Credential>) -> Owner {
        self.owners.owner(digest, tenant, credential)
    }

    /// The way to this URL's origin, with connections of this key's pool. The key's owner stands for `tls`.
    pub(crate) fn origin_client(&self, key: Key, tls: &RunnerTls, url: &Uri) -> OriginClient {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = pools.get(key, || self.connector(key.permit, tls.config(key.tls)));
        drop(pools);
        let origin = (url.scheme().cloned(), url.authority().cloned());
        OriginClient {
            load: pool.load(&origin),
            pool,
            origin,
            plain_proxy: (url.scheme_str() != Some("https"))
                .then(|| self.outbound.proxy(url).cloned())
                .flatten(),
        }
    }

    /// A connector for one pool. TLS sessions are not shared with other pools.
    fn connector(&self, permit: Permit, mut tls: rustls::ClientConfig) -> Connector {
        tls.resumption = rustls::client::Resumption::in_memory_sessions(TLS_SESSIONS);
        let pinned = Pinned {
            permit,
            outbound: self.outbound.clone(),
        };
        Deadline {
            inner: HttpsConnector::from((pinned, tls)),
            outbound: self.outbound.clone(),
        }
    }
}

/// Why there is no connection. No byte of the request was sent.
#[derive(Debug)]
pub(crate) enum ConnectFailure {
    /// The name has no address, or the look-up failed.
    Name(String),
    /// The name has addresses, but none of them may be reached.
    Denied(AddressDenial),
    /// No address accepted a connection.
    Unreachable(io::Error),
    /// The operator's proxy opened no connection.
    Proxy(ProxyFailure),
    /// The deadline passed; with the proxy, if there is one.
    Timeout(Option<Arc<ProxyServer>>),
    /// The request no longer needs this connection, because it got another one.
    Unwanted,
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectFailure::Name(reason) => write!(f, "the name could not be resolved: {reason}"),
            ConnectFailure::Denied(denial) => denial.fmt(f),
            ConnectFailure::Unreachable(error) => write!(f, "no connection: {error}"),
            ConnectFailure::Proxy(failure) => failure.fmt(f),
            ConnectFailure::Timeout(None) => f.write_str("no connection in time (`connect-timeout-ms`)"),
            ConnectFailure::Timeout(Some(proxy)) => write!(
                f,
                "no connection through the proxy `{proxy}` in time (`connect-timeout-ms`)"
            ),
            ConnectFailure::Unwanted => f.write_str("the request got another connection"),
        }
    }
}

impl std::error::Error for ConnectFailure {}

/// Looks a name up once and connects to an address that passed the filter.
#[derive(Clone)]
pub(crate) struct Pinned {
    permit: Permit,
    outbound: Outbound,
}

impl Service<Uri> for Pinned {
    type Response = CheckedStream;
    type Error = ConnectFailure;
    type Future = BoxFuture<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { permit, outbound } = self.clone();
        Box::pin(async move { connect(&outbound, &uri, permit).await })
    }
}

async fn connect(outbound: &Outbound, uri: &Uri, permit: Permit) -> Result<CheckedStream, ConnectFailure> {
    let network = &*outbound.network;
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") {
        443
    } else {
        80
    });
    let allowed = |found: Vec<IpAddr>| {
        let found = found.into_iter().map(|address| SocketAddr::new(address, port));
        filter(found, permit, &outbound.addresses).map_err(ConnectFailure::Denied)
    };
    if let Some(proxy) = outbound.proxy(uri) {
        if let Some(address) = literal(host) {
            allowed(vec![address])?;
        }
        return proxy::connect(outbound, proxy, uri, port).await;
    }
    let addresses = allowed(resolve(network, host).await?)?;
    let stream = connect_to_any(network, addresses).await;
    stream
        .map(CheckedStream::new)
        .map_err(ConnectFailure::Unreachable)
}

/// The addresses of a host. A host that is an address needs no look-up.
async fn resolve(network: &dyn Network, host: &str) -> Result<Vec<IpAddr>, ConnectFailure> {
    if let Some(address) = literal(host) {
        return Ok(vec![address]);
    }
    network
        .resolve(host)
        .await
        .map_err(|error| ConnectFailure::Name(error.to_string()))
}

/// The address, if the host is written as one.
fn literal(host: &str) -> Option<IpAddr> {
    let literal = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    literal.parse().ok()
}

/// Aborts a connection attempt that takes too long; the time includes a proxy's tunnel and TLS.
#[derive(Clone)]
pub(crate) struct Deadline<S> {
    inner: S,
    outbound: Outbound,
}

impl<S> Service<Uri> for Deadline<S>
where
    S: Service<Uri, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Counted<S::Response>;
    type Error = BoxError;
    type Future = BoxFuture<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let proxy = self.outbound.proxy(&uri).cloned();
        let connecting = self.inner.call(uri);
        // The pool calls the connector while it polls the request, so the task-local is set.
        let request = CONNECTING.try_with(Arc::clone);
        Box::pin(async move {
            let Ok(request) = request else {
                let stream = connecting.await?;
                return Ok(Counted::new(stream, None, None, false));
            };
            let is_tried = request.is_tried.load(Ordering::Relaxed);
            // The connection that is tried is opened at once.
            let place = request.place().take().filter(|_| !is_tried);
            let counted = async {
                let open = match place {
                    // The pool may open a second connection for a request. It is not counted separately.
                    None => None,
                    // If the request gets another connection, the pool continues this future in a task of its own.
                    Some(place) => match place.take(|| CONNECTING.try_with(|_| ()).is_ok()).await {
                        Some(open) => Some(open),
                        None => return Err(ConnectFailure::Unwanted.into()),
                    },
                };
                let stream = connecting.await?;
                Ok(Counted::new(
                    stream,
                    open,
                    Some(Arc::clone(&request.load)),
                    is_tried,
                ))
            };
            match tokio::time::timeout_at(request.by, counted).await {
                Ok(result) => {
                    let _ = request.connected.set(Instant::now());
                    result
                }
                Err(_) => Err(ConnectFailure::Timeout(proxy).into()),
            }
        })
    }
}
