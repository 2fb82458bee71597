//! Why an item has no output, by who has to act: the contract's `failure` as a plain type.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::json;
use crate::json::{Json, Object};
use crate::text::shown;

mod stored;

/// The kind of failure of an item in a resumed run whose outcome the earlier run did not learn.
pub const UNKNOWN: &str = "unknown";
/// The kind of failure of an item whose credential needs a log-in: nobody has logged in, or the provider renews it no more.
pub const LOGIN_REQUIRED: &str = "login-required";
/// The kind of failure of an item whose tokens could not be loaded or stored.
pub const TOKEN_STORE: &str = "token-store";

/// The longest line that `Display` writes: enough for a list of a thousand problems.
const SHOWN_CHARS: usize = 64 * 1024;

/// Why an item has no output.
///
/// [`Failure::to_json`] gives the shape that engines store and `nodule run` prints: an object with `kind` (the
/// contract's name, for example `invalid-parameters`), `message`, and the facts that the kind has.
///
/// Texts are kept as the node and the service sent them. `Display` writes one line, without characters that control a
/// terminal.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Failure {
    /// The author of the workflow acts: these parameters cannot be sent. All problems at once, in parameter order.
    InvalidParameters(Vec<ParameterProblem>),
    /// The engine acts: the call itself is malformed.
    InvalidInput(String),
    /// The owner of the credential acts: the service did not accept the session, nor a fresh one.
    Unauthenticated(Answer),
    /// The service understood the request and refused it.
    Rejected(Answer),
    /// The service asks to wait; nothing was done. The item can be tried again later.
    Throttled {
        /// The service's response.
        answer: Answer,
        /// How long the service asks to wait.
        retry_after_ms: Option<u32>,
    },
    /// The service failed, or could not be reached.
    Unavailable {
        /// Whether the request may have had its effect.
        certainty: Certainty,
        /// What happened, and where.
        message: String,
        /// The service's response, if there was one.
        answer: Option<Answer>,
        /// How long the service asks to wait.
        retry_after_ms: Option<u32>,
    },
    /// The operator acts: the host's policy refused a request before it left.
    Denied {
        /// What was refused, and which rule is missing.
        message: String,
        /// Policy lines that would allow it, ready to paste.
        hint: Option<String>,
    },
    /// The author of the node acts: the node could not understand the response.
    Unintelligible(Answer),
    /// The operator acts: the item reached a limit. The text says which.
    Limit(String),
    /// Never run: an earlier item failed, and the run stops at failures.
    NotRun,
    /// A plain write failed with the inner failure but may still have had its effect: the host sent the request, and
    /// nothing rules the effect out. The host never retries it.
    Uncertain(Box<Failure>),
    /// Anything else: a node that trapped (`trap`), or a case that the contract has no name for yet.
    Other {
        /// A name for the kind, in kebab-case.
        kind: String,
        /// What happened.
        message: String,
        /// More, for people.
        detail: Option<Json>,
    },
}

/// One thing that is wrong with an item's parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterProblem {
    /// JSON pointer (RFC 6901) into the item's parameters, for example `/details/detail/2/qty`.
    pub pointer: String,
    /// The name the user sees, for example `Product Quantity`.
    pub label: String,
    /// What was expected and what was found.
    pub message: String,
}

/// The service's response, as a failure keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The service's own code, if it sends one.
    pub code: Option<String>,
    /// The service's own message.
    pub message: String,
    /// The service's ID for this exchange, if it sends one.
    pub request_id: Option<String>,
}

/// Whether the request may have had its effect on the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// Certainly not.
    NotDone,
    /// Perhaps.
    Unknown,
}

impl Certainty {
    /// The contract's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Certainty::NotDone => "not-done",
            Certainty::Unknown => "unknown",
        }
    }
}

