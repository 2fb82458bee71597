//! What the host sees of a call's requests, and what it makes of a node's word about them.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::{Pipeline, Whole};
use crate::events;
use crate::failure::{Certainty, Failure};

/// What the host saw of a call's requests; it trusts this more than what the node says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    /// Requests that began to leave.
    pub(crate) sent: u32,
    /// Of these, those that are not GET or HEAD.
    pub(super) changing: u32,
    /// Requests that were answered to the end.
    pub(crate) answered: u32,
    /// Bytes of the bodies of these answers.
    received: u64,
    /// Of those sent, the ones that are not GET or HEAD.
    pub(crate) changing_sent: u32,
    /// Of those answered to the end, the ones that are not GET or HEAD.
    pub(crate) changing_answered: u32,
    /// How long each request took that was sent to the service, in the order of their ends.
    pub(crate) took: Vec<Duration>,
    pub(super) denial: Option<(String, Option<String>)>,
    pub(super) limit: Option<String>,
    pub(super) trouble: Option<String>,
}

/// Answers that a call got.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Answered {
    pub(crate) answers: u32,
    /// Of their bodies.
    pub(crate) bytes: u64,
}

impl Answered {
    /// Those that came after `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            answers: self.answers.saturating_sub(earlier.answers),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }
}

impl Observed {
    fn answer(&mut self, answer: &Whole, changing: u32) {
        self.answered += 1;
        self.received += answer.body.len() as u64;
        self.changing_answered += changing;
    }
}

impl Pipeline {
    /// What the host saw of this call's requests so far.
    pub(crate) fn observed(&self) -> Observed {
        self.notes().clone()
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, Observed> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn limit(&self, key: &'static str, message: String) {
        self.note_limit(key);
        self.notes().limit.get_or_insert(message);
    }

    /// A limit that is not the node's failure, or not by itself.
    pub(crate) fn note_limit(&self, key: &str) {
        events::limit(&self.label, key);
    }

    /// Note that a request begins to leave; `changing` is 1 for one that is not GET or HEAD.
    pub(super) fn sending(&self, changing: u32) {
        let mut notes = self.notes();
        notes.sent += 1;
        notes.changing_sent += changing;
    }

    /// Note that it did not leave after all: there was no connection.
    pub(super) fn not_sent(&self, changing: u32) {
        let mut notes = self.notes();
        notes.sent = notes.sent.saturating_sub(1);
        notes.changing_sent = notes.changing_sent.saturating_sub(changing);
    }

    /// Note that a request to the service ended, with its answer where that was read to its end.
    pub(super) fn ended(&self, took: Duration, answer: Option<&Whole>, changing: u32) {
        let mut notes = self.notes();
        notes.took.push(took);
        if let Some(answer) = answer {
            notes.answer(answer, changing);
        }
    }

    /// Note that a recording had an answer.
    pub(super) fn answered(&self, answer: &Whole, changing: u32) {
        self.notes().answer(answer, changing);
    }

    /// The answers of this call so far.
    pub(crate) fn answers(&self) -> Answered {
        let notes = self.notes();
        Answered {
            answers: notes.answered,
            bytes: notes.received,
        }
    }

    /// Why a request of this call was denied, or which limit it reached, in the host's own words.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        let Observed { denial, limit, .. } = self.observed();
        let denied = denial.map(|(message, hint)| Failure::Denied { message, hint });
        denied.or_else(|| limit.map(Failure::Limit))
    }

    /// What the network said, where a request got no answer.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.notes().trouble.clone()
    }

    /// A node's failure in the host's own words, where the host knows more: which rule denied, which limit was reached,
    /// what the network said, and whether anything was sent at all.
    pub(crate) fn explain(&self, failure: Failure) -> Failure {
        let observed = self.observed();
        match failure {
            Failure::Denied { message, hint } => match observed.denial {
                Some((message, hint)) => Failure::Denied { message, hint },
                None => Failure::Denied { message, hint },
            },
            Failure::Limit(message) => Failure::Limit(observed.limit.unwrap_or(message)),
            Failure::Unavailable {
                certainty,
                mut message,
                answer,
                retry_after_ms,
            } => {
                if let (Some(trouble), None) = (observed.trouble, &answer) {
                    message = format!("{message} ({trouble})");
                }
                let certainty = if observed.sent == 0 {
                    Certainty::NotDone
                } else {
                    certainty
                };
                Failure::Unavailable {
                    certainty,
                    message,
                    answer,
                    retry_after_ms,
                }
            }
            failure => failure,
        }
    }
}
