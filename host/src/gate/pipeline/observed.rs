//! What the host observes of a call's requests, and how it corrects a node's failure with that.

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

/// How many denials and limits of one call are reported one by one. An honest call has a handful per item; a hostile
/// one could fill the disk with them, or hide another call's among them.
const AUDITED: u32 = 1024;

/// How many responses a signature is worth: the time for an instance, and for the tables that find the signature in the
/// response, is counted as the call's.
const SIGNATURE_IN_ANSWERS: u32 = 4;

/// What the host observed of a call's requests. The host trusts this more than the node's failure.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    /// Requests that started to leave.
    pub(crate) sent: u32,
    /// Requests that the policy allowed and that are neither GET nor HEAD.
    allowed_changing: u32,
    /// Requests with a complete response.
    pub(crate) answered: u32,
    /// Those of them whose requests were signed.
    signed: u32,
    /// The bytes of these responses' bodies, and of files that passed through the node.
    received: u64,
    /// Requests that left and are neither GET nor HEAD.
    pub(crate) changing: Changing,
    /// The duration of each request to the service, in the order in which they finished.
    pub(crate) took: Vec<Duration>,
    pub(super) denial: Option<(String, Option<String>)>,
    pub(super) limit: Option<String>,
    pub(super) trouble: Option<String>,
    /// The status of a response whose body could not be decoded, and why.
    undecoded: Option<(u16, String)>,
    /// The requests of an authenticating instance that were allowed.
    authenticating: u32,
    /// The number of denials and limits so far.
    audited: u32,
    /// The bytes that the node printed so far.
    pub(super) printed: usize,
    /// The response to an authenticating instance's last request; `None` if it had none.
    last_answer: Option<LastAnswer>,
}

/// What the host keeps of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastAnswer {
    pub(crate) status: u16,
    /// How long the service asks to wait, in milliseconds.
    pub(crate) retry_after_ms: Option<u32>,
    /// Whether it is an HTML page.
    pub(crate) is_html: bool,
    /// Where it redirects to, if it does.
    pub(crate) redirect: Option<Redirect>,
}

/// Where a redirect leads, relative to the base URL. The target itself is not kept, since it may contain what the node
/// sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// To `https` on the same host.
    Https,
    /// To another path or port on the same host.
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

/// Whether a response is an HTML page, by its content type or its first character.
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

/// The number and size of a call's responses.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Answered {
    pub(crate) answers: u32,
    /// The total size of their bodies.
    pub(crate) bytes: u64,
}

impl Answered {
    /// The responses since `earlier`.
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

    /// Counts a request of an authenticating instance. Returns whether it may be sent.
    pub(super) fn may_authenticate_further(&mut self) -> bool {
        let is_allowed = self.authenticating < AUTHENTICATION_REQUESTS;
        self.authenticating += u32::from(is_allowed);
        is_allowed
    }

    /// Counts a request that is neither GET nor HEAD. Returns whether it may be sent if `most` are allowed.
    pub(super) fn may_change_further(&mut self, most: u32) -> bool {
        let is_allowed = self.allowed_changing < most;
        self.allowed_changing += u32::from(is_allowed);
        is_allowed
    }
}

impl Pipeline {
    /// What the host has observed of this call so far.
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

    /// Reports something that a node can cause a million times a second: each of the first times, and then once that
    /// more follow.
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

    /// Reports a limit that does not become the node's failure, or not by itself.
    pub(crate) fn note_limit(&self, key: &str) {
        events::limit(&self.label, key);
    }

    /// Records that a request starts to leave. `changing` is 1 if it is neither GET nor HEAD.
    pub(super) fn sending(&self, changing: u32) {
        let mut notes = self.notes();
        notes.sent += 1;
        notes.changing.sent += changing;
    }

    /// Records that the request did not leave after all.
    pub(super) fn not_sent(&self, changing: u32) {
        let mut notes = self.notes();
        notes.sent = notes.sent.saturating_sub(1);
        notes.changing.sent = notes.changing.sent.saturating_sub(changing);
    }

    /// Records that a request to the service finished, with its response if that is complete.
    pub(super) fn ended(&self, took: Duration, answer: Option<&BufferedResponse>, changing: u32) {
        let mut notes = self.notes();
        notes.took.push(took);
        if let Some(answer) = answer {
            notes.answer(answer, changing);
        }
    }

    /// Records that a recording provided a response.
    pub(super) fn answered(&self, answer: &BufferedResponse, changing: u32) {
        self.notes().answer(answer, changing);
    }

    /// Counts bytes of a body that pass through the node.
    pub(crate) fn moved(&self, bytes: usize) {
        self.notes().received += bytes as u64;
    }

    /// Records that a signed request was answered.
    pub(super) fn answered_signed(&self) {
        self.notes().signed += 1;
    }

    /// The responses of this call so far. One to a signed request counts more.
    pub(crate) fn answered_so_far(&self) -> Answered {
        let notes = self.notes();
        Answered {
            answers: notes
                .answered
                .saturating_add(notes.signed.saturating_mul(SIGNATURE_IN_ANSWERS)),
            bytes: notes.received,
        }
    }

    /// The status of a response whose body could not be decoded, and why.
    pub(crate) fn undecoded(&self) -> Option<(u16, String)> {
        self.notes().undecoded.clone()
    }

    /// The host's reason why a request of this call was denied, or the limit that it reached.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        let Observed { denial, limit, .. } = self.observed();
        let denied = denial.map(|(message, hint)| Failure::Denied { message, hint });
        denied.or_else(|| limit.map(Failure::Limit))
    }

    /// The transport error of a request without a response.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.notes().trouble.clone()
    }

    /// Records a response whose body could not be decoded.
    pub(super) fn note_undecoded(&self, answer: &BufferedResponse) {
        let words = coding::trouble(&answer.headers);
        let mut notes = self.notes();
        notes.undecoded.get_or_insert((answer.status.as_u16(), words));
    }

    /// Records how a request of an authenticating instance finished.
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

    /// The response to an authenticating instance's last request, if it had one.
    pub(crate) fn last_answer(&self) -> Option<LastAnswer> {
        self.notes().last_answer
    }

    /// Replaces the node's explanation of a failure where the host knows better: which rule denied, which limit was
    /// reached, what the transport error was, and whether any request was sent at all.
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
            // Status 0 means that the node did not get the response.
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

/// Marks a refusal that the host did not observe as the node's claim. An operator may widen a policy or a limit because
/// of the message, so it must not look like the host's.
fn claimed(message: &str) -> String {
    format!("the node says: {message}")
}
