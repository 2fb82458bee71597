//! The node's handles of a response: `incoming-response` and `incoming-body` of `wasi:http/types`.
//!
//! The response is complete by then, so its body is just bytes. wasmtime-wasi-http's own types are made for bodies that
//! are still arriving, and cost more.

use bytes::Bytes;
use http::HeaderMap;
use wasmtime::component::{LinkerInstance, Resource};
use wasmtime_wasi_http::p2::body::HostFutureTrailers;
use wasmtime_wasi_http::p2::types::HostIncomingRequest;
use wasmtime_wasi_http::{FieldMap, WasiHttpView as _};
use wasmtime_wasi_io::IoView as _;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{DynInputStream, InputStream, StreamError, StreamResult};

use super::resource::{Store, resource};
use crate::gate::pipeline::BufferedResponse;
use crate::runtime::state::State;

/// A response.
pub(super) struct Incoming {
    status: u16,
    headers: HeaderMap,
    /// The headers, once the node has asked for them. It may ask repeatedly and shares one copy.
    fields: Option<FieldMap>,
    /// `None` once consumed.
    body: Option<Bytes>,
}

impl From<BufferedResponse> for Incoming {
    fn from(whole: BufferedResponse) -> Self {
        Self {
            status: whole.status.as_u16(),
            headers: whole.headers,
            fields: None,
            body: Some(whole.hold.bind(whole.body)),
        }
    }
}

/// A body, with its bytes until the node takes the stream.
struct Body(Option<Bytes>);

/// The unread rest of a body.
struct Rest(Bytes);

#[async_trait::async_trait]
impl Pollable for Rest {
    async fn ready(&mut self) {}
}

impl InputStream for Rest {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.0.is_empty() {
            return Err(StreamError::Closed);
        }
        Ok(self.0.split_to(size.min(self.0.len())))
    }
}

/// Replaces wasmtime-wasi-http's types.
pub(super) fn add_to_linker(types: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    resource::<Incoming>(types, "incoming-response")?;
    types.func_wrap(
        "[method]incoming-response.status",
        |mut store: Store<'_>, (answer,): (Resource<Incoming>,)| {
            Ok((store.data_mut().table().get(&answer)?.status,))
        },
    )?;
    types.func_wrap(
        "[method]incoming-response.headers",
        |mut store: Store<'_>, (answer,): (Resource<Incoming>,)| {
            let http = store.data_mut().http();
            let Incoming { headers, fields, .. } = http.table.get_mut(&answer)?;
            let fields = fields
                .get_or_insert_with(|| FieldMap::new_immutable(http.hooks, std::mem::take(headers)))
                .clone();
            Ok((http.table.push(fields)?,))
        },
    )?;
    types.func_wrap(
        "[method]incoming-response.consume",
        |mut store: Store<'_>, (answer,): (Resource<Incoming>,)| {
            let table = store.data_mut().table();
            Ok((match table.get_mut(&answer)?.body.take() {
                Some(bytes) => Ok(table.push(Body(Some(bytes)))?),
                None => Err(()),
            },))
        },
    )?;
    resource::<Body>(types, "incoming-body")?;
    // A node gets no requests, and its handle of one would not exist. But a component that imports the whole interface has
    // to find one kind of body in it.
    types.func_wrap(
        "[method]incoming-request.consume",
        |_: Store<'_>, _: (Resource<HostIncomingRequest>,)| Ok((Err::<Resource<Body>, ()>(()),)),
    )?;
    types.func_wrap(
        "[method]incoming-body.stream",
        |mut store: Store<'_>, (body,): (Resource<Body>,)| {
            let table = store.data_mut().table();
            Ok((match table.get_mut(&body)?.0.take() {
                Some(bytes) => {
                    let stream: DynInputStream = Box::new(Rest(bytes));
                    Ok(table.push_child(stream, &body)?)
                }
                None => Err(()),
            },))
        },
    )?;
    types.func_wrap(
        "[static]incoming-body.finish",
        |mut store: Store<'_>, (body,): (Resource<Body>,)| {
            let table = store.data_mut().table();
            table.delete(body)?;
            // Trailers are not supported.
            Ok((table.push(HostFutureTrailers::Done(Ok(None)))?,))
        },
    )
}
