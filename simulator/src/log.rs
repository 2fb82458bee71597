//! The log of requests, for tests that examine the wire format. It is off by default, and bounded.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::request::Parts;
use serde::Serialize;

/// The most requests in the log; further ones replace the oldest.
pub const LOG_CAPACITY: usize = 10_000;

/// The most bytes of all bodies in the log; further requests replace the oldest.
const LOG_BYTES: usize = 64 * 1024 * 1024;

/// A request as received. **The body of a token exchange contains the secret that was sent**; the log is for tests that
/// compare the wire format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoggedRequest {
    /// The method.
    pub method: String,
    /// The request target as received, still encoded and with its prefix. A raw `#`, which no target may contain, and
    /// the text after it are missing.
    pub target: String,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Accept`.
    pub accept: Option<String>,
    /// Whether there was an `Authorization` header; its value is not logged.
    pub authorization: bool,
    /// The number of the access token that it contained, counted from 1 in order of issue; absent if it contained none
    /// that was issued.
    pub token: Option<u64>,
    /// The names of all headers, in lower case and in the order of the header map, which may differ from the wire.
    pub header_names: Vec<String>,
    /// The body as text; invalid UTF-8 is replaced.
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