impl Failure {
    /// The contract's name for the kind; for [`Failure::Other`], its own.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Failure::InvalidParameters(_) => "invalid-parameters",
            Failure::InvalidInput(_) => "invalid-input",
            Failure::Unauthenticated(_) => "unauthenticated",
            Failure::Rejected(_) => "rejected",
            Failure::Throttled { .. } => "throttled",
            Failure::Unavailable { .. } => "unavailable",
            Failure::Denied { .. } => "denied",
            Failure::Unintelligible(_) => "unintelligible",
            Failure::Limit(_) => "limit",
            Failure::NotRun => "not-run",
            Failure::Uncertain(failure) => failure.kind(),
            Failure::Other { kind, .. } => kind,
        }
    }

    /// The service's response, if there was one.
    #[must_use]
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Failure::Unauthenticated(answer)
            | Failure::Rejected(answer)
            | Failure::Unintelligible(answer)
            | Failure::Throttled { answer, .. } => Some(answer),
            Failure::Unavailable { answer, .. } => answer.as_ref(),
            Failure::Uncertain(failure) => failure.answer(),
            _ => None,
        }
    }

    /// Whether the request may have had its effect.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        match self {
            Failure::Unavailable { certainty, .. } => *certainty == Certainty::Unknown,
            Failure::Uncertain(_) => true,
            Failure::Other { kind, .. } => kind == UNKNOWN,
            _ => false,
        }
    }

    /// The JSON form that engines store: `kind`, `message`, then those of `status`, `code`, `requestId`,
    /// `retryAfterMs`, `certainty`, `problems`, `hint` and `detail` that the kind has. Texts are unchanged;
    /// [`text::json`](crate::text::json()) makes the written form safe to print.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut fields = Object::new();
        fields.insert("kind", self.kind());
        fields.insert("message", self.message());
        if let Some(answer) = self.answer() {
            fields.insert("status", answer.status);
            if let Some(code) = &answer.code {
                fields.insert("code", code.as_str());
            }
            if let Some(id) = &answer.request_id {
                fields.insert("requestId", id.as_str());
            }
        }
        match self {
            Failure::InvalidParameters(problems) => {
                let problems = problems
                    .iter()
                    .map(|problem| {
                        json!({"pointer": problem.pointer, "label": problem.label, "message": problem.message})
                    })
                    .collect();
                fields.insert("problems", Json::Array(problems));
            }
            Failure::Throttled {
                retry_after_ms: Some(ms),
                ..
            } => {
                fields.insert("retryAfterMs", *ms);
            }
            Failure::Unavailable {
                certainty,
                retry_after_ms,
                ..
            } => {
                fields.insert("certainty", certainty.name());
                if let Some(ms) = retry_after_ms {
                    fields.insert("retryAfterMs", *ms);
                }
            }
            Failure::Denied { hint: Some(hint), .. } => {
                fields.insert("hint", hint.as_str());
            }
            Failure::Other {
                detail: Some(detail), ..
            } => {
                fields.insert("detail", detail.clone());
            }
            Failure::Uncertain(failure) => {
                let Json::Object(mut inner) = failure.to_json() else {
                    return Json::Object(fields);
                };
                inner.insert("certainty", Certainty::Unknown.name());
                return Json::Object(inner);
            }
            _ => {}
        }
        Json::Object(fields)
    }
}

impl Failure {
    /// What happened, in the form's or the service's own words, unchanged.
    fn message(&self) -> Cow<'_, str> {
        match self {
            Failure::InvalidParameters(problems) => {
                let problems = problems
                    .iter()
                    .map(|problem| format!("{}: {}", problem.label, problem.message));
                problems.collect::<Vec<_>>().join("; ").into()
            }
            Failure::InvalidInput(message)
            | Failure::Limit(message)
            | Failure::Denied { message, .. }
            | Failure::Unavailable { message, .. }
            | Failure::Other { message, .. } => message.into(),
            Failure::Uncertain(failure) => failure.message(),
            Failure::NotRun => "not run, since an item before it failed".into(),
            Failure::Unauthenticated(answer)
            | Failure::Rejected(answer)
            | Failure::Unintelligible(answer)
            | Failure::Throttled { answer, .. } => (&answer.message).into(),
        }
    }
}

impl std::error::Error for Failure {}

/// One line for people: what happened, in the form's or the service's own words.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.message(), SHOWN_CHARS))
    }
}

impl fmt::Display for ParameterProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}: {}", self.label, self.message);
        f.write_str(&shown(&text, SHOWN_CHARS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_it_is_and_every_fact_it_has() {
        let failure = Failure::Unavailable {
            certainty: Certainty::Unknown,
            message: "the service answered 503".into(),
            answer: Some(Answer {
                status: 503,
                code: Some("E1".into()),
                message: "busy".into(),
                request_id: Some("r-1".into()),
            }),
            retry_after_ms: Some(2_000),
        };
        assert_eq!(
            failure.to_json(),
            json!({
                "kind": "unavailable", "message": "the service answered 503", "status": 503, "code": "E1",
                "requestId": "r-1", "certainty": "unknown", "retryAfterMs": 2000,
            })
        );
    }

    #[test]
    fn nothing_that_a_node_or_a_service_says_acts_on_a_terminal() {
        let message = "a\u{1b}[2J\u{9b}31m\r\nerror: b\u{202e}".to_owned();
        let answer = Answer {
            message: message.clone(),
            ..Answer::default()
        };
        let problem = ParameterProblem {
            pointer: String::new(),
            label: message.clone(),
            message: message.clone(),
        };
        for failure in [
            Failure::InvalidInput(message.clone()),
            Failure::Rejected(answer),
            Failure::InvalidParameters(vec![problem]),
            Failure::Uncertain(Box::new(Failure::Limit(message.clone()))),
        ] {
            let shown = failure.to_string();
            assert!(
                shown.contains(r"a\u{1b}[2J\u{9b}31m\r\nerror: b\u{202e}"),
                "{shown}"
            );
            assert!(!shown.chars().any(crate::text::is_deceptive), "{shown}");
            // The stored form keeps the whole message.
            assert!(failure.to_json()["message"].as_str().unwrap().contains(&message));
        }
    }

    #[test]
    fn all_problems_stand_in_one_line_by_label() {
        let problem = |label: &str| ParameterProblem {
            pointer: format!("/{label}"),
            label: label.into(),
            message: "expected a text, found nothing".into(),
        };
        let failure = Failure::InvalidParameters(vec![problem("A"), problem("B")]);
        assert_eq!(
            failure.to_string(),
            "A: expected a text, found nothing; B: expected a text, found nothing"
        );
        assert_eq!(failure.to_json()["problems"][1]["pointer"], "/B");
    }
}
