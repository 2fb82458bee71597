//! Counters and durations for an embedder's metrics.

use std::fmt;
use std::time::Duration;

/// What an observation belongs to. As in events, it contains no secret, no item data and no text that a node or a
/// service chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Source<'a> {
    /// The node's name.
    pub node: &'a str,
    /// The component's digest.
    pub digest: &'a str,
    /// `group.name`, or `authenticate`.
    pub operation: &'a str,
    /// The runner's tenant; empty if it has none.
    pub tenant: &'a str,
    /// The run's ID; `None` outside of a run.
    pub run: Option<&'a str>,
}

/// A finished request, with or without a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestEnded<'a> {
    /// The method; `other` for an unusual one.
    pub method: &'a str,
    /// Scheme, host and port; `None` if an authenticating node chose it.
    pub origin: Option<&'a str>,
    /// The path that the operation declares, `/v1/things/{code}`, or `…`.
    pub path: &'a str,
    /// The response's status; `None` if there was no response.
    pub status: Option<u16>,
    /// `answered`, or why there was no response.
    pub outcome: &'static str,
    /// From the moment the request could leave to the last byte of the response.
    pub duration: Duration,
    /// Bytes of the request's body; 0 if an authenticating node chose it.
    pub sent: usize,
    /// Bytes of the response's body.
    pub received: usize,
}

/// An attempt to make a session, successful or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthenticationEnded<'a> {
    /// Whether the session was to replace an earlier one.
    pub renewal: bool,
    /// `done`, or the failure's kind.
    pub outcome: &'a str,
    /// How long it took.
    pub duration: Duration,
}

/// An item that got its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ItemEnded<'a> {
    /// `done`, or the failure's kind: one of the contract's or the host's kinds, or `other`.
    pub outcome: &'a str,
    /// How often this run tried the item; 0 if it was never sent.
    pub tries: u32,
    /// From its first try to its result, waits included.
    pub duration: Duration,
}

/// Receives what happens, for counters and histograms. All methods do nothing by default. An engine has one observer:
/// [`EngineConfig::observer`](crate::EngineConfig::observer).
///
/// The tasks that do the work call it for every request and every item, so a method should update a metric and return.
/// A method that blocks delays its task, and one that panics aborts it. After a thousand denials in one call, the
/// observer hears of no more, like the [events](crate::events).
pub trait Observer: fmt::Debug + Send + Sync {
    /// A request finished.
    fn request(&self, source: Source<'_>, request: RequestEnded<'_>) {
        let _ = (source, request);
    }

    /// A rule refused a request.
    fn denied(&self, source: Source<'_>, rule: &str) {
        let _ = (source, rule);
    }

    /// A limit was reached; `key` is its key in a policy file.
    fn limit(&self, source: Source<'_>, key: &str) {
        let _ = (source, key);
    }

    /// A session was made, or could not be made.
    fn authentication(&self, source: Source<'_>, authentication: AuthenticationEnded<'_>) {
        let _ = (source, authentication);
    }

    /// `items` items are tried again.
    fn retry(&self, source: Source<'_>, items: usize, reason: &str) {
        let _ = (source, items, reason);
    }

    /// The node trapped or gave up.
    fn trap(&self, source: Source<'_>) {
        let _ = source;
    }

    /// A [`Notice`](crate::Notice) of this kind was sent: the service is down, is back, and so on.
    fn notice(&self, source: Source<'_>, kind: &str) {
        let _ = (source, kind);
    }

    /// An item got its result.
    fn item(&self, source: Source<'_>, item: ItemEnded<'_>) {
        let _ = (source, item);
    }
}
