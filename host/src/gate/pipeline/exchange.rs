//! Sends one request and reads its response completely, within the limits.

use std::error::Error as StdError;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Uri, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming};
use hyper_util::client::legacy;
use tokio::time::{Instant, timeout_at};
use wasmtime_wasi_http::{Error as HttpError, RequestOptions};

use super::coding::{self, Undecoded};
use super::error_name::cause;
use super::held::{BufferReservation, too_large, too_much};
use super::kept::{KeptBody, Place};
use super::{BufferedResponse, Keep, Pipeline, TransportError, ValidatedRequest};
use crate::events;
use crate::gate::client::{
    ConnectFailure, Connecting, OriginClient, asks_for_credentials, certificate_trouble,
};
use crate::gate::upload::{OutgoingBody, Trouble, Upload};
use nodule_core::address::AddressDenial;
use nodule_core::limits::Limits;

/// Why there is no response.
pub(super) enum Stopped {
    /// The name has only forbidden addresses.
    Denied(AddressDenial),
    /// The response exceeds a limit; with the limit's key.
    Limit(&'static str, TransportError),
    /// The network, the service or a deadline failed the request.
    Broken(TransportError),
    /// The response's body could not be decoded; the response without it.
    Undecoded(Box<BufferedResponse>),
}

/// The deadlines of one request: the host's, or the node's if it is sooner.
struct Deadlines {
    connect: Duration,
    first_byte: Duration,
    between_bytes: Duration,
    end: Instant,
}

impl Deadlines {
    fn new(now: Instant, limits: &Limits, options: Option<&RequestOptions>) -> Self {
        let options = options.copied().unwrap_or_default();
        let sooner = |limit: Duration, wish: Option<Duration>| wish.map_or(limit, |wish| wish.min(limit));
        Self {
            connect: sooner(limits.connect_timeout, options.connect_timeout),
            first_byte: sooner(limits.first_byte_timeout, options.first_byte_timeout),
            between_bytes: sooner(limits.between_bytes_timeout, options.between_bytes_timeout),
            end: now + limits.request_timeout,
        }
    }

