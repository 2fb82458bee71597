//! The API's responses, and the three ways to write them. Public clients show only the envelope's names and its success
//! code; **every error code below is invented**.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use crate::config::Spelling;

/// The error codes of this stand-in, all of them invented.
pub mod codes {
    /// The body is not JSON, has the wrong shape or content type, or the path or query cannot be read.
    pub const UNREADABLE: &str = "40000";
    /// A required field is absent, null or blank.
    pub const MISSING: &str = "40001";
    /// A field has the wrong JSON type.
    pub const WRONG_TYPE: &str = "40002";
    /// A field or query parameter that the operation does not have.
    pub const UNKNOWN_FIELD: &str = "40003";
    /// A field has the right type, but a value that is not allowed.
    pub const NOT_ALLOWED: &str = "40004";
    /// The app ID or its secret is not accepted.
    pub const BAD_CREDENTIAL: &str = "40101";
    /// The refresh token is not accepted.
    pub const BAD_REFRESH_TOKEN: &str = "40102";
    /// There is no such member.
    pub const NO_MEMBER: &str = "40401";
    /// There is no such points account.
    pub const NO_ACCOUNT: &str = "40402";
    /// There is no such consumer.
    pub const NO_CONSUMER: &str = "40403";
    /// There is no such transaction.
    pub const NO_TRANSACTION: &str = "40404";
    /// The balance is smaller than the decrease.
    pub const BALANCE_TOO_SMALL: &str = "40901";
}

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A request that was understood but not executed: an envelope with this code, at HTTP 200.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// The result of an operation: the JSON text of `data`, or a business error.
pub(crate) type Outcome = Result<Vec<u8>, Refused>;

/// The JSON text of `data`.
pub(crate) fn data(value: &impl Serialize) -> Outcome {
    let mut text = Vec::with_capacity(320);
    serde_json::to_writer(&mut text, value)
        .map_err(|error| Refused::new("50000", format!("the answer cannot be written: {error}")))?;
    Ok(text)
}

/// A response, before it is written in one of the spellings.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: Cow<'static, str>,
    pub(crate) data: Option<Vec<u8>>,
}

impl Reply {
    /// Success without `data`.
    pub(crate) fn empty() -> Self {
        Self {
            status: StatusCode::OK,
            code: "200".into(),
            message: "success".into(),
            data: None,
        }
    }

    /// An HTTP status that the envelope repeats as its code.
    pub(crate) fn status(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code: status.as_u16().to_string().into(),
            message: message.into(),
            data: None,
        }
    }

    pub(crate) fn error(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status: StatusCode::OK,
            code: code.into(),
            message: message.into(),
            data: None,
        }
    }

    pub(crate) fn write(self, spelling: Spelling, request_id: &str) -> Answer {
        let (code_name, message_name, id_name) = match spelling {
            Spelling::Code => ("code", "msg", Some("requestId")),
            Spelling::ResultCode => ("resultCode", "resultMessage", None),
            Spelling::Status => ("status", "message", Some("traceId")),
        };
        let numeric = spelling != Spelling::Code && self.code.bytes().all(|byte| byte.is_ascii_digit());
        let data = self.data.as_deref().unwrap_or_default();
        let mut body = Vec::with_capacity(96 + self.message.len() + data.len() + request_id.len());
        body.extend_from_slice(b"{\"");
        body.extend_from_slice(code_name.as_bytes());
        body.extend_from_slice(b"\":");
        if numeric {
            body.extend_from_slice(self.code.as_bytes());
        } else {
            push_text(&mut body, &self.code);
        }
        body.extend_from_slice(b",\"");
        body.extend_from_slice(message_name.as_bytes());
        body.extend_from_slice(b"\":");
        push_text(&mut body, &self.message);
        if self.data.is_some() {
            body.extend_from_slice(b",\"data\":");
            body.extend_from_slice(data);
        }
        if let Some(id_name) = id_name {
            body.extend_from_slice(b",\"");
            body.extend_from_slice(id_name.as_bytes());
            body.extend_from_slice(b"\":");
            push_text(&mut body, request_id);
        }
        body.push(b'}');
        let mut answer = Answer::new(self.status, JSON, body);
        if id_name.is_none()
            && let Ok(value) = HeaderValue::from_str(request_id)
        {
            answer
                .headers
                .push((HeaderName::from_static("x-request-id"), value));
        }
        answer
    }
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Ok(data) => Self {
                data: Some(data),
                ..Self::empty()
            },
            Err(refused) => Self::error(refused.code, refused.message),
        }
    }
}

fn push_text(body: &mut Vec<u8>, text: &str) {
    // Writing a text to memory cannot fail.
    let _ = serde_json::to_writer(body, text);
}

/// An HTTP response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![(CONTENT_TYPE, content_type)],
            body: body.into(),
        }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }

    /// The bytes of status line and headers, including the empty line; without a length header if `length` is `None`.
    pub(crate) fn head(&self, length: Option<u64>) -> Vec<u8> {
        let mut head = Vec::with_capacity(256);
        head.extend_from_slice(b"HTTP/1.1 ");
        head.extend_from_slice(self.status.as_str().as_bytes());
        head.push(b' ');
        head.extend_from_slice(self.status.canonical_reason().unwrap_or("Unknown").as_bytes());
        head.extend_from_slice(b"\r\n");
        for (name, value) in &self.headers {
            push_header(&mut head, name.as_str(), value.as_bytes());
        }
        if let Some(length) = length {
            push_header(&mut head, CONTENT_LENGTH.as_str(), length.to_string().as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

fn push_header(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}
