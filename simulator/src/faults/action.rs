//! The faults that can be requested.

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::rule::RuleError;
use crate::config::Spelling;

/// The longest wait of any fault, so that a forgotten simulator keeps nothing open for ever.
pub const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// A fault. In JSON an action is its name in kebab case, or an object with its name and its fields in camel case:
/// `"reset-mid-answer"`, `{"latency": {"ms": 50}}`.
///
/// Unless a variant says otherwise, the request is executed first; [`Rule::act`](super::Rule::act) can change that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Action {
    /// Waits before the request is executed; with `act`, between execution and response. If the client disconnects
    /// during the wait before execution, the request is not executed.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// Responds with an HTTP status; does not execute the request.
    Status {
        /// The status code.
        code: u16,
        /// The text of a `Retry-After` header, valid or not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<String>,
        /// The body; by default an envelope with the status as its code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
    },
    /// Responds with an envelope with this code, at HTTP 200; does not execute the request.
    EnvelopeError {
        /// The envelope's code.
        code: String,
        /// The envelope's message.
        message: String,
    },
    /// Responds with a proxy's error page; does not execute the request.
    Html {
        /// The HTTP status.
        status: u16,
    },
    /// Responds with plain text at HTTP 200; does not execute the request.
    Text {
        /// The body.
        text: String,
    },
    /// Responds with a redirect; does not execute the request.
    Redirect {
        /// The text of the `Location` header.
        location: String,
        /// 301, 302, 303, 307 or 308.
        status: u16,
    },
    /// Sends the first half of the response as if it were complete.
    TruncatedJson,
    /// Sends an envelope whose message is GBK, not UTF-8.
    WrongCharset {
        /// The charset that the content type declares; absent for none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        declared: Option<String>,
    },
    /// Responds with HTTP 200 and an empty body.
    EmptyBody,
    /// Responds with HTTP 204.
    NoContent,
    /// Responds with an envelope whose data is nested lists; does not execute the request.
    DeepNesting {
        /// The number of levels.
        depth: u32,
    },
    /// Responds with an envelope whose data is a text of this length, with a `Content-Length`; does not execute the
    /// request.
    LargeBody {
        /// Bytes of the text.
        bytes: u64,
    },
    /// Adds headers `x-filler-N` to the response.
    ManyHeaders {
        /// The number of headers.
        count: u32,
        /// Bytes of each value.
        size: u32,
    },
    /// Writes the envelope in another spelling.
    EnvelopeSpelling {
        /// The spelling.
        spelling: Spelling,
    },
    /// Returns page 1, whatever page is requested.
    SamePage,
    /// Echoes the request's `Authorization` header in the header `x-echo-authorization` and in the message.
    EchoAuthorization,
    /// Resets a connection as soon as it is accepted. This fault is about connections: its rule takes no method and no
    /// path, and it also affects connections to the control endpoints.
    ResetBeforeReading,
    /// Accepts a connection, then neither reads nor writes. About connections, like the variant above.
    AcceptThenSilence {
        /// Milliseconds until the connection is closed.
        ms: u64,
    },
    /// Reads the request, does not execute it, and resets the connection.
    ResetBeforeActing,
    /// Executes the request, and resets the connection before the first byte of the response.
    ResetAfterActing,
    /// Resets the connection after half of the response's body.
    ResetMidAnswer,
    /// Closes the connection, without an error, after half of the response's body.
    CloseMidAnswer,
    /// Sends the whole response as if the connection stayed open, then closes it.
    CloseAfterAnswer {
        /// Whether to close it with a reset.
        reset: bool,
    },
    /// Sends status line and headers byte by byte.
    DripHeader {
        /// Milliseconds between bytes.
        ms: u64,
    },
    /// Sends the body byte by byte.
    DripBody {
        /// Milliseconds between bytes.
        ms: u64,
    },
    /// Reads the request and does not respond; does not execute the request.
    Silence {
        /// Milliseconds until the connection is closed.
        ms: u64,
    },
    /// Sends half of the response's body, then nothing.
    SilenceMidAnswer {
        /// Milliseconds until the connection is closed.
        ms: u64,
    },
    /// Sends a chunked body that never finishes; does not execute the request.
    EndlessBody,
    /// Sends a body that is small until it is decompressed; does not execute the request.
    GzipBomb {
        /// Bytes after decompression, rounded up to whole mebibytes.
        bytes: u64,
    },
    /// Sends a `Content-Length` that is off by this many bytes: positive promises too much, negative too little.
    WrongContentLength {
        /// The difference.
        by: i64,
    },
    /// Writes bytes to the socket instead of an HTTP response, then closes it; does not execute the request.
    Raw {
        /// The bytes, as text.
        text: String,
    },
}

