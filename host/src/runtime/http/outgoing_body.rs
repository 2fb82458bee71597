//! The body of a request while the node writes it: `outgoing-body` of `wasi:http/types`.
//!
//! The pipeline needs a complete body, so it is collected here until the node finishes it, within the limits, and writing
//! never waits. Only a large body of an operation that moves files flows: it is sent while the node writes it, as fast as the
//! service takes it.

use std::cmp::Ordering;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header;
use http_body::Frame;
use http_body_util::BodyExt as _;
use wasmtime::component::{LinkerInstance, Resource};
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::types::{HostOutgoingRequest, HostOutgoingResponse};
use wasmtime_wasi_http::{Error as HttpError, FieldMap};
use wasmtime_wasi_io::IoView as _;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{DynOutputStream, OutputStream, StreamError, StreamResult};

use super::resource::{Store, resource};
use crate::gate::pipeline::{BufferReservation, Buffered};
use crate::runtime::patience::Patience;
use crate::runtime::state::State;

/// How much a node may write in one call: enough for most bodies.
const PERMIT: usize = 64 * 1024;

/// From this size on a body flows.
const FLOWS_FROM: usize = 1024 * 1024;

/// How much of a flowing body may wait to be sent.
const WAITING: usize = 256 * 1024;

/// A body that the node is writing.
struct Draft {
    /// What was written and not read.
    first: Bytes,
    /// The same, if it was written in several pieces.
    more: Vec<u8>,
    /// How much was written, whether kept or not.
    length: usize,
    /// The maximum that is kept.
    limit: usize,
    fits: bool,
    hold: BufferReservation,
    /// The `content-length` that the node set.
    announced: Option<u64>,
    end: Option<End>,
    /// The task that waits for the body to be finished, or for more of it.
    waker: Option<Waker>,
    /// The size from which on it flows; `None`: it never does.
    flows_from: Option<usize>,
    /// Moves with each piece of a flowing body.
    patience: Option<Arc<Patience>>,
    /// The call, while it waits to write more of a flowing body.
    pen: Option<Waker>,
}

#[derive(Clone, Copy)]
enum End {
    Finished,
    Aborted,
    /// The pipeline read the body, or dropped it.
    Gone,
}

impl Draft {
    /// Takes a piece of the body. Beyond the limits a node can still write, so that it sees the limit as the reason and
    /// not a broken stream, but nothing is kept.
    fn write(&mut self, bytes: Bytes) {
        self.length = self.length.saturating_add(bytes.len());
        let is_flowing = self.is_flowing();
        self.fits = self.fits && (is_flowing || self.length <= self.limit) && self.hold.add(bytes.len());
        if !self.fits {
            self.forget();
        } else if self.first.is_empty() {
            self.first = bytes;
        } else {
            if self.more.is_empty() {
                self.more.extend_from_slice(&self.first);
            }
            self.more.extend_from_slice(&bytes);
        }
        if is_flowing {
            if self.left() == Some(Ordering::Less) {
                self.end(End::Aborted);
            }
            self.wake();
        }
    }

    /// How the announced length is to what was written.
    fn left(&self) -> Option<Ordering> {
        let length = u64::try_from(self.length).unwrap_or(u64::MAX);
        self.announced.map(|announced| announced.cmp(&length))
    }

    /// Whether all that was announced is there. Nobody reads a body further than that, so its last bytes leave when the node has
    /// finished, and has not written more.
    fn is_full(&self) -> bool {
        self.left() == Some(Ordering::Equal)
    }

    /// Whether the body is sent while it is written.
    fn is_flowing(&self) -> bool {
        self.flows_from.is_some_and(|from| self.length >= from)
    }

    fn waiting(&self) -> usize {
        self.first.len().max(self.more.len())
    }

    /// How much the node may write at once.
    fn permitted(&self) -> usize {
        if self.is_flowing() && self.waiting() >= WAITING && !self.is_full() {
            0
        } else {
            PERMIT
        }
    }

    /// What is there of a flowing body.
    fn next(&mut self) -> Option<Result<Bytes, HttpError>> {
        let may_leave = match self.end {
            None => !self.is_full(),
            Some(end) => matches!(end, End::Finished),
        };
        let is_there = self.waiting() > 0 || !self.fits;
        (self.is_flowing() && may_leave && is_there).then(|| {
            if let Some(patience) = &self.patience {
                patience.heard();
            }
            self.pen.take().into_iter().for_each(Waker::wake);
            self.take()
        })
    }

    fn wake(&mut self) {
        self.waker.take().into_iter().for_each(Waker::wake);
    }

    fn forget(&mut self) {
        (self.first, self.more) = (Bytes::new(), Vec::new());
        self.hold.set(0);
    }

    /// Whether the length is the announced one.
    fn is_as_announced(&self) -> bool {
        self.left().is_none_or(Ordering::is_eq)
    }

    fn is_gone(&self) -> bool {
        matches!(self.end, Some(End::Gone))
    }

    fn end(&mut self, end: End) {
        if self.end.is_none() {
            self.end = Some(end);
        }
        self.wake();
    }

    /// What was written and not read.
    fn take(&mut self) -> Result<Bytes, HttpError> {
        if self.length > self.limit && !self.is_flowing() {
            return Err(HttpError::HttpRequestBodySize(u64::try_from(self.length).ok()));
        }
        if !self.fits {
            return Err(HttpError::HttpRequestBodySize(None));
        }
        let first = std::mem::take(&mut self.first);
        let taken = if self.more.is_empty() {
            first
        } else {
            std::mem::take(&mut self.more).into()
        };
        Ok(self.hold.split_off().bind(taken))
    }
}

