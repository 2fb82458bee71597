//! Carries out a task's requests by `wasi:http`, as every host has it.
//!
//! One path by hand serves every call: waki blocks for each request, so that `execute` could not use it. Beside this file, for
//! `authenticate` alone, waki 0.5.1 makes the component 135 KB larger, and import WASI 0.2.2 next to 0.2.12. Deadlines, retries
//! and limits are the host's.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::broken::{bare, broken, broken_body};
use super::{Asked, Outcome, Requests};
#[cfg(feature = "files")]
use crate::bindings::exports::workflow::node::files_by_turns::Part;
use crate::bindings::exports::workflow::node::turns::{Method, Request, Scheme};
use crate::bindings::exports::workflow::node::types::Field;
use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    Fields, FutureIncomingResponse, HeaderError, IncomingResponse, Method as WasiMethod, OutgoingBody,
    OutgoingRequest, Scheme as WasiScheme,
};
use crate::bindings::wasi::io::poll::{self, Pollable};
use crate::bindings::wasi::io::streams::{OutputStream, StreamError};
use crate::http::{Broken, Headers, Response};

/// The most that is read in one call; hosts give less.
pub(super) const READ_BYTES: u64 = 64 * 1_024;

type Exchange<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// Do work until it says that it has ended, and carry out what it asks for meanwhile.
pub(super) fn run(requests: &Requests, work: &mut dyn FnMut() -> bool) {
    let wasi = Wasi {
        requests,
        waiting: RefCell::default(),
    };
    let mut under_way: Vec<(u32, Exchange<'_>)> = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    while !work() {
        for asked in wasi.requests.asked.take() {
            under_way.push((asked.id, Box::pin(wasi.carry_out(asked))));
        }
        #[cfg(feature = "files")]
        for read in wasi.requests.files.reads.take() {
            under_way.push((read.id, Box::pin(wasi.look(read))));
        }
        loop {
            let before = under_way.len();
            under_way.retain_mut(|(id, exchange)| match exchange.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => {
                    wasi.requests.answer(*id, outcome);
                    false
                }
                Poll::Pending => true,
            });
            if under_way.len() < before {
                break;
            }
            wasi.wait_for_one();
        }
    }
}

/// What the requests of one call wait for.
pub(super) struct Wasi<'a> {
    pub(super) requests: &'a Requests,
    waiting: RefCell<Vec<Waiting>>,
}

struct Waiting {
    pollable: Pollable,
    is_ready: Rc<Cell<bool>>,
}

