//! `wasi:http/outgoing-handler`, over a [`Pipeline`].
//!
//! wasmtime-wasi-http has one of its own, which puts the request together as one of the `http` crate, only for the host to
//! take it apart again, and answers by a task in any case. This one hands the parts over as they are, and answers at once
//! where no socket is needed.

use std::sync::Arc;

use futures_util::FutureExt as _;
use http::{HeaderMap, Method};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::runtime::spawn;
use wasmtime_wasi_http::RequestOptions;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_io::IoView as _;

use super::{Pipeline, Wanted};
use crate::instance::State;

/// As wasmtime-wasi-http names it; a component that was built with another 0.2 finds it too.
const INTERFACE: &str = "wasi:http/outgoing-handler@0.2.12";

type Answer = HostFutureIncomingResponse;

/// Let the nodes of this linker send requests.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(INTERFACE)?.func_wrap(
        "handle",
        |mut store: StoreContextMut<'_, State>,
         (request, options): (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>)|
         -> wasmtime::Result<(Result<Resource<Answer>, ErrorCode>,)> {
            let pipeline = store.data().pipeline();
            let table = store.data_mut().table();
            let options = options.and_then(|options| table.get(&options).ok()).copied();
            let request = table.delete(request)?;
            Ok((match answer(pipeline, request, options) {
                Ok(answer) => Ok(table.push(answer)?),
                Err(code) => Err(code),
            },))
        },
    )
}

fn answer(
    pipeline: Option<Arc<Pipeline>>,
    request: HostOutgoingRequest,
    options: Option<RequestOptions>,
) -> Result<Answer, ErrorCode> {
    let wanted = Wanted::read(request)?;
    // An instance without one only describes itself.
    let pipeline = pipeline.ok_or(ErrorCode::HttpRequestDenied)?;
    let is_live = pipeline.is_live();
    let mut answer = Box::pin(async move {
        let response = pipeline.exchange(wanted, options).await?;
        // The answer is whole: nothing goes on behind it.
        Ok((response, spawn(std::future::ready(()))))
    });
    let now = if is_live {
        None
    } else {
        (&mut answer).now_or_never()
    };
    Ok(match now {
        Some(result) => Answer::Ready(result),
        None => Answer::Pending(spawn(answer)),
    })
}

impl Wanted {
    fn read(request: HostOutgoingRequest) -> Result<Self, ErrorCode> {
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
        Ok(Self {
            method,
            scheme,
            authority: authority.unwrap_or_default(),
            path_and_query: path_with_query.unwrap_or_default(),
            headers: HeaderMap::from(headers),
            body,
        })
    }
}