/// The node's handle of a body.
struct Body {
    draft: Shared,
    has_stream: bool,
}

impl Drop for Body {
    fn drop(&mut self) {
        lock(&self.draft).end(End::Aborted);
    }
}

type Shared = Arc<Mutex<Draft>>;

fn lock(draft: &Mutex<Draft>) -> MutexGuard<'_, Draft> {
    draft.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The stream that the node writes to.
struct Pen(Shared);

#[async_trait::async_trait]
impl Pollable for Pen {
    async fn ready(&mut self) {
        poll_fn(|context| {
            let mut draft = lock(&self.0);
            if draft.is_gone() || draft.permitted() > 0 {
                return Poll::Ready(());
            }
            draft.pen = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl OutputStream for Pen {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > PERMIT {
            return Err(StreamError::trap("write exceeded budget"));
        }
        let mut draft = lock(&self.0);
        if draft.is_gone() {
            return Err(StreamError::Closed);
        }
        draft.write(bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.check_write().map(|_| ())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let draft = lock(&self.0);
        if draft.is_gone() {
            Err(StreamError::Closed)
        } else {
            Ok(draft.permitted())
        }
    }
}

/// The body as the pipeline reads it: one frame once it is finished, or a frame whenever there is more of a flowing one.
struct Reader(Shared);

impl http_body::Body for Reader {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let mut draft = lock(&self.0);
        if let Some(next) = draft.next() {
            return Poll::Ready(Some(next.map(Frame::data)));
        }
        match draft.end {
            None => {
                draft.waker = Some(context.waker().clone());
                Poll::Pending
            }
            Some(End::Gone) => Poll::Ready(None),
            Some(End::Aborted) => Poll::Ready(Some(Err(HttpError::HttpProtocolError))),
            Some(End::Finished) => {
                draft.end = Some(End::Gone);
                let is_over = draft.is_flowing();
                Poll::Ready((!is_over).then(|| draft.take().map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0).is_gone()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut draft = lock(&self.0);
        draft.end = Some(End::Gone);
        draft.forget();
        draft.pen.take().into_iter().for_each(Waker::wake);
    }
}

/// Replaces wasmtime-wasi-http's type.
pub(super) fn add_to_linker(types: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    resource::<Body>(types, "outgoing-body")?;
    // A node answers no requests. But a component that imports the whole interface has to find one kind of body in it.
    types.func_wrap(
        "[method]outgoing-response.body",
        |_: Store<'_>, _: (Resource<HostOutgoingResponse>,)| Ok((Err::<Resource<Body>, ()>(()),)),
    )?;
    types.func_wrap(
        "[method]outgoing-request.body",
        |mut store: Store<'_>, (request,): (Resource<HostOutgoingRequest>,)| {
            let state = store.data_mut();
            let patience = state
                .streams
                .as_ref()
                .map(|streams| Arc::clone(&streams.patience));
            let (limit, buffered, patience) = match state.pipeline() {
                Some(pipeline) => (
                    pipeline.limits.request_body_bytes,
                    Arc::clone(&pipeline.buffered),
                    patience.filter(|_| pipeline.sends_unfinished()),
                ),
                // The request is going to be denied anyway.
                None => (0, Buffered::new(0), None),
            };
            let table = state.table();
            let request = table.get_mut(&request)?;
            let Ok(announced) = announced(&request.headers) else {
                return Ok((Err(()),));
            };
            if request.body.is_some() {
                return Ok((Err(()),));
            }
            let draft = Arc::new(Mutex::new(Draft {
                first: Bytes::new(),
                more: Vec::new(),
                length: 0,
                limit,
                fits: true,
                hold: BufferReservation::new(&buffered),
                announced,
                end: None,
                waker: None,
                flows_from: patience.as_ref().map(|_| FLOWS_FROM.min(limit)),
                patience,
                pen: None,
            }));
            request.body = Some(Reader(Arc::clone(&draft)).boxed_unsync());
            let body = Body {
                draft,
                has_stream: false,
            };
            Ok((Ok(table.push(body)?),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-body.write",
        |mut store: Store<'_>, (body,): (Resource<Body>,)| {
            let table = store.data_mut().table();
            let held = table.get_mut(&body)?;
            if std::mem::replace(&mut held.has_stream, true) {
                return Ok((Err(()),));
            }
            let stream: DynOutputStream = Box::new(Pen(Arc::clone(&held.draft)));
            Ok((Ok(table.push_child(stream, &body)?),))
        },
    )?;
    types.func_wrap(
        "[static]outgoing-body.finish",
        |mut store: Store<'_>, (body, trailers): (Resource<Body>, Option<Resource<FieldMap>>)| {
            let table = store.data_mut().table();
            let body = table.delete(body)?;
            if let Some(trailers) = trailers {
                // The pipeline sends no trailers.
                table.delete(trailers)?;
            }
            let mut draft = lock(&body.draft);
            let result = if draft.is_as_announced() {
                draft.end(End::Finished);
                Ok(())
            } else {
                draft.end(End::Aborted);
                Err(ErrorCode::HttpRequestBodySize(u64::try_from(draft.length).ok()))
            };
            Ok((result,))
        },
    )
}

/// The `content-length` in the headers, if any.
fn announced(headers: &FieldMap) -> Result<Option<u64>, ()> {
    let length = headers.get(header::CONTENT_LENGTH);
    length
        .map(|length| length.to_str().map_err(|_| ())?.parse().map_err(|_| ()))
        .transpose()
}
