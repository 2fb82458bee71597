//! What a run has to make of a service's answers.

use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::Value;

use super::DATA;

/// How often an item is tried by those who hold a run against its expectation.
pub const TRIES: u32 = 3;

/// What an operation comes to, and how often the service was asked.
#[derive(Debug, Clone, Serialize)]
pub struct Expectation {
    /// The result.
    pub result: Expected,
    /// Requests that arrived, those for a token left out.
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
        /// With this status; absent: the service's answer has none to tell.
        status: Option<u16>,
        /// With these words in its message.
        words: Vec<String>,
        /// What it says of whether the thing was done.
        certainty: Option<&'static str>,
        /// How long the service asks to wait, in seconds.
        retry_after_s: Option<RangeInclusive<u64>>,
    },
}

impl Expectation {
    fn new(result: Expected, requests: usize) -> Self {
        Self { result, requests }
    }

    /// What is wrong with an outcome, if something is.
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

/// The document as it came.
pub(super) fn output(document: &str) -> Both {
    both(Expected::Output(document.to_owned()), 1)
}

/// The usual document.
pub(super) fn data() -> Both {
    output(DATA)
}

/// The usual document, after a first answer that says for certain that nothing was done.
pub(super) fn data_at_the_second_try() -> Both {
    both(Expected::Output(DATA.to_owned()), 2)
}

/// A read is tried again and gets the usual document; nobody knows what became of a write.
pub(super) fn data_or_unknown(status: Option<u16>, words: &[&str]) -> Both {
    (
        Expectation::new(Expected::Output(DATA.to_owned()), 2),
        Expectation::new(fails("unavailable", status, words, Some("unknown")), 1),
    )
}

/// The same with a wait that the service asks for.
pub(super) fn data_or_unknown_after(seconds: u64, status: u16, words: &[&str]) -> Both {
    let (read, mut write) = data_or_unknown(Some(status), words);
    if let Expected::Fails { retry_after_s, .. } = &mut write.result {
        *retry_after_s = Some(seconds..=seconds);
    }
    (read, write)
}

/// No answer, or one of a service that failed, at every try. A write is tried once.
pub(super) fn outage(status: Option<u16>, words: &[&str]) -> Both {
    let result = fails("unavailable", status, words, Some("unknown"));
    (
        Expectation::new(result.clone(), TRIES as usize),
        Expectation::new(result, 1),
    )
}

/// An answer that says no: nothing was done, and nothing is tried again.
pub(super) fn rejected(status: u16, words: &[&str]) -> Both {
    both(fails("rejected", Some(status), words, None), 1)
}

/// An answer of this kind, which does not say whether something was done.
pub(super) fn undecided(kind: &'static str, status: Option<u16>, words: &[&str]) -> Both {
    (
        Expectation::new(fails(kind, status, words, None), 1),
        Expectation::new(fails(kind, status, words, Some("unknown")), 1),
    )
}

/// An answer that was not understood.
pub(super) fn unintelligible(status: u16, words: &[&str]) -> Both {
    undecided("unintelligible", Some(status), words)
}

/// A wait that is asked for, longer than the item has.
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

/// A failure to authenticate: the operation's request is never sent.
pub(super) fn not_authenticated(kind: &'static str, status: u16, words: &[&str]) -> Both {
    both(fails(kind, Some(status), words, None), 0)
}