    /// A file may take as long as it likes, if it does not stand still.
    fn of_file(mut self, now: Instant) -> Self {
        self.end = now + LONGEST;
        self
    }
}

/// As good as no deadline.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// Sends a request that passed all checks. Tells `pipeline` when the request starts to leave.
pub(super) async fn send(
    pipeline: &Pipeline,
    origin_client: &OriginClient,
    request: &mut ValidatedRequest,
    url: Uri,
    options: Option<&RequestOptions>,
) -> Result<BufferedResponse, Stopped> {
    let limits = pipeline.limits();
    let mut now = Instant::now();
    let mut deadlines = Deadlines::new(now, limits, options);
    if request.upload.is_some() || request.keep != Keep::No {
        deadlines = deadlines.of_file(now);
    }
    let upload = request.upload.as_ref().map(Upload::progress);
    // Waiting for a slot and connecting share one deadline.
    let connect_by = now + deadlines.connect;
    let slot = if let Ok(slot) = pipeline.slots.try_acquire() {
        Ok(Ok(slot))
    } else {
        let slot = timeout_at(connect_by, pipeline.slots.acquire()).await;
        now = Instant::now();
        slot
    };
    let Ok(slot) = slot else {
        pipeline.audit(|| events::limit(&pipeline.label, "requests-in-flight"));
        return Err(broken(
            HttpError::ConnectionTimeout,
            format!(
                "no free place among {} requests in flight (`requests-in-flight`)",
                limits.requests_in_flight
            ),
        ));
    };
    let changing = u32::from(!super::is_safe(&request.method));
    let asking = origin_client.request_permit();
    let connecting = Connecting::by(connect_by, &asking);
    let asked_at = now;
    let answer = origin_client.request(Arc::clone(&connecting), outgoing(request, url));
    let mut answer = pin!(answer);
    // Recorded before the request leaves: if the call is dropped from here on, the service may have done it.
    pipeline.sending(changing);
    // One timer serves both deadlines. The first-byte deadline starts with the connection, which is looked at when the
    // timer fires. Before there is a connection, the connector enforces its own deadline.
    let mut first_byte_by = asked_at + deadlines.first_byte;
    let response = loop {
        let wake = first_byte_by.min(deadlines.end);
        if let Ok(response) = timeout_at(wake, answer.as_mut()).await {
            break response;
        }
        // The service answers when it has read what is sent.
        let sent = upload.as_ref().map(|upload| upload.last());
        let since = connecting.since(asked_at).max(sent.unwrap_or(asked_at));
        if deadlines.end <= wake {
            return Err(too_long(limits));
        }
        if since + deadlines.first_byte <= wake {
            let seconds = deadlines.first_byte.as_secs_f64();
            return Err(broken(
                HttpError::HttpResponseTimeout,
                format!("no answer within {seconds} seconds (`first-byte-timeout-ms`)"),
            ));
        }
        // If the connection is not there yet, look again at the latest time when it can be.
        first_byte_by = if since > wake {
            since
        } else {
            since + deadlines.first_byte
        };
    };
    match response {
        Ok(response) if let Some(proxy) = origin_client.refused_by_proxy(&response) => {
            // The service itself may send this status after it has done the request, so nobody knows whether it came
            // from the proxy.
            Err(broken(HttpError::ConnectionRefused, asks_for_credentials(proxy)))
        }
        Ok(response) if is_kept(request.keep, &response) => {
            // Only a closed semaphore fails, and this one is never closed.
            let slot = slot.map_err(|_| broken(HttpError::ConnectionTimeout, "no place".to_owned()))?;
            keep(
                pipeline,
                response,
                Place::new(&pipeline.slots, slot, asking),
                &deadlines,
            )
        }
        Ok(response) => receive(pipeline, response, limits, &deadlines).await,
        Err(error) => {
            if let Some(trouble) = upload.and_then(|upload| upload.trouble()) {
                return Err(unsent(trouble));
            }
            if error.is_connect() || is_unwritten(&error) {
                pipeline.not_sent(changing);
            } else {
                origin_client.lost(&connecting);
            }
            Err(classify(&error, limits))
        }
    }
}

/// Whether the body stays where it is. A coding that nobody asked for is undone of one that the node may read.
fn is_kept(keep: Keep, response: &http::Response<Incoming>) -> bool {
    response.status().is_success()
        && match keep {
            Keep::No => false,
            Keep::Yes => true,
            Keep::Perhaps => !response.headers().contains_key(header::CONTENT_ENCODING),
        }
}

/// Whether the connection was closed before any byte of the request was written. If that was a reused connection, the
/// client has already tried another one.
fn is_unwritten(error: &legacy::Error) -> bool {
    find::<hyper::Error>(error).is_some_and(hyper::Error::is_canceled)
}

/// A file that cannot be read broke its request.
fn unsent(trouble: Trouble) -> Stopped {
    match trouble {
        Trouble::File(detail) => broken(HttpError::ConnectionTerminated, detail),
        Trouble::TooLarge(detail) => Stopped::Limit(
            "file-bytes",
            TransportError {
                error: HttpError::HttpRequestBodySize(None),
                detail,
            },
        ),
    }
}

/// Leaves the body where it is: it becomes a file.
fn keep(
    pipeline: &Pipeline,
    response: http::Response<Incoming>,
    place: Place,
    deadlines: &Deadlines,
) -> Result<BufferedResponse, Stopped> {
    let limits = pipeline.limits();
    let (parts, body) = response.into_parts();
    if header_bytes(&parts.headers) > limits.header_bytes {
        return Err(headers_too_large(limits));
    }
    Ok(BufferedResponse {
        status: parts.status,
        headers: parts.headers,
        body: Bytes::new(),
        hold: BufferReservation::new(&pipeline.buffered),
        kept: Some(Box::new(KeptBody::arriving(body, place, deadlines.between_bytes))),
    })
}

fn header_bytes(headers: &HeaderMap) -> usize {
    let headers = headers.iter();
    headers
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum()
}

/// Moves headers and body out; method and URL stay for events and recordings.
fn outgoing(request: &mut ValidatedRequest, url: Uri) -> http::Request<OutgoingBody> {
    let body = match &request.upload {
        Some(upload) => upload.body(),
        None => OutgoingBody::whole(std::mem::take(&mut request.body)),
    };
    let mut outgoing = http::Request::new(body);
    *outgoing.method_mut() = request.method.clone();
    *outgoing.uri_mut() = url;
    *outgoing.headers_mut() = std::mem::take(&mut request.headers);
    // A file stays as it is stored.
    let encoding = match request.keep {
        Keep::No => "gzip",
        Keep::Yes | Keep::Perhaps => "identity",
    };
    outgoing
        .headers_mut()
        .insert(header::ACCEPT_ENCODING, HeaderValue::from_static(encoding));
    outgoing
}

async fn receive(
    pipeline: &Pipeline,
    response: http::Response<Incoming>,
    limits: &Limits,
    deadlines: &Deadlines,
) -> Result<BufferedResponse, Stopped> {
    let (parts, mut body) = response.into_parts();
    let mut headers = parts.headers;
    if header_bytes(&headers) > limits.header_bytes {
        return Err(headers_too_large(limits));
    }
    let mut hold = BufferReservation::new(&pipeline.buffered);
    let body = collect(pipeline, &headers, &mut body, &mut hold, deadlines).await?;
    let body = match coding::decode(&mut headers, body, limits.response_bytes) {
        Ok(body) => body,
        Err(Undecoded::TooLarge) => return Err(body_too_large(limits)),
        Err(Undecoded::Unreadable(_)) if parts.status.is_success() => {
            return Err(Stopped::Undecoded(Box::new(BufferedResponse {
                status: parts.status,
                headers,
                body: Bytes::new(),
                hold: BufferReservation::new(&pipeline.buffered),
                kept: None,
            })));
        }
        // The body of a failed response is only read by people, so a message can replace it.
        Err(Undecoded::Unreadable(words)) => format!("({words})").into(),
    };
    if !hold.set(body.len()) {
        return Err(too_much_held(limits));
    }
    Ok(BufferedResponse {
        status: parts.status,
        headers,
        body,
        hold,
        kept: None,
    })
}

/// Reads the encoded body, within its limit.
async fn collect(
    pipeline: &Pipeline,
    headers: &HeaderMap,
    body: &mut Incoming,
    hold: &mut BufferReservation,
    deadlines: &Deadlines,
) -> Result<Bytes, Stopped> {
    let limits = pipeline.limits();
    let mut left = if body.is_end_stream() {
        None
    } else {
        length_beside_identity(headers)
    };
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while left != Some(0) {
        let mut data = match next_frame(body, limits, deadlines).await? {
            None if left.is_some() => return Err(broke_off("end of file before message length reached")),
            None => break,
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => data,
                Err(_) => continue,
            },
            Some(Err(error)) => return Err(broke_off(&cause(&error))),
        };
        if let Some(left) = &mut left {
            data.truncate(*left);
            *left -= data.len();
        }
        if first.len() + more.len() + data.len() > limits.response_bytes {
            return Err(body_too_large(limits));
        }
        if !hold.add(data.len()) {
            return Err(too_much_held(limits));
        }
        if first.is_empty() && more.is_empty() {
            first = data;
        } else {
            if more.is_empty() {
                more.extend_from_slice(&first);
                first = Bytes::new();
            }
            more.extend_from_slice(&data);
        }
    }
    Ok(if more.is_empty() { first } else { more.freeze() })
}