impl Wasi<'_> {
    /// Until one of these is ready. They are gone afterwards, so that what they were made from can be dropped.
    pub(super) async fn ready(&self, pollables: impl IntoIterator<Item = Pollable>) {
        let is_ready = Rc::new(Cell::new(false));
        let mut pollables = Some(pollables);
        poll_fn(|_| {
            if let Some(pollables) = pollables.take() {
                self.waiting
                    .borrow_mut()
                    .extend(pollables.into_iter().map(|pollable| Waiting {
                        pollable,
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
            }
        }
        // With one of them ready, its siblings have nothing to wait for.
        waiting.retain(|waiting| !waiting.is_ready.get());
    }

    /// Send a body or a part of it; whether all of it went out. What goes wrong here is said by the answer: a server may well
    /// answer, or a host refuse, before it has read all of it.
    pub(super) async fn put(
        &self,
        stream: &OutputStream,
        bytes: &[u8],
        exchange: &FutureIncomingResponse,
    ) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() {
            match stream.check_write() {
                Ok(0) => {
                    self.ready([stream.subscribe(), exchange.subscribe()]).await;
                    if exchange.subscribe().ready() && !stream.subscribe().ready() {
                        return false;
                    }
                }
                Ok(permitted) => {
                    let (now, later) =
                        rest.split_at(rest.len().min(usize::try_from(permitted).unwrap_or(usize::MAX)));
                    if stream.write(now).is_err() {
                        return false;
                    }
                    rest = later;
                }
                Err(_) => return false,
            }
        }
        true
    }

    async fn read(&self, response: &IncomingResponse) -> Result<Vec<u8>, Broken> {
        let broken = || Broken::Unknown("the answer's body is gone".to_owned());
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

impl Wasi<'_> {
    async fn carry_out(&self, asked: Asked) -> Outcome {
        #[cfg(feature = "files")]
        let (id, keeps) = (asked.id, asked.request.keeps);
        #[cfg(feature = "files")]
        let (asked, parts) = asked.without_parts();
        #[cfg(feature = "files")]
        let size = parts.as_ref().and_then(|parts| self.size(parts));
        #[cfg(not(feature = "files"))]
        let size = None;
        let (outgoing, bytes) = outgoing(asked.written(true), size)?;
        let content = bytes.map(Content::Bytes);
        #[cfg(feature = "files")]
        let content = parts.map(Content::Parts).or(content);
        let body = content.as_ref().and_then(|_| outgoing.body().ok());
        let exchange = outgoing_handler::handle(outgoing, None).map_err(|code| broken(bare(&code)))?;
        // Not before: hosts in JavaScript lose what is written to a request that is not under way.
        if let (Some(body), Some(content)) = (body, content)
            && let Ok(stream) = body.write()
        {
            let is_whole = match content {
                Content::Bytes(bytes) => self.put(&stream, &bytes, &exchange).await,
                #[cfg(feature = "files")]
                Content::Parts(parts) => self.put_parts(&stream, parts, &exchange).await?,
            };
            drop(stream);
            if is_whole {
                let _ = OutgoingBody::finish(body, None);
            }
        }
        let response = loop {
            self.ready([exchange.subscribe()]).await;
            match exchange.get() {
                Some(Ok(Ok(response))) => break response,
                Some(Ok(Err(code))) => return Err(broken(bare(&code))),
                Some(Err(())) => return Err(Broken::Unknown("the answer is gone".to_owned())),
                None => {}
            }
        };
        #[cfg(feature = "files")]
        if keeps && (200..300).contains(&response.status()) {
            return Ok(Response {
                status: response.status(),
                body: Vec::new(),
                kept: Some(self.requests.files.streams.keep(id, &response)?),
                headers: Box::new(Answered(response)),
            });
        }
        let body = self.read(&response).await?;
        Ok(Response {
            status: response.status(),
            headers: Box::new(Answered(response)),
            body,
            #[cfg(feature = "files")]
            kept: None,
        })
    }
}

/// What a body is made of.
enum Content {
    Bytes(Vec<u8>),
    #[cfg(feature = "files")]
    Parts(Vec<Part>),
}

/// A request without its body. `size` is that of parts, where it is known.
fn outgoing(request: Request, size: Option<u64>) -> Result<(OutgoingRequest, Option<Vec<u8>>), Broken> {
    let mut headers = request.headers;
    // Without it hosts send chunks, which some gateways refuse.
    if let Some(size) = size.or_else(|| Some(request.body.as_ref()?.len() as u64)) {
        headers.push(Field {
            name: "content-length".to_owned(),
            value: size.to_string(),
        });
    }
    let headers: Vec<_> = headers
        .into_iter()
        .map(|field| (field.name, field.value.into_bytes()))
        .collect();
    let headers = Fields::from_list(&headers).map_err(unsendable)?;
    let outgoing = OutgoingRequest::new(headers);
    outgoing
        .set_method(&method(request.method))
        .and_then(|()| outgoing.set_scheme(Some(&scheme(request.scheme))))
        .and_then(|()| outgoing.set_authority(Some(&request.authority)))
        .and_then(|()| outgoing.set_path_with_query(Some(&request.path_with_query)))
        .map_err(|()| Broken::Unsendable("the URL cannot be sent".to_owned()))?;
    Ok((outgoing, request.body))
}

fn method(method: Method) -> WasiMethod {
    match method {
        Method::Get => WasiMethod::Get,
        Method::Head => WasiMethod::Head,
        Method::Post => WasiMethod::Post,
        Method::Put => WasiMethod::Put,
        Method::Delete => WasiMethod::Delete,
        Method::Connect => WasiMethod::Connect,
        Method::Options => WasiMethod::Options,
        Method::Trace => WasiMethod::Trace,
        Method::Patch => WasiMethod::Patch,
    }
}

fn scheme(scheme: Scheme) -> WasiScheme {
    match scheme {
        Scheme::Http => WasiScheme::Http,
        Scheme::Https => WasiScheme::Https,
    }
}

fn unsendable(error: HeaderError) -> Broken {
    match error {
        HeaderError::Forbidden => Broken::Denied("the host forbids a header of the request".to_owned()),
        _ => Broken::Unsendable("a header holds what HTTP does not allow".to_owned()),
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
