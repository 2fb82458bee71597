//! The pools of connections, one for each owner, and how many of them are kept.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::keeping::{Choice, Keeping};
use super::load::Load;
use super::{Connector, Freshness, Owner};
use nodule_core::address::Permit;

/// A connection that has been idle for longer may have been closed by the server without our knowing. For a request
/// that must not be sent twice that is a risk not worth a handshake. It is half of the time for which the service was seen to leave one open
/// (`KEPT`): what is closed meanwhile is closed on purpose.
const FRESH: Duration = Duration::from_millis(500);
/// Common servers keep an idle connection for a minute or more; longer is a connection that is found closed.
const IDLE: Duration = Duration::from_secs(55);
/// Enough for every request in flight, few enough for the file handles of a process.
const IDLE_PER_HOST: usize = 256;

/// More than this are looked through for those that nobody uses any more.
const ORIGINS: usize = 1024;

/// More pools than this are not kept for later calls; those that a call uses are kept in any case. One takes some kilobytes,
/// and whoever comes back to one that is gone pays one handshake.
const KEPT: usize = 256;
/// More connections than this, in use or idle, and the pools that nobody uses are given up, those first that were not used for the longest
/// time. Common systems allow a process 1024 open files.
const KEPT_CONNECTIONS: usize = 512;

/// Hyper refuses to work with less.
const MIN_BUFFER: usize = 8 * 1024;

/// What the connections of one pool have in common; nothing is shared between two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Whose they are.
    pub(crate) owner: Owner,
    /// Whether they are an authenticating instance's, which was shown the secret: what is sent on one of its connections, and comes
    /// late, is no executing instance's to read.
    pub(crate) authenticates: bool,
    /// How far they may go.
    pub(crate) permit: Permit,
    /// How long they may be idle.
    pub(crate) freshness: Freshness,
    /// Headers of an answer.
    pub(crate) header_count: usize,
    /// Bytes of an answer's headers.
    pub(crate) header_bytes: usize,
}

pub(super) type Origin = (Option<Scheme>, Option<Authority>);
pub(super) type HttpClient = Client<Connector, Full<Bytes>>;

/// A pool, and how much its connections are wanted.
pub(super) struct Pool {
    key: Key,
    connector: Connector,
    client: HttpClient,
    /// Keeps no connection; made when it is needed.
    unkept: OnceLock<HttpClient>,
    /// Has the connections that are tried, one for each origin; made when it is needed.
    tried: OnceLock<HttpClient>,
    /// By origin.
    loads: Mutex<HashMap<Origin, Arc<Load>>>,
    /// All connections of the engine.
    connections: Arc<AtomicUsize>,
    /// When it was asked for, as a number that grows.
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

    /// The client that has such connections.
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
            // Whoever is counted goes on being counted by who asks, and the others begin at nothing.
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

    /// How many connections it has.
    fn open(&self) -> usize {
        let loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.values().map(|load| load.open()).sum()
    }
}

/// How long its connections may be idle.
fn idle(freshness: Freshness) -> Duration {
    match freshness {
        Freshness::Any => IDLE,
        Freshness::Recent => FRESH,
    }
}

/// Header lines are read as a user agent may (RFC 9112, section 5): folded ones, and with blanks before the colon. A line that is no header
/// is left out, as browsers do it; what says where the answer ends is read strictly, and what is sent beyond that is noticed.
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

/// The pools of an engine.
#[derive(Default)]
pub(super) struct Pools {
    all: HashMap<Key, Arc<Pool>>,
    connections: Arc<AtomicUsize>,
    /// Grows with every use.
    clock: usize,
}

impl Pools {
    /// The pool of this key, which is used for as long as somebody holds it.
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

    /// Give up pools that nobody uses, and their connections with them, until half of what may be kept is left, so that it is not
    /// done again for the next one. `wanted` stays.
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
            // They close in tasks of their own, a moment later.
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
