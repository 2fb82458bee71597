//! Items that files go with or come out of, by WASI's streams: for a host that knows no turns.

use std::cell::RefCell;
use std::rc::Rc;

use super::files::{Kept, run};
use super::wasi::{READ_BYTES, Wasi};
use super::{Asked, Task};
use crate::bindings::exports::workflow::node::files_by_streams as contract;
use crate::bindings::exports::workflow::node::files_by_turns::{
    Call, Content, File, Given, Part, Read, Slice,
};
use crate::bindings::exports::workflow::node::types::{Failure, OtherFailure};
use crate::bindings::wasi::http::types::{FutureIncomingResponse, IncomingBody, IncomingResponse};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};
use crate::http::{Broken, Response};
use crate::table::Service;

/// How much of a file that a function has looked into may still be sent.
const LOOKED_BYTES: u64 = 1_024 * 1_024;

/// What a task has of streams.
#[derive(Default)]
pub(crate) struct Streams {
    /// The content of the item's files.
    sources: RefCell<Vec<Source>>,
    /// Answers that may be given out, by the IDs of their requests.
    bodies: RefCell<Vec<(u32, IncomingBody)>>,
}

/// The content of a file. A stream is read once, forwards.
#[derive(Default)]
struct Source {
    stream: Option<InputStream>,
    /// What was read of it and may be wanted again; all of a file without a stream.
    bytes: Vec<u8>,
    /// Bytes of the file before these.
    begin: u64,
}

/// `files-by-streams.transfer`
pub fn transfer(service: &'static Service, call: contract::Call) -> Result<Vec<contract::Output>, Failure> {
    let mut sources = Vec::new();
    let files = call.files.into_iter().map(|file| {
        let (stream, bytes) = match file.content {
            contract::Content::Bytes(bytes) => (None, bytes),
            contract::Content::Streamed(stream) => (Some(stream), Vec::new()),
        };
        sources.push(Source {
            stream,
            bytes,
            begin: 0,
        });
        File {
            key: file.key,
            file_name: file.file_name,
            media_type: file.media_type,
            size: file.size,
        }
    });
    let call = Call {
        files: files.collect(),
        group: call.group,
        operation: call.operation,
        parameters: call.parameters,
        // The pieces of a stream come one after the other, and so do the requests that they are for.
        in_flight: 1,
        service: call.service,
    };
    let task = Task::new(async move |requests| run(service, requests, call).await);
    let requests = Rc::clone(&task.requests);
    requests.files.streams.sources.replace(sources);
    let outputs = task.run()?;
    let mut bodies = requests.files.streams.bodies.take();
    let outputs = outputs.into_iter().map(|output| {
        let files = output.files.into_iter().map(|file| given(&mut bodies, file));
        Ok(contract::Output {
            json: output.json,
            files: files.collect::<Result<_, _>>()?,
        })
    });
    outputs.collect()
}

/// A file with the body that it names.
fn given(bodies: &mut Vec<(u32, IncomingBody)>, file: Given) -> Result<contract::Given, Failure> {
    let content = match file.content {
        Content::Bytes(bytes) => contract::GivenContent::Bytes(bytes),
        Content::Kept(id) => {
            let body = bodies.extract_if(.., |(of, _)| *of == id).next();
            let (_, body) = body.ok_or_else(|| {
                Failure::Other(OtherFailure {
                    kind: "bad-file".to_owned(),
                    message: "the node gave a file of an answer that it did not keep, or gave it before"
                        .to_owned(),
                    detail: None,
                })
            })?;
            contract::GivenContent::Body(body)
        }
    };
    Ok(contract::Given {
        key: file.key,
        file_name: file.file_name,
        media_type: file.media_type,
        content,
    })
}

impl Streams {
    /// Leaves the body of an answer where it is.
    pub(super) fn keep(&self, id: u32, response: &IncomingResponse) -> Result<Kept, Broken> {
        let body = response
            .consume()
            .map_err(|()| Broken::Unknown("the answer has no body that can be given out".to_owned()))?;
        self.bodies.borrow_mut().push((id, body));
        let lengths = response.headers().get("content-length");
        let length = lengths
            .first()
            .and_then(|length| std::str::from_utf8(length).ok());
        Ok(Kept {
            id,
            size: length.and_then(|length| length.parse().ok()),
        })
    }
}

impl Asked {
    /// Its body's parts, beside it.
    pub(super) fn without_parts(mut self) -> (Self, Option<Vec<Part>>) {
        let parts = self.request.parts.take();
        (self, parts)
    }
}

