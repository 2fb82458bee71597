//! Counters and durations for an embedder's metrics.

use std::fmt;
use std::time::Duration;

/// Whose it is. As in events, no secret, no item data and no word of a node or a service is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Source<'a> {
    /// The node's name.
    pub node: &'a str,
    /// The component's digest.
    pub digest: &'a str,
    /// `group.name`, or `authenticate`.
    pub operation: &'a str,
    /// The runner's tenant; empty where it has none.
    pub tenant: &'a str,
    /// The run's ID; `None` outside of a run.
    pub run: Option<&'a str>,
}

/// A request that was answered, or was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestEnded<'a> {
    /// The method, `other` for an unusual one.
    pub method: &'a str,
    /// Scheme, host and port; `None` where an authenticating node chose it.
    pub origin: Option<&'a str>,
    /// The path that the operation declares, `/v1/things/{code}`, or `…`.
    pub path: &'a str,
    /// `None`: there was no answer.
    pub status: Option<u16>,
    /// `answered`, or why there was no answer.
    pub outcome: &'static str,
    /// From the request's turn to the end of the answer.
    pub duration: Duration,
    /// Bytes of the request's body; 0 where an authenticating node chose it.
    pub sent: usize,
    /// Bytes of the answer's body.
    pub received: usize,
}

/// A session that was made, or was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthenticationEnded<'a> {
    /// Whether an earlier session was renewed.
    pub renewal: bool,
    /// `done`, or the failure's kind.
    pub outcome: &'a str,
    /// How long it took.
    pub duration: Duration,
}

/// An item that has its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ItemEnded<'a> {
    /// `done`, or the failure's kind: one of the contract's and the host's, or `other`.
    pub outcome: &'a str,
    /// How often it was tried in this run; 0 where it was not sent.
    pub tries: u32,
    /// From its first try to its result, waits included.
    pub duration: Duration,
}

/// Is called for what happens, to count and to measure it; each method does nothing unless it is written. An engine has one:
/// [`EngineConfig::observer`](crate::EngineConfig::observer).
///
/// It is called in the tasks that do the work, for every request and item: it should add to a counter or a histogram and return. What it
/// blocks waits, and what it panics in ends. What is left out of the [events](crate::events) after a thousand denials of a call is not told
/// here either.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A request has ended.
    fn request(&self, source: Source<'_>, request: RequestEnded<'_>) {
        let _ = (source, request);
    }

    /// A rule refused a request.
    fn denied(&self, source: Source<'_>, rule: &str) {
        let _ = (source, rule);
    }

    /// A limit was reached; its key in a policy file.
    fn limit(&self, source: Source<'_>, key: &str) {
        let _ = (source, key);
    }

    /// A session was made, or was not.
    fn authentication(&self, source: Source<'_>, authentication: AuthenticationEnded<'_>) {
        let _ = (source, authentication);
    }

    /// So many items are tried again.
    fn retry(&self, source: Source<'_>, items: usize, reason: &str) {
        let _ = (source, items, reason);
    }

    /// The node did what WebAssembly does not allow, or gave up.
    fn trap(&self, source: Source<'_>) {
        let _ = source;
    }

    /// The service is down, or back, and so on: the kind of a [`Notice`](crate::Notice).
    fn notice(&self, source: Source<'_>, kind: &str) {
        let _ = (source, kind);
    }

    /// An item has its result.
    fn item(&self, source: Source<'_>, item: ItemEnded<'_>) {
        let _ = (source, item);
    }
}
