//! The counters of a run.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::gate::pipeline::Observed;
use nodule_core::failure::Failure;
use nodule_core::outcome::ItemResult;

/// Requests that take longer than an hour count as one hour.
const LONGEST_US: u64 = 3_600_000_000;
/// Two significant digits: an error of one percent misleads nobody, and the histogram stays at some tens of kilobytes.
const DIGITS: u8 = 2;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Ended {
    /// It is still running.
    #[default]
    Running,
    /// Every item has its result.
    Complete,
    /// It was stopped early.
    Stopped,
    /// Its time was up.
    OutOfTime,
    /// Its results were dropped before the last one.
    Dropped,
    /// It broke: the journal cannot be used or belongs to other items, or the source of items failed. The stream of
    /// results finishes with the error. Items without a result may have been done.
    Broken,
}

impl Ended {
    fn name(self) -> &'static str {
        match self {
            Ended::Running => "running",
            Ended::Complete => "complete",
            Ended::Stopped => "stopped",
            Ended::OutOfTime => "out-of-time",
            Ended::Dropped => "dropped",
            Ended::Broken => "broken",
        }
    }
}

/// How long requests took, from the moment they could leave to the last byte of the response or the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Latency {
    /// Half of them took no longer.
    pub p50: Duration,
    /// 95 of 100 took no longer.
    pub p95: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// The slowest.
    pub max: Duration,
}

/// What a run has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Items with a result.
    pub items: u64,
    /// Items that succeeded, including skipped ones and ones whose recorded result was given again.
    pub done: u64,
    /// Of the done items, those that an earlier run had done, according to the journal.
    pub again: u64,
    /// Of the done items, those of unknown outcome that were skipped as requested.
    pub skipped: u64,
    /// Failed items, by kind of failure.
    pub failed: BTreeMap<String, u64>,
    /// Of the failed items of a plain write, those that may have been done.
    pub unknown: u64,
    /// Tries after the first one of an item.
    pub retries: u64,
    /// Sessions that replaced an older one.
    pub renewals: u64,
    /// Requests sent, without those of `authenticate`.
    pub requests: u64,
    /// Rows that were given while their item went on, those of the journal included.
    pub rows: u64,
    /// Items with the key of an earlier item, if a key makes repetition harmless. With a journal all of them are
    /// counted, without one only those close to the other item.
    pub same_key: u64,
    /// Requests that may be in flight right now, at most the concurrency.
    pub in_flight: u64,
    /// How long requests took.
    pub latency: Latency,
    /// Since the start.
    pub elapsed: Duration,
    /// How it ended.
    pub ended: Ended,
}

impl Summary {
    /// Items that failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// The JSON that `nodule run --summary` writes: counts, `failed` by kind, times in milliseconds.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let ms =
            |time: Duration| json!(f64::from(u32::try_from(time.as_micros()).unwrap_or(u32::MAX)) / 1000.0);
        let failed: Map<String, Value> = self
            .failed
            .iter()
            .map(|(kind, count)| (kind.clone(), json!(count)))
            .collect();
        json!({
            "items": self.items, "done": self.done, "again": self.again, "skipped": self.skipped,
            "failed": failed, "unknown": self.unknown, "retries": self.retries, "renewals": self.renewals,
            "requests": self.requests, "rows": self.rows, "sameKey": self.same_key,
            "latencyMs": {
                "p50": ms(self.latency.p50), "p95": ms(self.latency.p95), "p99": ms(self.latency.p99),
                "max": ms(self.latency.max),
            },
            "elapsedMs": ms(self.elapsed), "ended": self.ended.name(),
        })
    }
}

/// Writes the JSON of [`Summary::to_json`].
impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// The counters behind a [`Summary`].
#[derive(Debug)]
pub(crate) struct Stats {
    started: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    summary: Summary,
    /// Created by the first request, since a run that waits for it should be small.
    took: Option<Histogram<u64>>,
    /// The first and the newest session used.
    sessions: Option<(u64, u64)>,
}

impl Stats {
    pub(crate) fn new() -> Self {
        let inner = Inner {
            summary: Summary::default(),
            took: None,
            sessions: None,
        };
        Self {
            started: Instant::now(),
            inner: Mutex::new(inner),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Summary)) {
        change(&mut self.inner().summary);
    }

    /// Records how the run ended.
    pub(crate) fn end(&self, ended: Ended) {
        self.update(|summary| summary.ended = ended);
    }

