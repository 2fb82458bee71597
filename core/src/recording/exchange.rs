//! One request and its outcome.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{Method, StatusCode};
use jiff::Timestamp;
use url::Url;

/// The purpose of an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Turns a credential into a session. Recorded with placeholders, matched by method and path only.
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

/// A request as the node made it, before the host adds a session.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The absolute address, with its query.
    pub url: Url,
    /// Names and values in order; a name may repeat.
    pub headers: Vec<(String, String)>,
    /// The whole body; empty if there is none.
    pub body: Bytes,
}

/// Shows no query, header or body: in an authentication these are secrets.
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

/// A response, with its body decompressed.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordedResponse {
    /// The HTTP status.
    pub status: StatusCode,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body, or the part received before `broken`.
    pub body: Bytes,
    /// The transport failure that ended the body early, for example `connection-reset`.
    pub broken: Option<String>,
    /// The body, where it is in a file beside the recording.
    pub file: Option<RecordedFile>,
}

/// A file beside a recording, in the folder [`Recording::files_of`](super::Recording::files_of), by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedFile {
    /// SHA-256 in lower-case hexadecimal, which is its name.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

impl RecordedFile {
    /// Whether a text is such a name, and so nothing that leads elsewhere.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }
}

/// Shows no header or body: in an authentication these are secrets.
impl fmt::Debug for RecordedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedResponse")
            .field("status", &self.status.as_u16())
            .field("headers", &self.headers.len())
            .field("body", &self.body.len())
            .field("file", &self.file)
            .field("broken", &self.broken)
            .finish()
    }
}

/// The outcome of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The service responded.
    Answer(RecordedResponse),
    /// There was no response.
    Failed {
        /// The name of the transport failure, for example `connection-reset`. In a HAR of another tool, that tool's
        /// text, or [`Outcome::NO_ANSWER`] or [`Outcome::NO_BODY`] without one.
        error: String,
    },
}

impl Outcome {
    /// The HAR of another tool has no response for the request and does not say why.
    pub const NO_ANSWER: &'static str = "no-answer-recorded";
    /// The HAR of another tool says that the response had a body but does not contain it: browsers drop large bodies.
    pub const NO_BODY: &'static str = "body-not-recorded";

    /// Whether the response had a body that the recording does not contain.
    pub(super) fn lacks_body(&self) -> bool {
        matches!(self, Self::Failed { error } if error == Self::NO_BODY)
    }
}

/// One request and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The purpose of the exchange.
    pub role: Role,
    /// The index of its item; absent for authentication and where several items were in flight.
    pub item: Option<usize>,
    /// The request.
    pub request: Request,
    /// Its outcome.
    pub outcome: Outcome,
    /// When the request was sent. The replay of an authentication takes its clock from here, because the response may
    /// state when the session expires.
    pub started: Timestamp,
    /// From `started` to the last byte of the response.
    pub duration: Duration,
}

/// The first value of a header, by its name in lower case.
pub(super) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}
