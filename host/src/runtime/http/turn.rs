//! The requests of a turn, with complete bodies and complete responses.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use wasmtime_wasi_http::Error as HttpError;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;

use crate::gate::pipeline::{
    BufferReservation, BufferedResponse, Content, Keep, KeptBody, Pipeline, RawRequest, RequestLine,
};
use crate::gate::upload::Upload;
use crate::runtime::bindings::turns;
use crate::runtime::bindings::types::Field;

/// What the requests of a turn share.
pub(crate) struct Turn {
    headers: Result<HeaderMap, Unfit>,
    /// The response headers that the node reads and may see.
    looked_at: Arc<[HeaderName]>,
}

/// A request, as either interface of turns has it.
pub(crate) struct Request {
    pub(crate) method: turns::Method,
    pub(crate) scheme: turns::Scheme,
    pub(crate) authority: String,
    pub(crate) path_with_query: String,
    pub(crate) headers: Vec<Field>,
    pub(crate) body: Body,
    /// Whether the body of a success becomes a file.
    pub(crate) keep: bool,
}

pub(crate) enum Body {
    None,
    Whole(Vec<u8>),
    Upload(Upload),
}

impl From<turns::Request> for Request {
    fn from(request: turns::Request) -> Self {
        Self {
            method: request.method,
            scheme: request.scheme,
            authority: request.authority,
            path_with_query: request.path_with_query,
            headers: request.headers,
            body: request.body.map_or(Body::None, Body::Whole),
            keep: false,
        }
    }
}

/// What a node sees of a response.
pub(crate) struct TurnResponse {
    status: u16,
    headers: Vec<Field>,
    body: Bytes,
    /// The body, if it becomes a file.
    kept: Option<Box<KeptBody>>,
    /// Reserves memory for the body, as long as the host has it.
    _hold: BufferReservation,
}

impl TurnResponse {
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body, if it becomes a file.
    pub(crate) fn take_kept(&mut self) -> Option<Box<KeptBody>> {
        self.kept.take()
    }

    pub(crate) fn headers(&self) -> Vec<&Field> {
        self.headers.iter().collect()
    }

    /// `headers` is the result of [`TurnResponse::headers`].
    pub(crate) fn response<'a>(&'a self, headers: &'a [&'a Field]) -> turns::Response<'a> {
        turns::Response {
            status: self.status,
            headers,
            body: &self.body,
        }
    }
}

/// A header is not valid HTTP.
struct Unfit;

impl Turn {
    pub(crate) fn new(headers: Vec<Field>, looked_at: &Arc<[HeaderName]>) -> Self {
        Self {
            headers: add(HeaderMap::new(), headers),
            looked_at: Arc::clone(looked_at),
        }
    }
}

/// Adds headers to a map. The pipeline decides which of them a node may set.
fn add(mut map: HeaderMap, headers: Vec<Field>) -> Result<HeaderMap, Unfit> {
    for Field { name, value } in headers {
        let name = HeaderName::try_from(name).map_err(|_| Unfit)?;
        let value = HeaderValue::try_from(value).map_err(|_| Unfit)?;
        // A map takes more headers than any limit allows.
        map.try_append(name, value).map_err(|_| Unfit)?;
    }
    Ok(map)
}

/// Sends a request, and keeps what the node reads of its response.
pub(crate) async fn carry_out(
    pipeline: Arc<Pipeline>,
    turn: Arc<Turn>,
    request: impl Into<Request>,
) -> Result<TurnResponse, HttpError> {
    let raw = raw_request(&pipeline, &turn, request.into())?;
    let answer = pipeline.exchange(raw, None).await?;
    Ok(TurnResponse::of(answer, &turn.looked_at))
}

fn raw_request(pipeline: &Pipeline, turn: &Turn, request: Request) -> Result<RawRequest, HttpError> {
    let method = method(request.method);
    let in_common = turn.headers.as_ref().map_err(|Unfit| unfit(pipeline, &method))?;
    // These headers are copied for each request, so their size is checked first, whatever becomes of the requests.
    pipeline.check_headers(in_common)?;
    let headers = add(in_common.clone(), request.headers).map_err(|Unfit| unfit(pipeline, &method))?;
    Ok(RawRequest {
        method,
        scheme: match request.scheme {
            turns::Scheme::Http => "http",
            turns::Scheme::Https => "https",
        },
        authority: request.authority,
        path_and_query: request.path_with_query,
        headers,
        body: match request.body {
            Body::None => Content::None,
            Body::Whole(body) => Content::Whole(body.into()),
            Body::Upload(upload) => Content::Upload(upload),
        },
        keep: if request.keep { Keep::Yes } else { Keep::No },
    })
}

