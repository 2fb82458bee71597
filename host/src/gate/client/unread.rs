//! Refuses to write a request to a connection that has unread bytes, unless they arrived within the last 20 µs
//! (`MOMENT`).
//!
//! A kept connection may have bytes that belong to no request: a second response to the last request, or data of
//! somebody else. They would be taken for the start of the next response. Hyper reads an idle connection before it
//! writes a request to it, and drops the connection if there are bytes. But Tokio learns of new bytes only when it
//! polls the system, and reports none until then. So if Tokio reports none twice in a row, as it does right before a
//! request is written, this stream asks the socket itself: one system call for each request.
//!
//! If there are bytes, the request was not written, and goes out on another connection. The bytes are read from the
//! socket, not peeked at, and go to the TLS library: a session ticket or a closing alert is not a surplus response.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::net::TcpStream;

/// How many bytes to read at once. There are hardly ever any, and one is enough to drop the connection; the next call
/// reads the rest.
const PIECE_BYTES: usize = 64;

/// How long a look at the socket remains valid. Bytes that arrive this shortly before a request might as well have
/// arrived right after it.
pub(super) const MOMENT: Duration = Duration::from_micros(20);

/// A stream that asks its socket for unread bytes.
#[derive(Debug)]
pub(crate) struct CheckedStream {
    stream: TokioIo<TcpStream>,
    /// When the last read found nothing; `None` if it found something.
    quiet: Option<Instant>,
    /// Whether requests are sent to a proxy, and so need an absolute URL.
    is_to_proxy: bool,
}

impl CheckedStream {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream: TokioIo::new(stream),
            quiet: None,
            is_to_proxy: false,
        }
    }

    /// Marks the stream as one to a proxy.
    pub(super) fn sent_to_proxy(mut self) -> Self {
        self.is_to_proxy = true;
        self
    }

    /// Reads what the system has for this socket, whether or not Tokio knows of it. `None` if there is nothing; 0 bytes
    /// at the end of the stream.
    fn unread(&self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        let socket = SockRef::from(self.stream.inner());
        match io::Read::read(&mut &*socket, buffer) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                None
            }
            read => Some(read),
        }
    }
}

impl Connection for CheckedStream {
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(self.is_to_proxy)
    }
}

impl Read for CheckedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(quiet) = self.quiet
            && self.stream.inner().poll_read_ready(context).is_pending()
        {
            if quiet.elapsed() < MOMENT {
                return Poll::Pending;
            }
            let mut piece = [0; PIECE_BYTES];
            let room = buffer.remaining().min(PIECE_BYTES);
            return match piece.get_mut(..room).and_then(|piece| self.unread(piece)) {
                None => {
                    self.quiet = Some(Instant::now());
                    Poll::Pending
                }
                Some(Ok(count)) => {
                    buffer.put_slice(piece.get(..count).unwrap_or_default());
                    Poll::Ready(Ok(()))
                }
                Some(Err(error)) => Poll::Ready(Err(error)),
            };
        }
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.quiet = read.is_pending().then(Instant::now);
        read
    }
}

impl Write for CheckedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }
}
