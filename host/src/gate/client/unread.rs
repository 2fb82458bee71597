//! No request is written to a connection on which bytes wait to be read, but for what came within
//! 20 µs before (`MOMENT`).
//!
//! A connection that is kept may hold bytes that nobody asked for: a second answer to the last request, or what belongs to
//! somebody else. Taken for the beginning of an answer, they would be the answer to another request. Hyper reads an idle
//! connection before it writes the next request to it, and gives the connection up where there is anything; but Tokio
//! learns of bytes from the system only now and then, and says until then that there are none. So where it says so again, as it
//! does right before a request is written, the socket itself is asked: one system call for each request.
//!
//! The request was not written, so it goes to another connection. Below TLS the bytes are read and not only looked at: what the TLS
//! library makes of them, a ticket or the other side's farewell, is no surplus.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::net::TcpStream;

/// Read at once of what is waiting. There is hardly ever any, and one byte is too many; the rest is read by the next call.
const PIECE_BYTES: usize = 64;

/// How long an answer of the socket counts. Bytes that come so shortly before a request might as well have come right behind it.
const MOMENT: Duration = Duration::from_micros(20);

/// A stream whose socket is asked for unread bytes.
#[derive(Debug)]
pub(crate) struct CheckedStream {
    stream: TokioIo<TcpStream>,
    /// When there was nothing to read, if there was not the last time.
    quiet: Option<Instant>,
    /// Whether requests are sent to a proxy, which has to be told where they go.
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

    /// The same stream, for requests that are sent to a proxy.
    pub(super) fn sent_to_proxy(mut self) -> Self {
        self.is_to_proxy = true;
        self
    }

    /// What the system has for this socket, whether Tokio knows of it or not; nothing at the end of the stream.
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