fn unfit(pipeline: &Pipeline, method: &Method) -> HttpError {
    let message = "a header holds characters that HTTP does not allow, or there are too many";
    let line = RequestLine {
        method: Some(method),
        url: None,
    };
    pipeline.deny(line, "header", message.to_owned(), None)
}

impl TurnResponse {
    fn of(answer: BufferedResponse, looked_at: &[HeaderName]) -> Self {
        let headers = looked_at.iter().flat_map(|name| {
            answer
                .headers
                .get_all(name)
                .iter()
                .map(move |value| (name, value))
        });
        TurnResponse {
            status: answer.status.as_u16(),
            headers: headers
                .filter_map(|(name, value)| {
                    Some(Field {
                        name: name.as_str().to_owned(),
                        value: std::str::from_utf8(value.as_bytes()).ok()?.to_owned(),
                    })
                })
                .collect(),
            body: answer.body,
            kept: answer.kept,
            _hold: answer.hold,
        }
    }
}

fn method(method: turns::Method) -> Method {
    match method {
        turns::Method::Get => Method::GET,
        turns::Method::Head => Method::HEAD,
        turns::Method::Post => Method::POST,
        turns::Method::Put => Method::PUT,
        turns::Method::Delete => Method::DELETE,
        turns::Method::Connect => Method::CONNECT,
        turns::Method::Options => Method::OPTIONS,
        turns::Method::Trace => Method::TRACE,
        turns::Method::Patch => Method::PATCH,
    }
}

/// The error code without its data.
pub(crate) fn bare(code: &ErrorCode) -> turns::ErrorCode {
    use ErrorCode as C;
    use turns::ErrorCode as E;
    match code {
        C::DnsTimeout => E::DnsTimeout,
        C::DnsError(_) => E::DnsError,
        C::DestinationNotFound => E::DestinationNotFound,
        C::DestinationUnavailable => E::DestinationUnavailable,
        C::DestinationIpProhibited => E::DestinationIpProhibited,
        C::DestinationIpUnroutable => E::DestinationIpUnroutable,
        C::ConnectionRefused => E::ConnectionRefused,
        C::ConnectionTerminated => E::ConnectionTerminated,
        C::ConnectionTimeout => E::ConnectionTimeout,
        C::ConnectionReadTimeout => E::ConnectionReadTimeout,
        C::ConnectionWriteTimeout => E::ConnectionWriteTimeout,
        C::ConnectionLimitReached => E::ConnectionLimitReached,
        C::TlsProtocolError => E::TlsProtocolError,
        C::TlsCertificateError => E::TlsCertificateError,
        C::TlsAlertReceived(_) => E::TlsAlertReceived,
        C::HttpRequestDenied => E::HttpRequestDenied,
        C::HttpRequestLengthRequired => E::HttpRequestLengthRequired,
        C::HttpRequestBodySize(_) => E::HttpRequestBodySize,
        C::HttpRequestMethodInvalid => E::HttpRequestMethodInvalid,
        C::HttpRequestUriInvalid => E::HttpRequestUriInvalid,
        C::HttpRequestUriTooLong => E::HttpRequestUriTooLong,
        C::HttpRequestHeaderSectionSize(_) => E::HttpRequestHeaderSectionSize,
        C::HttpRequestHeaderSize(_) => E::HttpRequestHeaderSize,
        C::HttpRequestTrailerSectionSize(_) => E::HttpRequestTrailerSectionSize,
        C::HttpRequestTrailerSize(_) => E::HttpRequestTrailerSize,
        C::HttpResponseIncomplete => E::HttpResponseIncomplete,
        C::HttpResponseHeaderSectionSize(_) => E::HttpResponseHeaderSectionSize,
        C::HttpResponseHeaderSize(_) => E::HttpResponseHeaderSize,
        C::HttpResponseBodySize(_) => E::HttpResponseBodySize,
        C::HttpResponseTrailerSectionSize(_) => E::HttpResponseTrailerSectionSize,
        C::HttpResponseTrailerSize(_) => E::HttpResponseTrailerSize,
        C::HttpResponseTransferCoding(_) => E::HttpResponseTransferCoding,
        C::HttpResponseContentCoding(_) => E::HttpResponseContentCoding,
        C::HttpResponseTimeout => E::HttpResponseTimeout,
        C::HttpUpgradeFailed => E::HttpUpgradeFailed,
        C::HttpProtocolError => E::HttpProtocolError,
        C::LoopDetected => E::LoopDetected,
        C::ConfigurationError => E::ConfigurationError,
        C::InternalError(_) => E::InternalError,
    }
}