/// The length of a body whose transfer coding is `identity`. HTTP/1.1 once had this name for no coding. Hyper reads
/// such a body to the end of the connection, which a service that keeps the connection open does not send. So only
/// `content-length` bytes are read, and then the connection is closed, so that later bytes cannot become part of
/// another response.
fn length_beside_identity(headers: &HeaderMap) -> Option<usize> {
    let mut codings = coding::list(headers, &header::TRANSFER_ENCODING).peekable();
    codings.peek()?;
    if !codings.all(|coding| coding == "identity") {
        return None;
    }
    let mut lengths = coding::list(headers, &header::CONTENT_LENGTH);
    let length = lengths.next()?;
    let is_one = length.bytes().all(|byte| byte.is_ascii_digit()) && lengths.all(|other| other == length);
    is_one.then(|| length.parse().ok())?
}

/// Reads the next frame of the body, within the deadlines.
async fn next_frame(
    body: &mut Incoming,
    limits: &Limits,
    deadlines: &Deadlines,
) -> Result<Option<Result<Frame<Bytes>, hyper::Error>>, Stopped> {
    // Data that has arrived needs no timer.
    if let Some(next) = body.frame().now_or_never() {
        return Ok(next);
    }
    let between_bytes_by = Instant::now() + deadlines.between_bytes;
    let by = between_bytes_by.min(deadlines.end);
    timeout_at(by, body.frame()).await.map_err(|_| {
        if deadlines.end <= by {
            return too_long(limits);
        }
        let seconds = deadlines.between_bytes.as_secs_f64();
        broken(
            HttpError::ConnectionReadTimeout,
            format!("nothing more of the answer within {seconds} seconds (`between-bytes-timeout-ms`)"),
        )
    })
}

