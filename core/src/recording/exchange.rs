//! One request and what became of it.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{Method, StatusCode};
use jiff::Timestamp;
use url::Url;

/// What an exchange was for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Turning a credential into a session; recorded with placeholders, matched by method and path alone.
    Authentication,
    /// Everything else.
    #[default]
    Operation,
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Operation => "operation",
        }
    }
}

/// A request as the node made it, before a session is added.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The absolute address, with its query.
    pub url: Url,
    /// Name and value, in order, names repeated as often as they were sent.
    pub headers: Vec<(String, String)>,
    /// The whole body; empty is none.
    pub body: Bytes,
}

/// Shows no query, header or body: in an authentication they are secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.url.path())
            .field("headers", &self.headers.len())
            .field("body", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// An answer, its body decompressed.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordedResponse {
    /// The HTTP status.
    pub status: StatusCode,
    /// Name and value, in order.
    pub headers: Vec<(String, String)>,
    /// The body, or what came of it before `broken`.
    pub body: Bytes,
    /// The transport failure that ended the body early, for example `connection-reset`.
    pub broken: Option<String>,
}

/// Shows no header or body: in an authentication they are secrets.
impl fmt::Debug for RecordedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedResponse")
            .field("status", &self.status.as_u16())
            .field("headers", &self.headers.len())
            .field("body", &self.body.len())
            .field("broken", &self.broken)
            .finish()
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The service answered.
    Answer(RecordedResponse),
    /// There was no answer.
    Failed {
        /// The transport failure by name, for example `connection-reset`. Of a HAR that another tool wrote, its words;
        /// [`Outcome::NO_ANSWER`] and [`Outcome::NO_BODY`] where it has none.
        error: String,
    },
}

impl Outcome {
    /// A HAR of another tool has no answer here and does not say why.
    pub const NO_ANSWER: &'static str = "no-answer-recorded";
    /// A HAR of another tool says that the answer had a body, but does not hold it: browsers drop large ones.
    pub const NO_BODY: &'static str = "body-not-recorded";

    /// Whether there was an answer with a body, of which the recording does not hold the body.
    pub(super) fn lacks_body(&self) -> bool {
        matches!(self, Self::Failed { error } if error == Self::NO_BODY)
    }
}

/// One request and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// What it was for.
    pub role: Role,
    /// The index of the item that it was for; absent for authentication and where several items were under way.
    pub item: Option<usize>,
    /// What was sent.
    pub request: Request,
    /// What came of it.
    pub outcome: Outcome,
    /// When the request was sent. The replay of an authentication takes its clock from here, since an answer may hold
    /// the instant when the session ends.
    pub started: Timestamp,
    /// From there until the end of the answer.
    pub duration: Duration,
}

/// The first value of a header, by a name in lower case.
pub(super) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}
