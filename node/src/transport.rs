//! WASI: requests, the clock, random numbers, and the small executor that lets requests overlap in one instance.
//!
//! The only file that does I/O. One path by hand serves every call: waki blocks for each request, so that `execute` could
//! not use it. Beside this file, for `authenticate` alone, waki 0.5.1 makes the component 135 KB larger, and import WASI 0.2.2
//! next to 0.2.12. Deadlines, retries and limits are the host's.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::base_url::BaseUrl;
use crate::bindings::wasi::clocks::wall_clock;
use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, HeaderError, IncomingResponse, Method as WasiMethod,
    OutgoingBody, OutgoingRequest, Scheme,
};
use crate::bindings::wasi::io::poll::{self, Pollable};
use crate::bindings::wasi::io::streams::StreamError;
use crate::bindings::wasi::random::random;
use crate::http::{Broken, Headers, Method, Request, Response, Transport};

/// The most that is read in one call; hosts give less.
const READ_BYTES: u64 = 64 * 1_024;

/// Do `work` with WASI, to its end.
pub fn run<O>(work: impl AsyncFnOnce(&Wasi) -> O) -> O {
    let wasi = Wasi {
        waiting: RefCell::new(Vec::new()),
        last_headers: RefCell::new(None),
        is_answered_at_once: Cell::new(true),
    };
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut work = pin!(work(&wasi));
    loop {
        if let Poll::Ready(output) = work.as_mut().poll(&mut context) {
            return output;
        }
        // A task that woke another needs no event from outside to go on.
        if !woken.0.swap(false, Ordering::Relaxed) {
            wasi.wait_for_one();
            woken.0.store(false, Ordering::Relaxed);
        }
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

type HeaderList = Vec<(Cow<'static, str>, Cow<'static, str>)>;

/// What the tasks of one call wait for, and what their requests have in common.
pub struct Wasi {
    waiting: RefCell<Vec<Waiting>>,
    /// The headers of the last request without a body: a copy of them is one short call.
    last_headers: RefCell<Option<(HeaderList, Fields)>>,
    /// Whether the request before was: a recording answers so, and a service never does.
    is_answered_at_once: Cell<bool>,
}

struct Waiting {
    pollable: Pollable,
    waker: Waker,
    is_ready: Rc<Cell<bool>>,
}

impl Wasi {
    /// Until one of these is ready. They are gone afterwards, so that what they were made from can be dropped.
    async fn ready(&self, pollables: impl IntoIterator<Item = Pollable>) {
        let is_ready = Rc::new(Cell::new(false));
        let mut pollables = Some(pollables);
        poll_fn(|context| {
            if let Some(pollables) = pollables.take() {
                self.waiting
                    .borrow_mut()
                    .extend(pollables.into_iter().map(|pollable| Waiting {
                        pollable,
                        waker: context.waker().clone(),
                        is_ready: Rc::clone(&is_ready),
                    }));
            }
            if is_ready.get() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Until something that a task waits for is ready.
    fn wait_for_one(&self) {
        let mut waiting = self.waiting.borrow_mut();
        let pollables: Vec<&Pollable> = waiting.iter().map(|waiting| &waiting.pollable).collect();
        for index in poll::poll(&pollables) {
            if let Some(ready) = waiting.get(index as usize) {
                ready.is_ready.set(true);
                ready.waker.wake_by_ref();
            }
        }
        // With one of them ready, its siblings have nothing to wait for.
        waiting.retain(|waiting| !waiting.is_ready.get());
    }

    /// Send the body. What goes wrong here is said by the answer: a server may well answer, or a host refuse, before it has
    /// read all of it.
    async fn write(&self, body: OutgoingBody, content: &str, exchange: &FutureIncomingResponse) {
        let Ok(stream) = body.write() else { return };
        let mut rest = content.as_bytes();
        while !rest.is_empty() {
            match stream.check_write() {
                Ok(0) => {
                    self.ready([stream.subscribe(), exchange.subscribe()]).await;
                    if exchange.subscribe().ready() && !stream.subscribe().ready() {
                        return;
                    }
                }
                Ok(permitted) => {
                    let (now, later) =
                        rest.split_at(rest.len().min(usize::try_from(permitted).unwrap_or(usize::MAX)));
                    if stream.write(now).is_err() {
                        return;
                    }
                    rest = later;
                }
                Err(_) => return,
            }
        }
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }

    async fn read(&self, response: &IncomingResponse) -> Result<Vec<u8>, Broken> {
        let broken = || Broken::Unknown("the answer has no body that can be read".to_owned());
        let body = response.consume().map_err(|()| broken())?;
        let stream = body.stream().map_err(|()| broken())?;
        let mut bytes = Vec::new();
        loop {
            match stream.read(READ_BYTES) {
                Ok(chunk) if chunk.is_empty() => self.ready([stream.subscribe()]).await,
                Ok(chunk) if bytes.is_empty() => bytes = chunk,
                Ok(chunk) => bytes.extend_from_slice(&chunk),
                Err(StreamError::Closed) => return Ok(bytes),
                Err(StreamError::LastOperationFailed(error)) => {
                    return Err(broken_body(&error.to_debug_string()));
                }
            }
        }
    }
}

impl Transport for Wasi {
    async fn send(&self, base: &BaseUrl, request: Request) -> Result<Response, Broken> {
        let (outgoing, content) = self.outgoing(base, request)?;
        let body = content.as_ref().and_then(|_| outgoing.body().ok());
        let exchange = outgoing_handler::handle(outgoing, None).map_err(|code| broken(&code))?;
        // Not before: hosts in JavaScript lose what is written to a request that is not under way.
        if let (Some(body), Some(content)) = (body, &content) {
            self.write(body, content, &exchange).await;
        }
        if !self.is_answered_at_once.get() {
            self.ready([exchange.subscribe()]).await;
        }
        let response = loop {
            let answer = exchange.get();
            if answer.is_none() {
                self.is_answered_at_once.set(false);
            }
            match answer {
                Some(Ok(Ok(response))) => break response,
                Some(Ok(Err(code))) => return Err(broken(&code)),
                Some(Err(())) => return Err(Broken::Unknown("the host gave the answer away".to_owned())),
                None => self.ready([exchange.subscribe()]).await,
            }
        };
        let body = self.read(&response).await?;
        Ok(Response {
            status: response.status(),
            headers: Box::new(Answered(response)),
            body,
        })
    }

    fn now_ms(&self) -> u64 {
        let now = wall_clock::now();
        now.seconds * 1_000 + u64::from(now.nanoseconds / 1_000_000)
    }

    fn random(&self) -> u128 {
        u128::from(random::get_random_u64()) << 64 | u128::from(random::get_random_u64())
    }
}

/// An answer whose headers are asked for one by one.
struct Answered(IncomingResponse);

impl Headers for Answered {
    fn get(&self, name: &str) -> Option<String> {
        self.0
            .headers()
            .get(name)
            .into_iter()
            .next()
            .and_then(|value| String::from_utf8(value).ok())
    }
}

impl Wasi {
    fn outgoing(
        &self,
        base: &BaseUrl,
        request: Request,
    ) -> Result<(OutgoingRequest, Option<String>), Broken> {
        let headers = match &request.body {
            None => self.same_headers(request.headers)?,
            Some(body) => {
                let mut headers = request.headers;
                // Without it hosts send chunks, which some gateways refuse.
                headers.push((
                    Cow::Borrowed("content-length"),
                    Cow::Owned(body.len().to_string()),
                ));
                fields(&headers)?
            }
        };
        let outgoing = OutgoingRequest::new(headers);
        let method = match request.method {
            // What a new request has already.
            Method::Get => None,
            Method::Post => Some(WasiMethod::Post),
            Method::Put => Some(WasiMethod::Put),
        };
        let target = if base.prefix.is_empty() {
            request.target
        } else {
            [base.prefix.as_str(), &request.target].concat()
        };
        let scheme = if base.https { Scheme::Https } else { Scheme::Http };
        method
            .map_or(Ok(()), |method| outgoing.set_method(&method))
            .and_then(|()| outgoing.set_scheme(Some(&scheme)))
            .and_then(|()| outgoing.set_authority(Some(&base.authority)))
            .and_then(|()| outgoing.set_path_with_query(Some(&target)))
            .map_err(|()| Broken::Unsendable("the host cannot write down the request's URL".to_owned()))?;
        Ok((outgoing, request.body))
    }

    /// A copy of the headers of the request before, where they are the same. It is left as it is: in jco's host what is added
    /// to a copy stands in the original too.
    fn same_headers(&self, list: HeaderList) -> Result<Fields, Broken> {
        let mut before = self.last_headers.borrow_mut();
        if let Some((_, fields)) = before.as_ref().filter(|(before, _)| *before == list) {
            return Ok(fields.clone());
        }
        let fields = fields(&list)?;
        let copy = fields.clone();
        *before = Some((list, fields));
        Ok(copy)
    }
}

fn fields(list: &HeaderList) -> Result<Fields, Broken> {
    let list: Vec<(String, Vec<u8>)> = list
        .iter()
        .map(|(name, value)| (name.clone().into_owned(), value.as_bytes().to_vec()))
        .collect();
    Fields::from_list(&list).map_err(unsendable)
}

fn unsendable(error: HeaderError) -> Broken {
    match error {
        HeaderError::Forbidden => Broken::Denied("the host forbids a header of the request".to_owned()),
        _ => {
            Broken::Unsendable("a header of the request holds characters that HTTP does not allow".to_owned())
        }
    }
}

/// What an error says about the request. `NotDone` only for codes that surely come before the first byte of the request:
/// a reset, for one, is `HTTP-protocol-error` in one host and `connection-terminated` in another, and may come at any time.
fn broken(code: &ErrorCode) -> Broken {
    use ErrorCode as E;
    let not_done = |why| (Broken::NotDone as fn(String) -> Broken, why);
    let unknown = |why| (Broken::Unknown as fn(String) -> Broken, why);
    let limit = |why| (Broken::Limit as fn(String) -> Broken, why);
    let denied = |why| (Broken::Denied as fn(String) -> Broken, why);
    let unsendable = |why| (Broken::Unsendable as fn(String) -> Broken, why);
    let (broken, why) = match code {
        // The operator said no, by a rule about the request or about the address that its host resolves to.
        E::HttpRequestDenied => denied("the host's policy refused the request"),
        E::DestinationIpProhibited => denied("the host's policy forbids the address of the service"),
        // No address, and so no connection.
        E::DnsTimeout => not_done("looking up its name took too long"),
        E::DnsError(_) => not_done("its name cannot be looked up"),
        E::DestinationNotFound => not_done("there is no such host"),
        // No connection.
        E::DestinationUnavailable => not_done("it is unavailable"),
        E::DestinationIpUnroutable => not_done("its address cannot be reached"),
        E::ConnectionRefused => not_done("the connection was refused"),
        E::ConnectionTimeout => not_done("connecting took too long"),
        E::ConnectionLimitReached => not_done("the host has no connection to spare"),
        // A connection, but none that a request may be trusted to.
        E::TlsProtocolError => not_done("TLS: the two sides do not understand each other"),
        E::TlsCertificateError => not_done("TLS: its certificate is not trusted"),
        E::TlsAlertReceived(_) => not_done("TLS: it refused the connection"),
        // The host finds the request itself wrong, before it connects.
        E::HttpRequestMethodInvalid | E::HttpRequestUriInvalid | E::HttpRequestLengthRequired => {
            unsendable("the host does not accept the form of the request")
        }
        E::HttpRequestBodySize(_) => limit("the request's body is larger than the host allows"),
        E::HttpRequestUriTooLong => limit("the request's URL is longer than the host allows"),
        E::HttpRequestHeaderSectionSize(_)
        | E::HttpRequestHeaderSize(_)
        | E::HttpRequestTrailerSectionSize(_)
        | E::HttpRequestTrailerSize(_) => limit("the request's headers are larger than the host allows"),
        // The answer is there, but too large to be let in.
        E::HttpResponseBodySize(_) => limit(BODY_LIMIT),
        E::HttpResponseHeaderSectionSize(_)
        | E::HttpResponseHeaderSize(_)
        | E::HttpResponseTrailerSectionSize(_)
        | E::HttpResponseTrailerSize(_) => limit("the answer's headers are larger than the host allows"),
        // From here on the request may have arrived.
        E::ConnectionTerminated => unknown("the connection broke"),
        E::ConnectionReadTimeout | E::HttpResponseTimeout => unknown("waiting for the answer took too long"),
        E::ConnectionWriteTimeout => unknown("sending the request took too long"),
        E::HttpResponseIncomplete => unknown("the answer broke off"),
        E::HttpResponseTransferCoding(_) | E::HttpResponseContentCoding(_) => {
            unknown("the answer cannot be decoded")
        }
        E::HttpUpgradeFailed | E::HttpProtocolError => unknown("the exchange broke the rules of HTTP"),
        E::LoopDetected => unknown("the request came back to a proxy that it had passed"),
        E::ConfigurationError => unknown("the host is not configured to send it"),
        E::InternalError(_) => unknown("the host failed to carry out the exchange"),
    };
    broken(why.to_owned())
}

const BODY_LIMIT: &str = "the answer's body is larger than the host allows";

/// What a body broke by. Hosts differ in whether they still know the code here; its name stands in the debug text.
fn broken_body(debug: &str) -> Broken {
    let letters: String = debug
        .chars()
        .filter(char::is_ascii_alphabetic)
        .collect::<String>()
        .to_ascii_lowercase();
    if letters.contains("httpresponsebodysize") {
        Broken::Limit(BODY_LIMIT.to_owned())
    } else if letters.contains("timeout") || letters.contains("timedout") {
        Broken::Unknown("the rest of the answer took too long".to_owned())
    } else {
        Broken::Unknown("the answer broke off".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::wasi::http::types::{DnsErrorPayload, FieldSizePayload, TlsAlertReceivedPayload};

    #[test]
    fn only_codes_that_come_before_the_request_say_that_nothing_was_done() {
        use ErrorCode as E;
        let size = || FieldSizePayload {
            field_name: None,
            field_size: None,
        };
        let not_done = [
            E::DnsTimeout,
            E::DnsError(DnsErrorPayload {
                rcode: None,
                info_code: None,
            }),
            E::DestinationNotFound,
            E::DestinationUnavailable,
            E::DestinationIpUnroutable,
            E::ConnectionRefused,
            E::ConnectionTimeout,
            E::ConnectionLimitReached,
            E::TlsProtocolError,
            E::TlsCertificateError,
            E::TlsAlertReceived(TlsAlertReceivedPayload {
                alert_id: None,
                alert_message: None,
            }),
        ];
        let unknown = [
            E::ConnectionTerminated,
            E::ConnectionReadTimeout,
            E::ConnectionWriteTimeout,
            E::HttpResponseIncomplete,
            E::HttpResponseTimeout,
            E::HttpResponseTransferCoding(None),
            E::HttpResponseContentCoding(None),
            E::HttpUpgradeFailed,
            E::HttpProtocolError,
            E::LoopDetected,
            E::ConfigurationError,
            E::InternalError(Some("hyper::Error(Io, secret)".into())),
        ];
        let limit = [
            E::HttpRequestBodySize(Some(1)),
            E::HttpRequestUriTooLong,
            E::HttpRequestHeaderSectionSize(None),
            E::HttpRequestHeaderSize(None),
            E::HttpRequestTrailerSectionSize(None),
            E::HttpRequestTrailerSize(size()),
            E::HttpResponseHeaderSectionSize(None),
            E::HttpResponseHeaderSize(size()),
            E::HttpResponseBodySize(Some(1)),
            E::HttpResponseTrailerSectionSize(None),
            E::HttpResponseTrailerSize(size()),
        ];
        let unsendable = [
            E::HttpRequestLengthRequired,
            E::HttpRequestMethodInvalid,
            E::HttpRequestUriInvalid,
        ];
        let denied = [E::HttpRequestDenied, E::DestinationIpProhibited];
        assert!(
            not_done
                .iter()
                .all(|code| matches!(broken(code), Broken::NotDone(_)))
        );
        assert!(
            unknown
                .iter()
                .all(|code| matches!(broken(code), Broken::Unknown(_)))
        );
        assert!(limit.iter().all(|code| matches!(broken(code), Broken::Limit(_))));
        assert!(
            unsendable
                .iter()
                .all(|code| matches!(broken(code), Broken::Unsendable(_)))
        );
        assert!(
            denied
                .iter()
                .all(|code| matches!(broken(code), Broken::Denied(_)))
        );
        for code in not_done
            .iter()
            .chain(&unknown)
            .chain(&limit)
            .chain(&unsendable)
            .chain(&denied)
        {
            let shown = format!("{:?}", broken(code));
            assert!(!shown.contains("::") && !shown.contains("secret"), "{shown}");
        }
    }

    #[test]
    fn a_body_that_breaks_says_by_what_and_never_how_a_library_calls_it() {
        for debug in [
            "ErrorCode::HttpResponseBodySize(Some(10))",
            "HTTP-response-body-size",
            "http_response_body_size",
        ] {
            assert_eq!(
                broken_body(debug),
                Broken::Limit(BODY_LIMIT.to_owned()),
                "{debug}"
            );
        }
        for debug in ["ConnectionReadTimeout", "operation timed out"] {
            assert_eq!(
                broken_body(debug),
                Broken::Unknown("the rest of the answer took too long".into()),
                "{debug}"
            );
        }
        for debug in ["", "hyper::Error(IncompleteMessage)"] {
            assert_eq!(
                broken_body(debug),
                Broken::Unknown("the answer broke off".into()),
                "{debug}"
            );
        }
    }
}
