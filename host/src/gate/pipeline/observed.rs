//! What the host sees of a call's requests, and what it makes of a node's word about them.

use nodule_core::outcome::Changing;
use std::cmp::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use wasmtime_wasi_http::Error as HttpError;

use super::AUTHENTICATION_REQUESTS;
use super::{BufferedResponse, Pipeline, coding, wait};
use crate::events;
use nodule_core::canonical::CanonicalUrl;
use nodule_core::failure::{Certainty, Failure};

/// Denials and limits of one call that are told one by one: all of an honest one, which has a handful for each item. A hostile
/// one would fill the disk with them otherwise, or hide those of others among them.
const AUDITED: u32 = 1024;

/// What the host saw of a call's requests; it trusts this more than what the node says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    /// Requests that began to leave.
    pub(crate) sent: u32,
    /// Those that policy let pass and that are not GET or HEAD.
    allowed_changing: u32,
    /// Requests that were answered to the end.
    pub(crate) answered: u32,
    /// Bytes of the bodies of these answers.
    received: u64,
    /// Those that left and are not GET or HEAD.
    pub(crate) changing: Changing,
    /// How long each request took that was sent to the service, in the order of their ends.
    pub(crate) took: Vec<Duration>,
    pub(super) denial: Option<(String, Option<String>)>,
    pub(super) limit: Option<String>,
    pub(super) trouble: Option<String>,
    /// The status of an answer whose body could not be read, and what is wrong with that.
    undecoded: Option<(u16, String)>,
    /// Requests of an authenticating instance that were allowed.
    authenticating: u32,
    /// Events of things that cost a node nothing.
    audited: u32,
    /// The last answer to an authenticating instance, where the last of its requests had one.
    last_answer: Option<LastAnswer>,
}

/// What the host saw of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastAnswer {
    pub(crate) status: u16,
    /// How long the service asks to wait, in milliseconds.
    pub(crate) retry_after_ms: Option<u32>,
    /// Whether it is a page, and no document.
    pub(crate) is_html: bool,
    /// Where it leads, where it is a redirect.
    pub(crate) redirect: Option<Redirect>,
}

/// Where a redirect leads, seen from the base URL; no more, since the place itself may hold what the node sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// To `https`, at the same host.
    Https,
    /// To another path or port of the same host.
    SameHost,
    /// To another host.
    OtherHost,
}

impl Redirect {
    fn of(status: StatusCode, headers: &HeaderMap, base: Option<&CanonicalUrl>) -> Option<Self> {
        let to = headers
            .get(header::LOCATION)
            .filter(|_| status.is_redirection())?;
        let from = url::Url::parse(&base?.to_string()).ok()?;
        let to = from.join(to.to_str().ok()?).ok()?;
        Some(if to.host_str() != from.host_str() {
            Self::OtherHost
        } else if to.scheme() == "https" && from.scheme() == "http" {
            Self::Https
        } else {
            Self::SameHost
        })
    }
}

