//! The log of requests, for tests that look at the wire. It is off by default and bounded.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::request::Parts;
use serde::Serialize;

/// Requests beyond this number push out the oldest.
pub const LOG_CAPACITY: usize = 10_000;

/// Bodies beyond this many bytes in sum push out the oldest requests.
const LOG_BYTES: usize = 64 * 1024 * 1024;

/// A request as it came. **The body of a token exchange holds the secret that was sent**; this is a log of a stand-in, for
/// tests that compare the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoggedRequest {
    /// The method.
    pub method: String,
    /// The request target as received, still encoded and with its prefix. A raw `#`, which no target may hold, and what
    /// follows it are not seen.
    pub target: String,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Accept`.
    pub accept: Option<String>,
    /// Whether there was an `Authorization` header; its value is not kept.
    pub authorization: bool,
    /// Which of the issued access tokens it held, counted from 1; absent where it held none of them.
    pub token: Option<u64>,
    /// The names of all headers, in lower case and in the order of the header map, which need not be the wire's.
    pub header_names: Vec<String>,
    /// The body as text; bytes that are no UTF-8 are replaced.
    pub body: String,
}

#[derive(Default)]
pub(crate) struct Log {
    on: bool,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    requests: VecDeque<LoggedRequest>,
    bytes: usize,
}

impl Log {
    pub(crate) fn new(on: bool) -> Self {
        Self {
            on,
            kept: Mutex::default(),
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    pub(crate) fn add(&self, parts: &Parts, body: &[u8], token: Option<u64>) {
        let header = |name| {
            parts
                .headers
                .get(name)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let request = LoggedRequest {
            method: parts.method.to_string(),
            target: parts.uri.to_string(),
            user_agent: header(USER_AGENT),
            content_type: header(CONTENT_TYPE),
            accept: header(ACCEPT),
            authorization: parts.headers.contains_key(AUTHORIZATION),
            token,
            header_names: parts.headers.keys().map(ToString::to_string).collect(),
            body: String::from_utf8_lossy(body).into_owned(),
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += request.body.len();
        kept.requests.push_back(request);
        while kept.requests.len() > LOG_CAPACITY || (kept.bytes > LOG_BYTES && kept.requests.len() > 1) {
            let Some(oldest) = kept.requests.pop_front() else {
                break;
            };
            kept.bytes -= oldest.body.len();
        }
    }

    pub(crate) fn requests(&self) -> Vec<LoggedRequest> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .requests
            .iter()
            .cloned()
            .collect()
    }

    pub(crate) fn clear(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Kept::default();
    }
}
