//! What can go wrong.

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::rule::RuleError;
use crate::config::Spelling;

/// No fault waits longer than this, so that a forgotten simulator holds nothing for ever.
pub const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// What goes wrong. In JSON an action is its name in kebab case, or an object of its name and its fields in camel case:
/// `"reset-mid-answer"`, `{"latency": {"ms": 50}}`.
///
/// Unless a variant says otherwise the request is carried out first and [`Rule::act`](super::Rule::act) can change that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Action {
    /// Wait before the request is carried out; with `act`, afterwards and before the answer. A client that leaves while it
    /// is waited before is not served.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// An HTTP status; not carried out.
    Status {
        /// The status code.
        code: u16,
        /// The text of a `Retry-After` header, whatever it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<String>,
        /// The body; an envelope with the status as its code when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
    },
    /// An envelope with this code at HTTP 200; not carried out.
    EnvelopeError {
        /// The envelope's code.
        code: String,
        /// The envelope's message.
        message: String,
    },
    /// A proxy's error page; not carried out.
    Html {
        /// The HTTP status.
        status: u16,
    },
    /// Plain text at HTTP 200; not carried out.
    Text {
        /// The body.
        text: String,
    },
    /// A redirect; not carried out.
    Redirect {
        /// The text of the `Location` header.
        location: String,
        /// 301, 302, 303, 307 or 308.
        status: u16,
    },
    /// The first half of the answer, as if it were all of it.
    TruncatedJson,
    /// An envelope whose message is GBK, not UTF-8.
    WrongCharset {
        /// The charset that the content type declares; none when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        declared: Option<String>,
    },
    /// HTTP 200 with a body of no bytes.
    EmptyBody,
    /// HTTP 204.
    NoContent,
    /// An envelope whose data is lists within lists; not carried out.
    DeepNesting {
        /// How many.
        depth: u32,
    },
    /// An envelope whose data is a text of this length, sent with a `Content-Length`; not carried out.
    LargeBody {
        /// Bytes of the text.
        bytes: u64,
    },
    /// The answer with additional headers `x-filler-N`.
    ManyHeaders {
        /// How many.
        count: u32,
        /// Bytes of each value.
        size: u32,
    },
    /// The envelope in another spelling.
    EnvelopeSpelling {
        /// Which one.
        spelling: Spelling,
    },
    /// Page 1, whatever page is asked for.
    SamePage,
    /// The answer with the `Authorization` header of the request in the header `x-echo-authorization` and in the message.
    EchoAuthorization,
    /// A connection is reset as soon as it is accepted. About connections: it takes no method and no path, and those to the
    /// control endpoints have it too.
    ResetBeforeReading,
    /// A connection is accepted and then neither read nor answered. About connections like the one before.
    AcceptThenSilence {
        /// Milliseconds until it is closed.
        ms: u64,
    },
    /// The request is read, not carried out, and its connection reset.
    ResetBeforeActing,
    /// The request is carried out and its connection reset before a byte of the answer.
    ResetAfterActing,
    /// The connection is reset after half of the answer's body.
    ResetMidAnswer,
    /// The connection is closed, without an error, after half of the answer's body.
    CloseMidAnswer,
    /// The whole answer, as if the connection stayed open, and then its end.
    CloseAfterAnswer {
        /// Whether it ends by a reset.
        reset: bool,
    },
    /// The answer, its status line and headers byte by byte.
    DripHeader {
        /// Milliseconds between bytes.
        ms: u64,
    },
    /// The answer, its body byte by byte.
    DripBody {
        /// Milliseconds between bytes.
        ms: u64,
    },
    /// The request is read and not answered; not carried out.
    Silence {
        /// Milliseconds until the connection is closed.
        ms: u64,
    },
    /// Half of the answer's body, then silence.
    SilenceMidAnswer {
        /// Milliseconds until the connection is closed.
        ms: u64,
    },
    /// A chunked body that does not end by itself; not carried out.
    EndlessBody,
    /// A body that is small until it is decompressed; not carried out.
    GzipBomb {
        /// Bytes after decompression, rounded up to whole mebibytes.
        bytes: u64,
    },
    /// A `Content-Length` that is off by so many bytes: positive promises too much, negative too little.
    WrongContentLength {
        /// The difference.
        by: i64,
    },
    /// Bytes on the socket in place of an HTTP answer, and its end; not carried out.
    Raw {
        /// The bytes, as text.
        text: String,
    },
}

impl Action {
    /// Whether it happens before there is a request.
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

    /// Whether the request is carried out unless the rule says otherwise.
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

/// Statuses below 200 announce another answer and cannot be one.
fn is_status(code: u16) -> bool {
    code >= 200 && StatusCode::from_u16(code).is_ok()
}
