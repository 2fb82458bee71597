//! The pooled HTTP client: one look-up, filtered, pinned.
//!
//! A name is resolved once, the addresses that may not be reached are dropped, and the connection goes to an address
//! that was checked, with SNI and `Host` of the name. Nothing else looks names up, follows a redirect or reads a
//! proxy's address from the environment. Where the engine was given a [`Proxy`], names are the proxy's to look up, and what is
//! checked is a target that is written as an address. Pools are kept apart by whose their connections are and by what they were allowed to
//! reach: a service that sends more than it was asked for puts one tenant's data before no other.
//!
//! A [`Network`] is where both steps touch the system. The filter lies between them, here, and not in what an embedder
//! puts in its place.

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

use bytes::Bytes;
use http::{Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use tokio::time::Instant;
use tower_service::Service;

use crate::error::Error;
use crate::gate::network::{Network, Proxy, ProxyServer};
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

tokio::task_local! {
    /// The request under way: waiting for a place counts towards its connection's deadline, so that differs by request,
    /// and the pool's connector knows of no request.
    static CONNECTING: Arc<Connecting>;
}

/// What a request and the connection that is made for it know of each other.
#[derive(Debug)]
pub(crate) struct Connecting {
    /// When there has to be a connection.
    by: Instant,
    /// When it was there.
    connected: OnceLock<Instant>,
    /// Its place among the connections to the origin, until one is begun: the pool had none to give.
    place: Mutex<Option<Place>>,
    /// What is known of the origin's connections.
    load: Arc<Load>,
    /// Whether its connection is the one that is tried.
    is_tried: AtomicBool,
    /// Whether it may be one that was used before.
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

    /// From when on the service could have answered a request that was made at this time, as far as is known now: a
    /// request may get a connection that became free while its own was being made.
    pub(crate) fn since(&self, asked: Instant) -> Instant {
        if self.place().is_some() {
            return asked;
        }
        self.connected.get().copied().unwrap_or(self.by)
    }
}

/// The way to one origin: looked up once by whoever sends many requests there.
pub(crate) struct OriginClient {
    pool: Arc<Pool>,
    origin: Origin,
    load: Arc<Load>,
    /// The proxy that requests are sent to, and not only through.
    plain_proxy: Option<Arc<ProxyServer>>,
}

impl OriginClient {
    /// Whether it leads where this URL points, and nowhere that is not permitted.
    pub(crate) fn leads_to(&self, permit: Permit, url: &Uri) -> bool {
        let (scheme, authority) = &self.origin;
        self.pool.key().permit == permit
            && scheme.as_ref() == url.scheme()
            && authority.as_ref() == url.authority()
    }

    /// Count a request, until what is given is dropped: when the answer is read, or there will be none.
    pub(crate) fn request_permit(&self) -> RequestPermit {
        RequestPermit::new(Arc::clone(&self.load))
    }

    /// Note that a request got lost: on a connection that was kept, the service may have been about to close it.
    pub(crate) fn lost(&self, connecting: &Connecting) {
        if connecting.is_kept.load(Ordering::Relaxed) {
            self.load.distrust();
        }
    }

    /// The proxy, where this answer is its own and no service's: it did not pass the request on.
    pub(crate) fn refused_by_proxy<B>(&self, answer: &http::Response<B>) -> Option<&Arc<ProxyServer>> {
        let is_refused = answer.status() == http::StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        self.plain_proxy.as_ref().filter(|_| is_refused)
    }

    /// Send a request, with what is to be known of its connection.
    pub(crate) fn request(
        &self,
        connecting: Arc<Connecting>,
        mut request: http::Request<Full<Bytes>>,
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

/// Of the origins of one pool, so many have their TLS sessions kept, eight each: most pools have one.
const TLS_SESSIONS: usize = 64;

type Connector = Deadline<HttpsConnector<Pinned>>;
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

/// What an engine has on the way out, the same for all its connections.
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

/// The pools of an engine.
pub(crate) struct Clients {
    tls: Arc<rustls::ClientConfig>,
    outbound: Outbound,
    owners: Owners,
    pools: Mutex<Pools>,
}

impl Clients {
    pub(crate) fn new(extra_roots: &[Vec<u8>], outbound: Outbound) -> Result<Self, Error> {
        Ok(Self {
            tls: Arc::new(tls::config(extra_roots)?),
            outbound,
            owners: Owners::new()?,
            pools: Mutex::default(),
        })
    }

    /// Whose connections those are that the component of this digest is given for a tenant, with a credential or without one.
    pub(crate) fn owner(&self, digest: &str, tenant: &str, credential: Option<&Credential>) -> Owner {
        self.owners.owner(digest, tenant, credential)
    }

    /// The way to this URL's origin, by a connection of this kind.
    pub(crate) fn origin_client(&self, key: Key, url: &Uri) -> OriginClient {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = pools.get(key, || self.connector(key.permit));
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

    /// Opens the connections of one pool. They share no TLS sessions with those of another.
    fn connector(&self, permit: Permit) -> Connector {
        let mut tls = (*self.tls).clone();
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

/// Why there is no connection. Nothing has been sent.
#[derive(Debug)]
pub(crate) enum ConnectFailure {
    /// The name has no address, or the look-up failed.
    Name(String),
    /// The name has addresses, and none of them may be reached.
    Denied(AddressDenial),
    /// No address answered.
    Unreachable(io::Error),
    /// The operator's proxy gave none.
    Proxy(ProxyFailure),
    /// It took too long, through this proxy where there is one.
    Timeout(Option<Arc<ProxyServer>>),
    /// The request got another one, and is over.
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

/// Looks a name up once and connects to an address that passed.
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

/// The addresses of a host; one that is an address needs no look-up.
async fn resolve(network: &dyn Network, host: &str) -> Result<Vec<IpAddr>, ConnectFailure> {
    if let Some(address) = literal(host) {
        return Ok(vec![address]);
    }
    network
        .resolve(host)
        .await
        .map_err(|error| ConnectFailure::Name(error.to_string()))
}

/// The address that a host is written as.
fn literal(host: &str) -> Option<IpAddr> {
    let literal = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    literal.parse().ok()
}

/// Ends a connection attempt that takes too long, a proxy's tunnel and TLS included.
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
        // The pool calls the connector while the request is polled, so what the request knows is in reach.
        let request = CONNECTING.try_with(Arc::clone);
        Box::pin(async move {
            let Ok(request) = request else {
                let stream = connecting.await?;
                return Ok(Counted::new(stream, None, None, false));
            };
            let is_tried = request.is_tried.load(Ordering::Relaxed);
            // The one that is tried is nobody's to wait for.
            let place = request.place().take().filter(|_| !is_tried);
            let counted = async {
                let open = match place {
                    // The pool may begin a second one for a request; it is counted with the first.
                    None => None,
                    // The pool goes on with it in a task of its own once the request has another connection.
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