    /// Records how the run ended, unless that is recorded already.
    pub(crate) fn end_unless_ended(&self, ended: Ended) {
        self.update(|summary| {
            if summary.ended == Ended::Running {
                summary.ended = ended;
            }
        });
    }

    /// Counts what a call sent.
    pub(crate) fn requests(&self, observed: &Observed) {
        let mut inner = self.inner();
        inner.summary.requests += u64::from(observed.sent);
        if inner.took.is_none() && !observed.took.is_empty() {
            // The bounds are constants that `new_with_bounds` accepts; without a histogram only the latencies would be
            // missing.
            inner.took = Histogram::new_with_bounds(1, LONGEST_US, DIGITS).ok();
        }
        if let Some(took) = &mut inner.took {
            for time in &observed.took {
                took.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1));
            }
        }
    }

    /// Records which session is used.
    pub(crate) fn session(&self, generation: u64) {
        let mut inner = self.inner();
        let (first, newest) = inner.sessions.unwrap_or((generation, generation));
        let newest = newest.max(generation);
        inner.sessions = Some((first, newest));
        inner.summary.renewals = newest.saturating_sub(first);
    }

    /// Count a result.
    pub(crate) fn result(&self, result: &ItemResult, is_write: bool) {
        self.update(|summary| {
            summary.items += 1;
            match result {
                Ok(_) => summary.done += 1,
                Err(failure) => {
                    *summary.failed.entry(kind(failure, &summary.failed)).or_default() += 1;
                    summary.unknown += u64::from(is_write && failure.is_unknown());
                }
            }
        });
    }

    /// Rows of an item that goes on were given.
    pub(crate) fn rows(&self, result: &ItemResult) {
        let rows = result.as_ref().map_or(0, Vec::len);
        self.update(|summary| summary.rows += u64::try_from(rows).unwrap_or_default());
    }

    pub(crate) fn summary(&self) -> Summary {
        let inner = self.inner();
        let mut summary = inner.summary.clone();
        summary.elapsed = self.started.elapsed();
        if let Some(took) = inner.took.as_ref().filter(|took| !took.is_empty()) {
            let at = |quantile| Duration::from_micros(took.value_at_quantile(quantile));
            summary.latency = Latency {
                p50: at(0.5),
                p95: at(0.95),
                p99: at(0.99),
                max: Duration::from_micros(took.max()),
            };
        }
        summary
    }
}

/// A node chooses the kind of its other failures. Only this many are counted by name, all others together. Kinds of the
/// contract and of the host are always counted by name.
fn kind(failure: &Failure, counted: &BTreeMap<String, u64>) -> String {
    /// More kinds than a node has reasons to fail, and few enough for one line.
    const MOST_KINDS: usize = 32;
    let kind = failure.kind();
    let is_chosen = match failure {
        Failure::Uncertain(failure) => matches!(**failure, Failure::Other { .. }),
        failure => matches!(failure, Failure::Other { .. }),
    };
    if is_chosen && counted.len() >= MOST_KINDS && !counted.contains_key(kind) {
        return "other".to_owned();
    }
    kind.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_written_as_its_json() {
        let summary = Summary {
            items: 3,
            done: 2,
            failed: BTreeMap::from([("limit".to_owned(), 1)]),
            same_key: 1,
            latency: Latency {
                p50: Duration::from_micros(1500),
                ..Latency::default()
            },
            elapsed: Duration::from_secs(2),
            ended: Ended::OutOfTime,
            ..Summary::default()
        };
        let written = json!({
            "items": 3, "done": 2, "again": 0, "skipped": 0, "failed": {"limit": 1}, "unknown": 0, "retries": 0, "renewals": 0,
            "requests": 0, "rows": 0, "sameKey": 1, "latencyMs": {"p50": 1.5, "p95": 0.0, "p99": 0.0, "max": 0.0}, "elapsedMs": 2000.0,
            "ended": "out-of-time",
        });
        assert_eq!(serde_json::to_value(&summary).unwrap(), written);
    }

    #[test]
    fn a_node_that_invents_a_kind_for_each_item_fills_no_memory() {
        let stats = Stats::new();
        for item in 0..1_000 {
            let failure = Failure::Other {
                kind: format!("k{item}"),
                message: String::new(),
                detail: None,
            };
            stats.result(&Err(failure), false);
        }
        stats.result(&Err(Failure::NotRun), false);
        let failed = stats.summary().failed;
        assert_eq!(failed.len(), 34, "{failed:?}");
        assert_eq!((failed["other"], failed["not-run"]), (968, 1));
        assert_eq!(failed.values().sum::<u64>(), 1_001);
    }
}
