//! Standard output and standard error of an instance: lines, which become events of the call that prints them.
//!
//! Writing never waits and never fails. What a call may print is bounded by its [pipeline](crate::gate::pipeline), which
//! also removes secrets; here a line is put together from pieces, up to a bound. The end of what a call prints to standard
//! error is kept until the call ends: a language runtime writes there why it gives up.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{DynOutputStream, OutputStream, StreamError, StreamResult};

use crate::gate::pipeline::Pipeline;

/// How much a node may write in one call.
const PERMIT: usize = 64 * 1024;
/// What is kept of a line. Less of it is shown, so a secret that is cut off here is not shown in part.
const LINE_BYTES: usize = 8 * 1024;
/// How much of the end of standard error is kept: an exception with its place.
const COMPLAINT_BYTES: usize = 4 * 1024;

/// Which of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Output,
    Error,
}

/// What an instance prints. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Printed(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    /// The call's; `None` while the instance describes itself.
    pipeline: Option<Arc<Pipeline>>,
    output: Line,
    error: Line,
    complaint: Vec<u8>,
}

/// A line that has not ended.
#[derive(Default)]
struct Line(Vec<u8>);

impl Printed {
    /// Prepares for another call.
    pub(super) fn begin(&self, pipeline: Option<Arc<Pipeline>>) {
        let mut lines = self.lock();
        *lines = Lines {
            pipeline,
            ..Lines::default()
        };
    }

    /// Shows the lines that have no end. Returns the end of what was printed to standard error, without secrets, or
    /// nothing if it may not be shown.
    pub(super) fn end(&self) -> String {
        let mut lines = self.lock();
        lines.line(Stream::Output);
        lines.line(Stream::Error);
        let complaint = String::from_utf8_lossy(&std::mem::take(&mut lines.complaint)).into_owned();
        match &lines.pipeline {
            Some(pipeline) if !pipeline.may_print() => String::new(),
            Some(pipeline) => pipeline.without_secrets(&complaint).into_owned(),
            None => complaint,
        }
    }

    /// One of the streams.
    pub(super) fn stream(&self, stream: Stream) -> impl StdoutStream + use<> {
        Writer {
            printed: self.clone(),
            stream,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, stream: Stream, bytes: &[u8]) {
        let mut lines = self.lock();
        if stream == Stream::Error {
            lines.complain(bytes);
        }
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            lines.of(stream).add(piece);
            if pieces.peek().is_some() {
                lines.line(stream);
            }
        }
    }
}

impl Lines {
    fn of(&mut self, stream: Stream) -> &mut Line {
        match stream {
            Stream::Output => &mut self.output,
            Stream::Error => &mut self.error,
        }
    }

    /// Ends a line, and shows it unless it is empty.
    fn line(&mut self, stream: Stream) {
        let line = std::mem::take(&mut self.of(stream).0);
        let line = line.trim_ascii_end();
        let Some(pipeline) = self.pipeline.as_ref().filter(|_| !line.is_empty()) else {
            return;
        };
        let name = match stream {
            Stream::Output => "stdout",
            Stream::Error => "stderr",
        };
        pipeline.print(name, &String::from_utf8_lossy(line));
    }

    /// Keeps the end of standard error.
    fn complain(&mut self, bytes: &[u8]) {
        let kept = bytes.len().saturating_sub(COMPLAINT_BYTES);
        self.complaint
            .extend_from_slice(bytes.get(kept..).unwrap_or_default());
        let over = self.complaint.len().saturating_sub(COMPLAINT_BYTES);
        self.complaint.drain(..over);
    }
}

impl Line {
    /// Adds a piece, as far as there is room.
    fn add(&mut self, piece: &[u8]) {
        let room = LINE_BYTES.saturating_sub(self.0.len()).min(piece.len());
        self.0.extend_from_slice(piece.get(..room).unwrap_or_default());
    }
}

/// A handle of one of the streams.
struct Writer {
    printed: Printed,
    stream: Stream,
}

impl IsTerminal for Writer {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Writer {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.again())
    }

    fn p2_stream(&self) -> DynOutputStream {
        Box::new(self.again())
    }
}

impl Writer {
    fn again(&self) -> Self {
        Self {
            printed: self.printed.clone(),
            stream: self.stream,
        }
    }
}

#[async_trait::async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {}
}

impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > PERMIT {
            return Err(StreamError::trap("write exceeded budget"));
        }
        self.printed.write(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

impl AsyncWrite for Writer {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.printed.write(self.stream, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(pieces: &[&str]) -> String {
        let printed = Printed::default();
        for piece in pieces {
            printed.write(Stream::Error, piece.as_bytes());
        }
        printed.end()
    }

    #[test]
    fn the_end_of_standard_error_is_kept_for_one_call() {
        assert_eq!(
            complaint(&["Trace", "back\nTypeError: x\n"]),
            "Traceback\nTypeError: x\n"
        );
        let long = "x".repeat(COMPLAINT_BYTES);
        assert_eq!(complaint(&["first", &long, "last"]).len(), COMPLAINT_BYTES);
        assert!(complaint(&["first", &long, "last"]).ends_with("xlast"));
        let printed = Printed::default();
        printed.write(Stream::Output, b"no complaint\n");
        assert_eq!(printed.end(), "");
        printed.write(Stream::Error, b"of the call before");
        printed.begin(None);
        assert_eq!(printed.end(), "");
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_than_its_bound() {
        let printed = Printed::default();
        for _ in 0..100 {
            printed.write(Stream::Output, &[b'x'; PERMIT]);
        }
        assert_eq!(printed.lock().output.0.len(), LINE_BYTES);
    }
}