fn classify(error: &legacy::Error, limits: &Limits) -> Stopped {
    if let Some(failure) = find::<ConnectFailure>(error) {
        let detail = failure.to_string();
        return match failure {
            ConnectFailure::Denied(denial) if denial.refused.is_empty() => broken(
                HttpError::DnsError {
                    rcode: None,
                    info_code: None,
                },
                detail,
            ),
            ConnectFailure::Denied(denial) => Stopped::Denied(denial.clone()),
            ConnectFailure::Name(_) => broken(
                HttpError::DnsError {
                    rcode: None,
                    info_code: None,
                },
                detail,
            ),
            ConnectFailure::Unreachable(_) | ConnectFailure::Proxy(_) | ConnectFailure::Unwanted => {
                broken(HttpError::ConnectionRefused, detail)
            }
            ConnectFailure::Timeout(_) => broken(HttpError::ConnectionTimeout, detail),
        };
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return match tls {
            rustls::Error::InvalidCertificate(reason) => broken(
                HttpError::TlsCertificateError,
                format!(
                    "TLS: the service's certificate is refused: {}",
                    certificate_trouble(reason)
                ),
            ),
            _ => broken(HttpError::TlsProtocolError, format!("TLS: {tls}")),
        };
    }
    if let Some(hyper) = find::<hyper::Error>(error) {
        if hyper.is_parse_too_large() {
            return headers_too_large(limits);
        }
        if hyper.is_parse() {
            return broken(
                HttpError::HttpProtocolError,
                format!("the answer is not HTTP: {}", cause(hyper)),
            );
        }
    }
    if error.is_connect() {
        return broken(
            HttpError::ConnectionRefused,
            format!("no connection: {}", cause(error)),
        );
    }
    broken(
        HttpError::ConnectionTerminated,
        format!("the connection broke: {}", cause(error)),
    )
}

/// The first error of this type in the chain of causes. `source` skips an error that an `io::Error` wraps.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let wrapped = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn broke_off(why: &str) -> Stopped {
    broken(
        HttpError::ConnectionTerminated,
        format!("the answer broke off: {why}"),
    )
}

fn broken(error: HttpError, detail: String) -> Stopped {
    Stopped::Broken(TransportError { error, detail })
}

fn headers_too_large(limits: &Limits) -> Stopped {
    let detail = format!(
        "an answer with more than {} headers (`header-count`) or {} bytes of them (`header-bytes`)",
        limits.header_count, limits.header_bytes
    );
    Stopped::Limit(
        "header-bytes",
        TransportError {
            error: HttpError::HttpResponseHeaderSectionSize(None),
            detail,
        },
    )
}

fn body_too_large(limits: &Limits) -> Stopped {
    let detail = too_large(limits);
    let size = u64::try_from(limits.response_bytes).ok();
    Stopped::Limit(
        "response-bytes",
        TransportError {
            error: HttpError::HttpResponseBodySize(size),
            detail,
        },
    )
}

fn too_much_held(limits: &Limits) -> Stopped {
    let detail = too_much(limits);
    Stopped::Limit(
        "buffered-bytes",
        TransportError {
            error: HttpError::HttpResponseBodySize(None),
            detail,
        },
    )
}

fn too_long(limits: &Limits) -> Stopped {
    let seconds = limits.request_timeout.as_secs_f64();
    broken(
        HttpError::HttpResponseTimeout,
        format!("no complete answer within {seconds} seconds (`request-timeout-ms`)"),
    )
}
