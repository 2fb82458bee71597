//! The outcomes that a run must produce from a service's responses.

use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::Value;

use super::DATA;

/// How many tries an item gets in the tests that check these expectations.
pub const TRIES: u32 = 3;

/// The outcome of an operation, and how many requests the service got.
#[derive(Debug, Clone, Serialize)]
pub struct Expectation {
    /// The result.
    pub result: Expected,
    /// Requests that arrived, without those for a token.
    pub requests: usize,
}

/// The result of an item.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Expected {
    /// This document, byte for byte.
    Output(String),
    /// A failure.
    Fails {
        /// Of this kind.
        kind: &'static str,
        /// With this status; absent if the failure has none.
        status: Option<u16>,
        /// With these words in the message.
        words: Vec<String>,
        /// With this certainty.
        certainty: Option<&'static str>,
        /// With this wait, in seconds, that the service asks for.
        retry_after_s: Option<RangeInclusive<u64>>,
    },
}

impl Expectation {
    fn new(result: Expected, requests: usize) -> Self {
        Self { result, requests }
    }

    /// Describes how an outcome differs; `None` if it does not.
    #[must_use]
    pub fn problem(&self, result: &Result<String, Value>, requests: usize) -> Option<String> {
        let is_right = match (&self.result, result) {
            (Expected::Output(expected), Ok(document)) => expected == document,
            (
                Expected::Fails {
                    kind,
                    status,
                    words,
                    certainty,
                    retry_after_s,
                },
                Err(error),
            ) => {
                let message = error["message"].as_str().unwrap_or_default();
                error["kind"] == *kind
                    && error["status"].as_u64() == status.map(u64::from)
                    && words.iter().all(|words| message.contains(words.as_str()))
                    && error["certainty"].as_str() == *certainty
                    && match (retry_after_s, error["retryAfterMs"].as_u64()) {
                        (None, None) => true,
                        (Some(range), Some(ms)) => range.contains(&ms.div_ceil(1000)),
                        _ => false,
                    }
            }
            _ => false,
        };
        let is_right = is_right && requests == self.requests;
        (!is_right).then(|| format!("expected {self:?}, found {result:?} after {requests} requests"))
    }
}

type Both = (Expectation, Expectation);

fn both(result: Expected, requests: usize) -> Both {
    let one = Expectation::new(result, requests);
    (one.clone(), one)
}

fn fails(
    kind: &'static str,
    status: Option<u16>,
    words: &[&str],
    certainty: Option<&'static str>,
) -> Expected {
    Expected::Fails {
        kind,
        status,
        words: words.iter().map(|words| (*words).to_owned()).collect(),
        certainty,
        retry_after_s: None,
    }
}

/// This document, unchanged.
pub(super) fn output(document: &str) -> Both {
    both(Expected::Output(document.to_owned()), 1)
}

/// The usual document.
pub(super) fn data() -> Both {
    output(DATA)
}

/// The usual document, after a first response which says that nothing was done.
pub(super) fn data_at_the_second_try() -> Both {
    both(Expected::Output(DATA.to_owned()), 2)
}

/// A read is retried and gets the usual document; the outcome of a write is unknown.
pub(super) fn data_or_unknown(status: Option<u16>, words: &[&str]) -> Both {
    (
        Expectation::new(Expected::Output(DATA.to_owned()), 2),
        Expectation::new(fails("unavailable", status, words, Some("unknown")), 1),
    )
}

/// The same, with a wait that the service asks for.
pub(super) fn data_or_unknown_after(seconds: u64, status: u16, words: &[&str]) -> Both {
    let (read, mut write) = data_or_unknown(Some(status), words);
    if let Expected::Fails { retry_after_s, .. } = &mut write.result {
        *retry_after_s = Some(seconds..=seconds);
    }
    (read, write)
}

/// Every try gets no response, or the response of a failing service. A write is tried once.
pub(super) fn outage(status: Option<u16>, words: &[&str]) -> Both {
    let result = fails("unavailable", status, words, Some("unknown"));
    (
        Expectation::new(result.clone(), TRIES as usize),
        Expectation::new(result, 1),
    )
}

/// A response that refuses: nothing was done, and nothing is retried.
pub(super) fn rejected(status: u16, words: &[&str]) -> Both {
    both(fails("rejected", Some(status), words, None), 1)
}

/// A response of this kind, which leaves open whether something was done.
pub(super) fn undecided(kind: &'static str, status: Option<u16>, words: &[&str]) -> Both {
    (
        Expectation::new(fails(kind, status, words, None), 1),
        Expectation::new(fails(kind, status, words, Some("unknown")), 1),
    )
}

/// A response that the node did not understand.
pub(super) fn unintelligible(status: u16, words: &[&str]) -> Both {
    undecided("unintelligible", Some(status), words)
}

/// The service asks to wait longer than the item has.
pub(super) fn throttled(status: u16, seconds: RangeInclusive<u64>) -> Both {
    both(
        Expected::Fails {
            kind: "throttled",
            status: Some(status),
            words: Vec::new(),
            certainty: None,
            retry_after_s: Some(seconds),
        },
        1,
    )
}

/// Authentication fails, and the operation's request is never sent.
pub(super) fn not_authenticated(kind: &'static str, status: u16, words: &[&str]) -> Both {
    both(fails(kind, Some(status), words, None), 0)
}
