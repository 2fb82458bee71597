//! The node's handles of a response: `incoming-response` and `incoming-body` of `wasi:http/types`.
//!
//! The response is complete by then, so its body is just bytes. wasmtime-wasi-http's own types are made for bodies that
//! are still arriving, and cost more. Only of an operation that gives files a body may still arrive: it is read when the
//! node reads it, or when it becomes a file.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use wasmtime::component::{LinkerInstance, Resource};
use wasmtime_wasi_http::p2::body::HostFutureTrailers;
use wasmtime_wasi_http::p2::types::HostIncomingRequest;
use wasmtime_wasi_http::{Error as HttpError, FieldMap, WasiHttpView as _};
use wasmtime_wasi_io::IoView as _;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{DynInputStream, InputStream, StreamError, StreamResult};

use super::resource::{Store, resource};
use crate::gate::pipeline::{BufferedResponse, KeptBody, Pipeline};
use crate::runtime::state::State;

/// A response.
pub(super) struct Incoming {
    status: u16,
    headers: HeaderMap,
    /// The headers, once the node has asked for them. It may ask repeatedly and shares one copy.
    fields: Option<FieldMap>,
    /// `None` once consumed.
    body: Option<Content>,
}

impl From<BufferedResponse> for Incoming {
    fn from(response: BufferedResponse) -> Self {
        Self {
            status: response.status.as_u16(),
            headers: response.headers,
            fields: None,
            body: Some(match response.kept {
                Some(kept) => Content::Kept(kept),
                None => Content::Whole(response.hold.bind(response.body)),
            }),
        }
    }
}

enum Content {
    Whole(Bytes),
    Kept(Box<KeptBody>),
}

/// A body, with its content until the node takes the stream.
pub(crate) struct Body(Option<Content>);

impl Body {
    /// The content, to become a file.
    ///
    /// # Errors
    ///
    /// The node has taken the stream.
    pub(crate) fn give(state: &mut State, body: Resource<Self>) -> wasmtime::Result<KeptBody> {
        match state.table().delete(body)?.0 {
            Some(Content::Kept(kept)) => Ok(*kept),
            Some(Content::Whole(bytes)) => Ok(KeptBody::whole(bytes)),
            None => wasmtime::bail!("it gives out a body that it has begun to read"),
        }
    }
}

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

/// A body that is read for the node.
enum Reading {
    Arriving(Pin<Box<dyn Future<Output = Result<Bytes, HttpError>> + Send>>),
    Arrived(Rest),
    Lost(Option<HttpError>),
}

impl Reading {
    fn of(kept: KeptBody, pipeline: Arc<Pipeline>) -> Self {
        Self::Arriving(Box::pin(async move { pipeline.read(kept).await }))
    }
}

#[async_trait::async_trait]
impl Pollable for Reading {
    /// The future goes on where it was: a node waits for several things, and is told of the first.
    async fn ready(&mut self) {
        if let Self::Arriving(reading) = self {
            *self = match reading.await {
                Ok(bytes) => Self::Arrived(Rest(bytes)),
                Err(error) => Self::Lost(Some(error)),
            };
        }
    }
}

impl InputStream for Reading {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        match self {
            Self::Arriving(_) => Ok(Bytes::new()),
            Self::Arrived(rest) => rest.read(size),
            Self::Lost(error) => Err(match error.take() {
                Some(error) => StreamError::LastOperationFailed(error.into()),
                None => StreamError::Closed,
            }),
        }
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
                Some(content) => Ok(table.push(Body(Some(content)))?),
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
            let state = store.data_mut();
            let pipeline = state.pipeline();
            let table = state.table();
            let stream: DynInputStream = match (table.get_mut(&body)?.0.take(), pipeline) {
                (Some(Content::Whole(bytes)), _) => Box::new(Rest(bytes)),
                (Some(Content::Kept(kept)), Some(pipeline)) => Box::new(Reading::of(*kept, pipeline)),
                _ => return Ok((Err(()),)),
            };
            Ok((Ok(table.push_child(stream, &body)?),))
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