impl Action {
    /// Whether it happens before a request is read.
    pub(super) fn is_about_connections(&self) -> bool {
        matches!(self, Self::ResetBeforeReading | Self::AcceptThenSilence { .. })
    }

    pub(super) fn act_is_fixed(&self) -> bool {
        self.is_about_connections()
            || matches!(
                self,
                Self::ResetBeforeActing
                    | Self::ResetAfterActing
                    | Self::EnvelopeSpelling { .. }
                    | Self::SamePage
                    | Self::EchoAuthorization
            )
    }

    /// Whether the request is executed unless the rule says otherwise.
    pub(super) fn acts(&self) -> bool {
        !matches!(
            self,
            Self::Latency { .. }
                | Self::Status { .. }
                | Self::EnvelopeError { .. }
                | Self::Html { .. }
                | Self::Text { .. }
                | Self::Redirect { .. }
                | Self::DeepNesting { .. }
                | Self::LargeBody { .. }
                | Self::ResetBeforeReading
                | Self::AcceptThenSilence { .. }
                | Self::ResetBeforeActing
                | Self::Silence { .. }
                | Self::EndlessBody
                | Self::GzipBomb { .. }
                | Self::Raw { .. }
        )
    }

    pub(super) fn validate(&self) -> Result<(), RuleError> {
        let value = |field, expected, fits: bool| {
            if fits {
                Ok(())
            } else {
                Err(RuleError::Value { field, expected })
            }
        };
        match self {
            Self::Latency { ms }
            | Self::AcceptThenSilence { ms }
            | Self::DripHeader { ms }
            | Self::DripBody { ms }
            | Self::Silence { ms }
            | Self::SilenceMidAnswer { ms } => {
                value("ms", "at most 600000", Duration::from_millis(*ms) <= LONGEST_WAIT)
            }
            Self::Status {
                code, retry_after, ..
            } => {
                value("code", "an HTTP status", is_status(*code))?;
                let header = retry_after.as_deref().unwrap_or_default();
                value(
                    "retryAfter",
                    "the text of a header",
                    HeaderValue::from_str(header).is_ok(),
                )
            }
            Self::Html { status } => value("status", "an HTTP status", is_status(*status)),
            Self::Redirect { location, status } => {
                value(
                    "status",
                    "a redirect",
                    matches!(status, 301 | 302 | 303 | 307 | 308),
                )?;
                value(
                    "location",
                    "the text of a header",
                    HeaderValue::from_str(location).is_ok(),
                )
            }
            Self::WrongCharset {
                declared: Some(charset),
            } => value("declared", "a charset", HeaderValue::from_str(charset).is_ok()),
            Self::DeepNesting { depth } => value("depth", "at most 10000000", *depth <= 10_000_000),
            Self::LargeBody { bytes } | Self::GzipBomb { bytes } => {
                value("bytes", "at most 1099511627776", *bytes <= 1 << 40)
            }
            Self::ManyHeaders { count, size } => value(
                "count and size",
                "a product of at most 67108864",
                u64::from(*count) * u64::from(*size).max(1) <= 1 << 26,
            ),
            _ => Ok(()),
        }
    }
}

/// A status below 200 announces a further response, so it cannot be the final one.
fn is_status(code: u16) -> bool {
    code >= 200 && StatusCode::from_u16(code).is_ok()
}
