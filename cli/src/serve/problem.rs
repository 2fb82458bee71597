//! A problem response: a status, and what a person can do about it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use nodule::journal::JournalError;
use serde::de::DeserializeOwned;

use super::wire::{Problem, ProblemBody};

/// A problem that is sent as the response.
#[derive(Debug)]
pub struct Answered {
    status: StatusCode,
    problem: Problem,
}

impl Answered {
    /// The request is malformed or inconsistent.
    pub fn request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-request", message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", message)
    }

    pub fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            problem: Problem {
                kind,
                message: message.into(),
                hint: None,
            },
        }
    }

    pub fn hint(self, hint: impl Into<String>) -> Self {
        self.hinted(Some(hint.into()))
    }

    /// Adds a hint, if there is one.
    pub fn hinted(mut self, hint: Option<String>) -> Self {
        self.problem.hint = hint;
        self
    }

    /// Maps an error of the library.
    pub fn library(error: &nodule::Error) -> Self {
        let status = match error {
            nodule::Error::UnknownOperation(_) => StatusCode::NOT_FOUND,
            nodule::Error::Journal(_) | nodule::Error::Digest { .. } => StatusCode::CONFLICT,
            _ => StatusCode::BAD_REQUEST,
        };
        Self {
            status,
            problem: error.into(),
        }
    }
}

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        (self.status, Json(ProblemBody { error: self.problem })).into_response()
    }
}

impl From<&nodule::Error> for Problem {
    fn from(error: &nodule::Error) -> Self {
        use nodule::Error;
        let kind = match error {
            Error::UnknownOperation(_) => "unknown-operation",
            Error::Question(_) => "question",
            Error::Digest { .. } => "digest",
            Error::Credential { .. } | Error::CredentialMissing { .. } | Error::TokensMissing { .. } => {
                "credential"
            }
            Error::Journal(_) => "journal",
            Error::Recording(_) => "recording",
            Error::File { .. } => "file",
            Error::NotAComponent { .. }
            | Error::Name { .. }
            | Error::TooLarge { .. }
            | Error::Compile { .. }
            | Error::WrongContract { .. }
            | Error::Imports { .. }
            | Error::ImportDiffers { .. }
            | Error::Describe { .. }
            | Error::Description { .. } => "component",
            Error::Limit(_)
            | Error::StackSize { .. }
            | Error::UnknownEffect { .. }
            | Error::ImportsNotMinimal { .. } => "policy",
            _ => "invalid-request",
        };
        let hint = match error {
            // The library's own hints address embedders, not clients.
            Error::CredentialMissing { .. } => Some("give its fields as `credential`".to_owned()),
            Error::TokensMissing { .. } => Some("log in, and give the access token as `token`".to_owned()),
            Error::Journal(error) if matches!(**error, JournalError::Another { what: "component", .. }) => Some(
                "nothing in it was changed; name another file for another run; `acceptComponent` goes on with a repaired build of the \
                 same node"
                    .to_owned(),
            ),
            Error::StackSize { .. } => Some("leave `stack-bytes` out of the policy".to_owned()),
            error => error.hint(),
        };
        Self {
            kind,
            message: error.to_string(),
            hint,
        }
    }
}

/// Parses JSON. The error repeats nothing of the text, since that may contain a credential.
pub fn parse<T: DeserializeOwned>(text: &[u8], what: &str) -> Result<T, Answered> {
    serde_json::from_slice(text).map_err(|error| {
        let problem = if error.is_data() {
            known(&error.to_string())
        } else {
            "no JSON".to_owned()
        };
        Answered::request(format!(
            "expected {what}, found {problem} at line {}, column {}",
            error.line(),
            error.column()
        ))
        .hint("GET /openapi.json has what may stand there")
    })
}

/// Keeps those of serde's messages that name only a key of ours; others may repeat a value.
fn known(words: &str) -> String {
    match words.split('`').collect::<Vec<_>>().as_slice() {
        ["missing field ", key, ..] => format!("no `{key}`"),
        ["unknown field ", key, ..] => {
            const SHOWN_CHARS: usize = 60;
            format!("the unknown key `{}`", nodule::text::shown(key, SHOWN_CHARS))
        }
        _ => "a value of another kind".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::Run;
    use super::*;

    #[test]
    fn a_journal_of_another_build_names_the_key_that_goes_on_with_it() {
        let error = nodule::Error::from(JournalError::Another {
            path: "run.sqlite".into(),
            what: "component",
            expected: "sha256:1".into(),
            found: "sha256:2".into(),
        });
        let hint = Problem::from(&error).hint.unwrap();
        assert!(
            hint.contains("`acceptComponent`") && !hint.contains("::"),
            "{hint}"
        );
    }

    #[test]
    fn a_request_that_cannot_be_read_is_answered_without_its_values() {
        for (text, expected) in [
            (r#"{"component":"hunter2"}"#, "no `group`"),
            (r#"{"component":{"a":"hunter2"}}"#, "another kind"),
            (r#"{"tenannt":"hunter2"}"#, "unknown key `tenannt`"),
            (
                r#"{"component":"hunter2","group":"g","operation":"o","onFailure":"hunter2"}"#,
                "found",
            ),
            (r#"{"component":"hunter2"#, "no JSON"),
        ] {
            let problem = parse::<Run>(text.as_bytes(), "a run")
                .err()
                .unwrap()
                .problem
                .message;
            assert!(
                problem.contains(expected) && !problem.contains("hunter2"),
                "{problem}"
            );
        }
    }
}
