//! A file that goes with an item, as the node reads it: `input-stream` of `wasi:io/streams`.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{DynInputStream, InputStream, StreamError, StreamResult};

use crate::gate::file::InputFile;
use crate::gate::pipeline::Pipeline;
use crate::gate::upload::{Piece, Progress, Upload};
use crate::runtime::patience::Patience;

/// A file that is read once, from the beginning.
struct FileStream {
    bytes: BoxStream<'static, std::io::Result<Bytes>>,
    /// What was read of it, and is not the node's yet; `Err` once it broke, `None` at its end.
    next: Option<Result<Bytes, std::io::Error>>,
    progress: Arc<Progress>,
    pipeline: Arc<Pipeline>,
    patience: Arc<Patience>,
}

/// The stream of a file.
pub(crate) fn stream(file: &InputFile, pipeline: &Arc<Pipeline>, patience: &Arc<Patience>) -> DynInputStream {
    let file = Upload::new(vec![Piece::whole(file)], pipeline.limits().file_bytes);
    Box::new(FileStream {
        bytes: file.stream(),
        next: Some(Ok(Bytes::new())),
        progress: file.progress(),
        pipeline: Arc::clone(pipeline),
        patience: Arc::clone(patience),
    })
}

#[async_trait::async_trait]
impl Pollable for FileStream {
    async fn ready(&mut self) {
        while matches!(&self.next, Some(Ok(bytes)) if bytes.is_empty()) {
            self.next = self.bytes.next().await;
            self.patience.heard();
        }
    }
}

impl InputStream for FileStream {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        match &mut self.next {
            Some(Ok(bytes)) => {
                let piece = bytes.split_to(size.min(bytes.len()));
                self.pipeline.moved(piece.len());
                Ok(piece)
            }
            None => Err(StreamError::Closed),
            Some(Err(error)) => {
                let words = error.to_string();
                self.next = None;
                if let Some(trouble) = self.progress.trouble() {
                    // What the host says of the item in the end.
                    self.pipeline.unreadable(trouble);
                }
                Err(StreamError::LastOperationFailed(wasmtime::Error::msg(words)))
            }
        }
    }
}
