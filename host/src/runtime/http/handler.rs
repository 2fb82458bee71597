//! `wasi:http/outgoing-handler` and `future-incoming-response`, over a [`Pipeline`].
//!
//! wasmtime-wasi-http's own handler builds a request of the `http` crate, which the host would have to take apart
//! again, and always responds through a task. This one passes the parts on directly, sends requests while the node
//! [waits](super::polling), and responds at once if no socket is needed.

use std::sync::Arc;

use futures_util::FutureExt as _;
use http::{HeaderMap, Method};
use wasmtime::component::{Linker, LinkerInstance, Resource};
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, HostFutureIncomingResponse as _, Scheme};
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiHttpView as _};
use wasmtime_wasi_io::IoView as _;
use wasmtime_wasi_io::poll::subscribe;

use super::incoming::{self, Incoming};
use super::outgoing_body;
use super::resource::{Store, resource};
use crate::gate::pipeline::{Content, Pipeline, RawRequest};
use crate::runtime::in_flight::{Awaited, InFlight};
use crate::runtime::state::State;

/// The name in wasmtime-wasi-http. A component built with another 0.2 version finds it too.
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";
/// As above.
const TYPES: &str = "wasi:http/types@0.2.12";

/// The result of `get`: `None` while pending, `Some(Err)` if it was taken before, or how the request finished.
type Got = Option<Result<Result<Resource<Incoming>, ErrorCode>, ()>>;

/// Lets the nodes of this linker send requests. The linker must have wasmtime-wasi-http's types already.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(HANDLER)?.func_wrap(
        "handle",
        |mut store: Store<'_>,
         (request, options): (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>)| {
            let state = store.data_mut();
            let pipeline = state.pipeline();
            let table = state.table();
            let options = options.and_then(|options| table.get(&options).ok()).copied();
            let request = table.delete(request)?;
            let request = read(request, state);
            let awaited = begin(state.in_flight(), pipeline, request, options);
            Ok((match awaited {
                Ok(awaited) => Ok(state.table().push(awaited)?),
                Err(code) => Err(code),
            },))
        },
    )?;
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    incoming::add_to_linker(&mut types)?;
    outgoing_body::add_to_linker(&mut types)?;
    add_future(&mut types)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn add_future(types: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    resource::<Awaited>(types, "future-incoming-response")?;
    types.func_wrap(
        "[method]future-incoming-response.subscribe",
        |mut store: Store<'_>, (awaited,): (Resource<Awaited>,)| {
            Ok((subscribe(store.data_mut().table(), awaited)?,))
        },
    )?;
    types.func_wrap(
        "[method]future-incoming-response.get",
        |mut store: Store<'_>, (awaited,): (Resource<Awaited>,)| -> wasmtime::Result<(Got,)> {
            let state = store.data_mut();
            Ok((match state.table().get(&awaited)?.take() {
                None => None,
                Some(Err(())) => Some(Err(())),
                Some(Ok(Ok(whole))) => Some(Ok(Ok(state.table().push(Incoming::from(whole))?))),
                Some(Ok(Err(error))) => Some(Ok(Err(code(state, error)?))),
            },))
        },
    )
}

/// The error code for the node, as wasmtime-wasi-http translates it.
pub(crate) fn code(state: &mut State, error: HttpError) -> wasmtime::Result<ErrorCode> {
    let mut http = state.http();
    let theirs = http.table.push(HostFutureIncomingResponse::Ready(Err(error)))?;
    let got = http.get(Resource::new_borrow(theirs.rep()))?;
    http.table.delete(theirs)?;
    match got {
        Some(Ok(Err(code))) => Ok(code),
        _ => Ok(ErrorCode::InternalError(None)),
    }
}

fn begin(
    in_flight: &InFlight,
    pipeline: Option<Arc<Pipeline>>,
    request: Result<RawRequest, ErrorCode>,
    options: Option<RequestOptions>,
) -> Result<Awaited, ErrorCode> {
    let raw = request?;
    // An instance without a pipeline only describes itself.
    let pipeline = pipeline.ok_or(ErrorCode::HttpRequestDenied)?;
    let is_live = pipeline.is_live();
    let exchange = pipeline.exchange(raw, options);
    if is_live {
        return Ok(in_flight.begin(exchange));
    }
    let mut exchange = Box::pin(exchange);
    Ok(match (&mut exchange).now_or_never() {
        Some(outcome) => Awaited::answered(outcome),
        None => in_flight.begin(exchange),
    })
}

fn read(request: HostOutgoingRequest, state: &State) -> Result<RawRequest, ErrorCode> {
    let HostOutgoingRequest {
        method,
        scheme,
        authority,
        path_with_query,
        headers,
        body,
    } = request;
    let method: Method = method
        .try_into()
        .map_err(|_| ErrorCode::HttpRequestMethodInvalid)?;
    let scheme = match scheme {
        Some(Scheme::Http) => "http",
        Some(Scheme::Https) => "https",
        Some(Scheme::Other(_)) | None => return Err(ErrorCode::HttpProtocolError),
    };
    Ok(RawRequest {
        method,
        scheme,
        authority: authority.unwrap_or_default(),
        path_and_query: path_with_query.unwrap_or_default(),
        headers: HeaderMap::from(headers),
        body: match body {
            None => Content::None,
            Some(body) if state.streams.is_some() => Content::Streamed(body),
            Some(body) => Content::Draft(body),
        },
        keep: state.keep(),
    })
}