/// Whether an answer is a page, by what it says or by how it begins.
fn is_html(answer: &BufferedResponse) -> bool {
    let kind = answer
        .headers
        .get(header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| {
        kind.trim_ascii_start()
            .to_ascii_lowercase()
            .starts_with(b"text/html")
    }) || answer.body.trim_ascii_start().starts_with(b"<")
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
    fn answer(&mut self, answer: &BufferedResponse, changing: u32) {
        self.answered += 1;
        self.received += answer.body.len() as u64;
        self.changing.answered += changing;
    }

    /// Count a request of an authenticating instance; whether it may be sent.
    pub(super) fn may_authenticate_further(&mut self) -> bool {
        let is_allowed = self.authenticating < AUTHENTICATION_REQUESTS;
        self.authenticating += u32::from(is_allowed);
        is_allowed
    }

    /// Count a request that is not GET or HEAD; whether it may be sent where `most` may.
    pub(super) fn may_change_further(&mut self, most: u32) -> bool {
        let is_allowed = self.allowed_changing < most;
        self.allowed_changing += u32::from(is_allowed);
        is_allowed
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
        self.audit(|| events::limit(&self.label, key));
        self.notes().limit.get_or_insert(message);
    }

    /// Tell of something that a node can do a million times a second: the first times, and then that it goes on.
    pub(super) fn audit(&self, tell: impl FnOnce()) {
        let told = {
            let mut notes = self.notes();
            notes.audited = notes.audited.saturating_add(1);
            notes.audited
        };
        match told.cmp(&AUDITED) {
            Ordering::Less => tell(),
            Ordering::Equal => events::silence(&self.label),
            Ordering::Greater => {}
        }
    }

    /// A limit that is not the node's failure, or not by itself.
    pub(crate) fn note_limit(&self, key: &str) {
        events::limit(&self.label, key);
    }

    /// Note that a request begins to leave; `changing` is 1 for one that is not GET or HEAD.
    pub(super) fn sending(&self, changing: u32) {
        let mut notes = self.notes();
        notes.sent += 1;
        notes.changing.sent += changing;
    }

    /// Note that it did not leave after all: there was no connection.
    pub(super) fn not_sent(&self, changing: u32) {
        let mut notes = self.notes();
        notes.sent = notes.sent.saturating_sub(1);
        notes.changing.sent = notes.changing.sent.saturating_sub(changing);
    }

    /// Note that a request to the service ended, with its answer where that was read to its end.
    pub(super) fn ended(&self, took: Duration, answer: Option<&BufferedResponse>, changing: u32) {
        let mut notes = self.notes();
        notes.took.push(took);
        if let Some(answer) = answer {
            notes.answer(answer, changing);
        }
    }

    /// Note that a recording had an answer.
    pub(super) fn answered(&self, answer: &BufferedResponse, changing: u32) {
        self.notes().answer(answer, changing);
    }

    /// The answers of this call so far.
    pub(crate) fn answered_so_far(&self) -> Answered {
        let notes = self.notes();
        Answered {
            answers: notes.answered,
            bytes: notes.received,
        }
    }

    /// The status of an answer whose body could not be read, and what is wrong with it.
    pub(crate) fn undecoded(&self) -> Option<(u16, String)> {
        self.notes().undecoded.clone()
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

    /// Note an answer whose body could not be read.
    pub(super) fn note_undecoded(&self, answer: &BufferedResponse) {
        let words = coding::trouble(&answer.headers);
        let mut notes = self.notes();
        notes.undecoded.get_or_insert((answer.status.as_u16(), words));
    }

    /// Note how a request of an authenticating instance ended.
    pub(super) fn note_answer(&self, outcome: &Result<BufferedResponse, HttpError>) {
        self.notes().last_answer = outcome.as_ref().ok().map(|answer| LastAnswer {
            status: answer.status.as_u16(),
            retry_after_ms: wait::ms(&answer.headers),
            is_html: is_html(answer),
            redirect: Redirect::of(
                answer.status,
                &answer.headers,
                self.base.as_ref().map(|base| base.url()),
            ),
        });
    }

    /// The answer to the last request of an authenticating instance, where there was one.
    pub(crate) fn last_answer(&self) -> Option<LastAnswer> {
        self.notes().last_answer
    }

    /// A node's failure in the host's own words, where the host knows more: which rule denied, which limit was reached,
    /// what the network said, and whether anything was sent at all.
    pub(crate) fn explain(&self, failure: Failure) -> Failure {
        let observed = self.observed();
        match failure {
            Failure::Denied { message, hint } => match observed.denial {
                Some((message, hint)) => Failure::Denied { message, hint },
                None => Failure::Denied {
                    message: claimed(&message),
                    hint,
                },
            },
            Failure::Limit(message) => Failure::Limit(observed.limit.unwrap_or_else(|| claimed(&message))),
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
            // 0 is the status of an answer that the node was not given.
            Failure::Unintelligible(mut answer) if answer.status == 0 => {
                if let Some((status, words)) = observed.undecoded {
                    answer.status = status;
                    answer.message = words;
                }
                Failure::Unintelligible(answer)
            }
            failure => failure,
        }
    }
}

/// A refusal of which the host knows nothing. Whoever reads it may widen a policy or a limit on the strength of it, so it is
/// not passed off as the host's own word.
fn claimed(message: &str) -> String {
    format!("the node says: {message}")
}
