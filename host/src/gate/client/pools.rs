//! The connection pools, one for each key, and the number of connections that they keep.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::uri::{Authority, Scheme};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::keeping::{Choice, Keeping};
use super::load::Load;
use super::{Connector, Freshness, Owner, TlsManner};
use crate::gate::upload::OutgoingBody;
use nodule_core::address::Permit;

/// How long a connection may be idle and still carry a request that must not be sent twice: later, the service may have
/// closed it unnoticed, and a handshake costs less than that risk. This is half of `KEPT`, the time for which the
/// service was seen to leave one open; a service that closes one sooner does so on purpose.
const FRESH: Duration = Duration::from_millis(500);
/// Common servers keep an idle connection for a minute or more. After a longer time it would often be found closed.
const IDLE: Duration = Duration::from_secs(55);
/// Enough for every request in flight, and few enough for a process's file handles.
const IDLE_PER_HOST: usize = 256;

/// With more origins than this, unused ones are removed.
const ORIGINS: usize = 1024;

/// How many pools to keep for later calls; pools in use are kept in any case. A pool takes some kilobytes, and a caller
/// whose pool was dropped pays one handshake.
const KEPT: usize = 256;
/// With more connections than this, in use or idle, unused pools are dropped, least recently used first. Common systems
/// allow a process 1024 open files.
const KEPT_CONNECTIONS: usize = 512;

/// The minimum that hyper accepts.
const MIN_BUFFER: usize = 8 * 1024;

/// What the connections of one pool have in common. Two keys share no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The owner of the connections.
    pub(crate) owner: Owner,
    /// Whether an authenticating instance uses them. It has seen the secret, so no executing instance may read bytes
    /// that arrive late on one of its connections.
    pub(crate) authenticates: bool,
    /// Which addresses they may reach.
    pub(crate) permit: Permit,
    /// How they use TLS.
    pub(crate) tls: TlsManner,
    /// How long they may be idle.
    pub(crate) freshness: Freshness,
    /// The maximum number of headers in a response.
    pub(crate) header_count: usize,
    /// The maximum size of a response's headers, in bytes.
    pub(crate) header_bytes: usize,
}

pub(super) type Origin = (Option<Scheme>, Option<Authority>);
pub(super) type HttpClient = Client<Connector, OutgoingBody>;

/// A pool of connections with one key.
pub(super) struct Pool {
    key: Key,
    connector: Connector,
    client: HttpClient,
    /// Keeps no connection; created on first use.
    unkept: OnceLock<HttpClient>,
    /// Has the connections that are tried, one for each origin; created on first use.
    tried: OnceLock<HttpClient>,
    /// The load of each origin.
    loads: Mutex<HashMap<Origin, Arc<Load>>>,
    /// The number of connections of the engine.
    connections: Arc<AtomicUsize>,
    /// When the pool was last used, by the clock of [`Pools`].
    used: AtomicUsize,
}

impl Pool {
    fn new(key: Key, connector: Connector, connections: &Arc<AtomicUsize>) -> Self {
        Self {
            client: client(key, connector.clone(), idle(key.freshness), IDLE_PER_HOST),
            key,
            connector,
            unkept: OnceLock::new(),
            tried: OnceLock::new(),
            loads: Mutex::default(),
            connections: Arc::clone(connections),
            used: AtomicUsize::new(0),
        }
    }

    /// The client for connections of this choice.
    pub(super) fn client(&self, choice: Choice) -> &HttpClient {
        let client = |kept| client(self.key, self.connector.clone(), IDLE, kept);
        match choice {
            Choice::Kept => &self.client,
            Choice::Tried => self.tried.get_or_init(|| client(IDLE_PER_HOST)),
            Choice::New => self.unkept.get_or_init(|| client(0)),
        }
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    pub(super) fn load(&self, origin: &Origin) -> Arc<Load> {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        if loads.len() >= ORIGINS {
            // Loads in use stay, since requests still count on them. The others can start again from zero.
            loads.retain(|_, load| Arc::strong_count(load) > 1);
        }
        let load = loads.entry(origin.clone());
        Arc::clone(load.or_insert_with(|| {
            let keeping = match self.key.freshness {
                Freshness::Any => Keeping::default(),
                Freshness::Recent => Keeping::unknown(),
            };
            Arc::new(Load::of(&self.connections, keeping))
        }))
    }

    /// The number of open connections.
    fn open(&self) -> usize {
        let loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.values().map(|load| load.open()).sum()
    }
}

/// How long connections may be idle.
fn idle(freshness: Freshness) -> Duration {
    match freshness {
        Freshness::Any => IDLE,
        Freshness::Recent => FRESH,
    }
}

/// The client accepts folded header lines and blanks before the colon, as a user agent may (RFC 9112, section 5), and
/// ignores invalid header lines, as browsers do. It is strict about the headers that delimit a response; bytes beyond
/// the response are noticed.
fn client(key: Key, connector: Connector, idle: Duration, idle_per_host: usize) -> HttpClient {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(idle)
        .pool_max_idle_per_host(idle_per_host)
        .http1_max_headers(key.header_count)
        .http1_max_buf_size(key.header_bytes.max(MIN_BUFFER))
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .build(connector)
}

/// The connection pools of an engine.
#[derive(Default)]
pub(super) struct Pools {
    all: HashMap<Key, Arc<Pool>>,
    connections: Arc<AtomicUsize>,
    /// Incremented by every use.
    clock: usize,
}

impl Pools {
    /// The pool of this key. It counts as used while the caller keeps it.
    pub(super) fn get(&mut self, key: Key, connector: impl FnOnce() -> Connector) -> Arc<Pool> {
        if self.connections.load(Ordering::Relaxed) > KEPT_CONNECTIONS
            || self.all.len() >= KEPT && !self.all.contains_key(&key)
        {
            self.make_room(&key);
        }
        self.clock = self.clock.wrapping_add(1);
        let connections = &self.connections;
        let pool = self
            .all
            .entry(key)
            .or_insert_with(|| Arc::new(Pool::new(key, connector(), connections)));
        pool.used.store(self.clock, Ordering::Relaxed);
        Arc::clone(pool)
    }

    /// Drops unused pools with their connections until half of the maximum is left, so that the next caller need not do
    /// so again. The pool `wanted` stays.
    fn make_room(&mut self, wanted: &Key) {
        let mut unused: Vec<(usize, usize, Key)> = self
            .all
            .iter()
            .filter(|(key, pool)| *key != wanted && Arc::strong_count(pool) == 1)
            .map(|(key, pool)| (pool.used.load(Ordering::Relaxed), pool.open(), *key))
            .collect();
        unused.sort_unstable_by_key(|(used, ..)| *used);
        let mut connections = self.connections.load(Ordering::Relaxed);
        for (_, open, key) in unused {
            if self.all.len() <= KEPT / 2 && connections <= KEPT_CONNECTIONS / 2 {
                break;
            }
            self.all.remove(&key);
            // The connections close a moment later, in tasks of their own.
            connections = connections.saturating_sub(open);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    #[cfg(test)]
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}