impl Wasi<'_> {
    /// The bytes of a body, where they are known of each part.
    pub(super) fn size(&self, parts: &[Part]) -> Option<u64> {
        let files = self.requests.files.of_item.borrow();
        parts.iter().try_fold(0_u64, |sum, part| {
            sum.checked_add(match part {
                Part::Bytes(bytes) => u64::try_from(bytes.len()).ok()?,
                Part::File(Slice {
                    length: Some(length), ..
                }) => *length,
                Part::File(slice) => {
                    let file = files.get(usize::try_from(slice.file).ok()?)?;
                    file.size?.saturating_sub(slice.offset)
                }
            })
        })
    }

    /// A piece of a file that a function looks into. It may still be sent.
    pub(super) async fn look(&self, read: Read) -> Result<Response, Broken> {
        let length = usize::try_from(read.length).unwrap_or(usize::MAX);
        let piece = self.piece(read.file, read.offset, length, LOOKED_BYTES);
        Ok(Response {
            status: 200,
            headers: super::listed(Vec::new()),
            body: piece.await?,
            kept: None,
        })
    }

    /// Sends parts of a body one behind the other; whether all of them went out.
    pub(super) async fn put_parts(
        &self,
        stream: &OutputStream,
        parts: Vec<Part>,
        exchange: &FutureIncomingResponse,
    ) -> Result<bool, Broken> {
        for part in parts {
            let mut slice = match part {
                Part::Bytes(bytes) if self.put(stream, &bytes, exchange).await => continue,
                Part::Bytes(_) => return Ok(false),
                Part::File(slice) => slice,
            };
            loop {
                let piece = self.next(&mut slice).await?;
                if piece.is_empty() {
                    break;
                }
                if !self.put(stream, &piece, exchange).await {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The next piece of a slice that is sent: nothing at its end.
    async fn next(&self, slice: &mut Slice) -> Result<Vec<u8>, Broken> {
        let most = slice.length.unwrap_or(READ_BYTES).min(READ_BYTES);
        let length = usize::try_from(most).unwrap_or(usize::MAX);
        let piece = self.piece(slice.file, slice.offset, length, 0).await?;
        let read = u64::try_from(piece.len()).unwrap_or_default();
        slice.offset += read;
        match &mut slice.length {
            Some(left) if read == 0 && *left > 0 => {
                return Err(Broken::Unknown("the file is shorter than it said".to_owned()));
            }
            Some(left) => *left -= read,
            None => {}
        }
        Ok(piece)
    }

    /// Up to so many bytes of a file, of which as many as `kept` may be wanted again.
    async fn piece(&self, file: u32, offset: u64, length: usize, kept: u64) -> Result<Vec<u8>, Broken> {
        let sources = &self.requests.files.streams.sources;
        let index = usize::try_from(file).unwrap_or(usize::MAX);
        // Its place stays empty meanwhile, and the requests of an item come one after the other.
        let mut source = match sources.borrow_mut().get_mut(index) {
            Some(source) => std::mem::take(source),
            None => return Err(Broken::Unsendable("the item has no such file".to_owned())),
        };
        let piece = self.piece_of(&mut source, offset, length, kept).await;
        if let Some(place) = sources.borrow_mut().get_mut(index) {
            *place = source;
        }
        piece
    }

    async fn piece_of(
        &self,
        source: &mut Source,
        offset: u64,
        length: usize,
        kept: u64,
    ) -> Result<Vec<u8>, Broken> {
        if offset < source.begin {
            let words = "this host lets a file be read once, and this piece of it was read before";
            return Err(Broken::Unsendable(words.to_owned()));
        }
        while let Some(stream) = &source.stream
            && source.end() < offset.saturating_add(length as u64)
        {
            match stream.read(READ_BYTES) {
                Ok(bytes) if bytes.is_empty() => self.ready([stream.subscribe()]).await,
                Ok(bytes) => {
                    source.forget(offset.saturating_sub(kept));
                    source.bytes.extend_from_slice(&bytes);
                }
                Err(StreamError::Closed) => source.stream = None,
                Err(StreamError::LastOperationFailed(error)) => {
                    let words = error.to_debug_string();
                    return Err(Broken::Unknown(format!("the file cannot be read: {words}")));
                }
            }
        }
        let place = |at: u64| usize::try_from(at - source.begin).unwrap_or(usize::MAX);
        let begin = place(offset).min(source.bytes.len());
        let end = begin.saturating_add(length).min(source.bytes.len());
        Ok(source.bytes.get(begin..end).unwrap_or_default().to_vec())
    }
}

impl Source {
    /// Bytes of the file up to the last one that was read.
    fn end(&self) -> u64 {
        self.begin + self.bytes.len() as u64
    }

    /// Lets go of what stands before this place.
    fn forget(&mut self, place: u64) {
        let count = place.saturating_sub(self.begin).min(self.bytes.len() as u64);
        self.bytes.drain(..usize::try_from(count).unwrap_or_default());
        self.begin += count;
    }
}
