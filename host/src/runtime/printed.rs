//! Standard output and standard error of an instance, its log and its panics: lines, which become events of the call that
//! prints them.
//!
//! Writing never waits and never fails. What a call may print is bounded by its [pipeline](crate::gate::pipeline), which
//! also removes secrets; here a line is put together from pieces, up to a bound. Why a call gives up is kept until it ends: its
//! last panic, or else the end of what it prints to standard error, where a language runtime writes it.

use std::borrow::Cow;
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
const COMPLAINT_BYTES: usize = 8 * 1024;
/// The characters of why a call gave up that become part of its failure. More is kept, so that a secret that is cut off is not
/// shown in part.
const REASON_CHARS: usize = 4_000;

/// Where a line comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Output,
    Error,
    /// What a node [tells](super::http::telling) its operator.
    Log,
    /// Why and where it panics, told before it traps.
    Panic,
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
    panic: Vec<u8>,
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

    /// Shows the lines that have no end. Returns why the node gave up, as far as it said so: on one line, without secrets, or
    /// nothing if it may not be shown.
    pub(super) fn end(&self) -> String {
        let mut lines = self.lock();
        lines.line(Stream::Output);
        lines.line(Stream::Error);
        let complaint = std::mem::take(&mut lines.complaint);
        let panic = std::mem::take(&mut lines.panic);
        let panicked = !panic.is_empty();
        let words = if panicked { panic } else { complaint };
        // As after nearly every call: then there is nothing to search for secrets.
        if words.is_empty() {
            return String::new();
        }
        let words = String::from_utf8_lossy(&words);
        let words = match &lines.pipeline {
            Some(pipeline) if !pipeline.may_print() => return String::new(),
            Some(pipeline) => pipeline.without_secrets(&words),
            None => Cow::Borrowed(&*words),
        };
        let (cut, said): (fn(&str, usize) -> &str, _) = if panicked {
            (first, "it panicked at ")
        } else {
            (last, "it printed: ")
        };
        // Before anything is trimmed: what follows could be a part of a secret.
        let lines = cut(&words, REASON_CHARS).lines().map(str::trim);
        let words = lines
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join(" / ");
        if words.is_empty() {
            return words;
        }
        [said, cut(&words, REASON_CHARS)].concat()
    }

    /// Shows a text as lines of its own, apart from those that the instance writes.
    pub(super) fn tell(&self, stream: Stream, text: &[u8]) {
        let mut lines = self.lock();
        if stream == Stream::Panic {
            lines.panic = beginning(text).to_vec();
        }
        for line in text.split(|byte| *byte == b'\n') {
            lines.show(stream, beginning(line));
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
            if let Some(line) = lines.of(stream) {
                line.add(piece);
            }
            if pieces.peek().is_some() {
                lines.line(stream);
            }
        }
    }
}

impl Lines {
    /// The line of a stream that is written in pieces.
    fn of(&mut self, stream: Stream) -> Option<&mut Line> {
        match stream {
            Stream::Output => Some(&mut self.output),
            Stream::Error => Some(&mut self.error),
            Stream::Log | Stream::Panic => None,
        }
    }

    /// Ends a line, and shows it.
    fn line(&mut self, stream: Stream) {
        if let Some(line) = self.of(stream) {
            let line = std::mem::take(&mut line.0);
            self.show(stream, &line);
        }
    }

    /// Shows a line unless it is empty.
    fn show(&self, stream: Stream, line: &[u8]) {
        let line = line.trim_ascii_end();
        let Some(pipeline) = self.pipeline.as_ref().filter(|_| !line.is_empty()) else {
            return;
        };
        let name = match stream {
            Stream::Output => "stdout",
            Stream::Error => "stderr",
            Stream::Log => "log",
            Stream::Panic => "panic",
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

/// So many characters of its beginning.
fn first(text: &str, most: usize) -> &str {
    let end = text.char_indices().nth(most).map(|(end, _)| end);
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// So many characters of its end.
fn last(text: &str, most: usize) -> &str {
    let start = text.char_indices().nth_back(most.saturating_sub(1));
    start.and_then(|(start, _)| text.get(start..)).unwrap_or(text)
}

/// What is kept of a text.
fn beginning(text: &[u8]) -> &[u8] {
    text.get(..LINE_BYTES).unwrap_or(text)
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
            complaint(&["Trace", "back\n\n  TypeError: x\n"]),
            "it printed: Traceback / TypeError: x"
        );
        let long = "x".repeat(COMPLAINT_BYTES);
        let words = complaint(&["first\n", &long, "last"]);
        assert_eq!(words.len(), "it printed: ".len() + REASON_CHARS);
        assert!(words.ends_with("xlast"), "{words}");
        let printed = Printed::default();
        printed.write(Stream::Output, b"no complaint\n");
        assert_eq!(printed.end(), "");
        printed.write(Stream::Error, b"of the call before");
        printed.tell(Stream::Panic, b"of the call before");
        printed.begin(None);
        assert_eq!(printed.end(), "");
    }

    #[test]
    fn a_panic_says_more_than_standard_error() {
        let printed = Printed::default();
        printed.write(Stream::Error, b"a warning\n");
        printed.tell(Stream::Panic, b"src/lib.rs:7: assertion failed\n left: 1\n");
        printed.tell(Stream::Log, b"and then");
        assert_eq!(
            printed.end(),
            "it panicked at src/lib.rs:7: assertion failed / left: 1"
        );
        printed.tell(Stream::Panic, &vec![b'x'; 1 << 20]);
        assert_eq!(printed.lock().panic.len(), LINE_BYTES);
        assert_eq!(
            printed.end().chars().count(),
            "it panicked at ".len() + REASON_CHARS
        );
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_than_its_bound() {
        let printed = Printed::default();
        for _ in 0..100 {
            printed.write(Stream::Output, &vec![b'x'; PERMIT]);
        }
        assert_eq!(printed.lock().output.0.len(), LINE_BYTES);
    }
}
