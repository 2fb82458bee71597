//! Keeps no more connections to an origin than there are requests for it.
//!
//! A pool without a free connection opens one, and gives the request whichever is free first. The surplus connection
//! would stay: a concurrency of 16 would have up to 32. So a new connection is delayed while there are as many
//! connections as requests, since one of them is about to become free.
//!
//! No connection is kept to an origin that sent unsolicited bytes: hyper closes a connection on which it finds bytes
//! between two requests, but would take bytes that arrive a moment later for the next response. Nor is one kept to an
//! origin that closes kept connections: a request sent at that moment is lost.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::keeping::{self, Choice, Keeping};

/// If no connection becomes free for this long, the count is wrong or one was lost, so another may be opened.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long no connection is kept to an origin that sent unsolicited bytes or closed a kept connection. Meanwhile each
/// request costs a handshake, so this has to expire: some servers send `408` on an idle connection before they close
/// it.
const DISTRUST: Duration = Duration::from_mins(1);

/// How many bytes to read at once while the service may close the connection.
const PIECE_BYTES: usize = 64;

/// The requests in flight to one origin, and the connections to it.
#[derive(Debug, Default)]
pub(super) struct Load {
    asking: AtomicUsize,
    open: AtomicUsize,
    fewer: Notify,
    /// The number of connections of the whole engine.
    all_open: Arc<AtomicUsize>,
    /// Whether the origin was ever distrusted.
    was_distrusted: AtomicBool,
    /// When it was last distrusted.
    distrusted: Mutex<Option<Instant>>,
    /// Whether the service keeps connections.
    pub(super) keeping: Keeping,
}

impl Load {
    /// A load whose connections also count towards those of the engine.
    pub(super) fn of(all_open: &Arc<AtomicUsize>, keeping: Keeping) -> Self {
        Self {
            all_open: Arc::clone(all_open),
            keeping,
            ..Self::default()
        }
    }

    /// The number of open connections.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether connections to the origin may be reused.
    pub(super) fn is_trusted(&self) -> bool {
        !self.was_distrusted.load(Ordering::Relaxed)
            || self
                .distrusted
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_none_or(|last| last.elapsed() >= DISTRUST)
    }

    pub(super) fn distrust(&self) {
        *self.distrusted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.was_distrusted.store(true, Ordering::Relaxed);
        self.keeping.forget();
    }

    /// Which connection the next request uses.
    pub(super) fn choose(&self) -> Choice {
        if self.is_trusted() {
            self.keeping.choose()
        } else {
            Choice::New
        }
    }
}

/// Counts a request in flight until it is dropped.
#[derive(Debug)]
pub(crate) struct RequestPermit(Arc<Load>);

impl RequestPermit {
    pub(super) fn new(load: Arc<Load>) -> Self {
        load.asking.fetch_add(1, Ordering::Relaxed);
        Self(load)
    }

    /// The load that counts the request.
    pub(super) fn load(&self) -> Arc<Load> {
        Arc::clone(&self.0)
    }

    /// Permission to open a connection for this request, to be waited for.
    pub(super) fn place(&self) -> Place {
        Place(Arc::clone(&self.0))
    }
}

impl Drop for RequestPermit {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Permission to open a connection. [`Place::take`] waits for it.
#[derive(Debug)]
pub(super) struct Place(Arc<Load>);

impl Place {
    /// Waits until a connection may be opened. `None` if the request got another connection meanwhile: every poll asks
    /// `is_wanted`.
    pub(super) async fn take(self, is_wanted: impl Fn() -> bool) -> Option<Open> {
        let Self(load) = self;
        loop {
            let fewer = load.fewer.notified();
            let asking = load.asking.load(Ordering::Relaxed);
            // If no connection is kept, none becomes free.
            let is_now = !load.is_trusted() || !load.keeping.is_kept();
            let one_more = |open| (is_now || open < asking).then_some(open + 1);
            if load
                .open
                .try_update(Ordering::AcqRel, Ordering::Acquire, one_more)
                .is_ok()
            {
                break;
            }
            let unwanted = poll_fn(|_| {
                if is_wanted() {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            });
            tokio::select! {
                biased;
                () = unwanted => return None,
                () = fewer => {}
                () = sleep(PATIENCE) => {
                    load.open.fetch_add(1, Ordering::AcqRel);
                    break;
                }
            }
        }
        load.all_open.fetch_add(1, Ordering::Relaxed);
        Some(Open(load))
    }
}

/// Counts an open connection until it is dropped.
#[derive(Debug)]
pub(super) struct Open(Arc<Load>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.all_open.fetch_sub(1, Ordering::Relaxed);
        self.0.fewer.notify_waiters();
    }
}

/// A counted stream. It reports to its [`Load`] when the service sends unsolicited bytes or closes a kept connection.
#[derive(Debug)]
pub(crate) struct Counted<S> {
    stream: S,
    /// `None` for the second connection of one request.
    _open: Option<Open>,
    /// `None` for a connection that belongs to no request.
    load: Option<Arc<Load>>,
    /// Whether the last operation was a successful read.
    has_read: bool,
    /// Whether hyper has shut it down.
    is_shut: bool,
    /// Set for the connection that is tried.
    tried: Option<Arc<Load>>,
    /// When the last bytes arrived. `None` before the first response, and from a write to the next bytes.
    quiet: Option<Instant>,
    /// Whether the last read filled its buffer, so that more of a response is likely to follow.
    is_amid: bool,
}

impl<S> Counted<S> {
    pub(super) fn new(stream: S, open: Option<Open>, load: Option<Arc<Load>>, is_tried: bool) -> Self {
        Self {
            stream,
            _open: open,
            tried: load.clone().filter(|_| is_tried),
            load,
            has_read: false,
            is_shut: false,
            quiet: None,
            is_amid: false,
        }
    }

    /// Bytes arrived.
    fn note_read(&mut self) {
        self.quiet = Some(Instant::now());
        if let Some(load) = &self.tried {
            load.keeping.answered();
        }
    }

    /// The service closed the connection. If the response had announced this, hyper would have closed it first.
    fn note_end(&mut self) {
        let quiet = self.quiet.take();
        let is_early = quiet.is_some_and(|since| since.elapsed() < keeping::KEPT);
        if let (Some(load), true) = (&self.load, is_early) {
            load.distrust();
        }
    }

    fn note_write(&mut self) {
        self.has_read = false;
        self.quiet = None;
    }
}

impl<S> Drop for Counted<S> {
    /// Hyper shuts a connection down when it is done with it: at its end, after an error, or when it is no longer
    /// needed. If hyper finds bytes between two requests, it drops the connection right after that read, without a
    /// shutdown.
    fn drop(&mut self) {
        if let (Some(load), true, false) = (&self.load, self.has_read, self.is_shut) {
            load.distrust();
        }
    }
}

impl<S: Connection> Connection for Counted<S> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl<S: Read + Unpin> Read for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        // A buffer that was passed on does not show how many bytes arrived. So while the service may close the
        // connection, this reads a small piece into a buffer of its own, and leaves the rest to the next call.
        let room = buffer.remaining().min(PIECE_BYTES);
        let mut piece = [0; PIECE_BYTES];
        let read = match piece.get_mut(..room) {
            Some(piece @ [_, ..]) if self.quiet.is_some() && !self.is_amid => {
                let mut own = ReadBuf::new(piece);
                let read = Pin::new(&mut self.stream).poll_read(context, own.unfilled());
                match (&read, own.filled()) {
                    (Poll::Pending, _) => {}
                    (Poll::Ready(_), []) => self.note_end(),
                    (Poll::Ready(_), _) => self.note_read(),
                }
                self.is_amid = own.filled().len() == room;
                buffer.put_slice(own.filled());
                read
            }
            _ => {
                self.is_amid = false;
                let read = Pin::new(&mut self.stream).poll_read(context, buffer);
                if matches!(read, Poll::Ready(Ok(()))) {
                    self.note_read();
                }
                read
            }
        };
        self.has_read = matches!(read, Poll::Ready(Ok(())));
        read
    }
}

impl<S: Write + Unpin> Write for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.note_write();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.is_shut = true;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        self.note_write();
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_connection_waits_while_there_is_one_for_every_request() {
        let load = Arc::new(Load::default());
        let first = RequestPermit::new(Arc::clone(&load));
        let second = RequestPermit::new(Arc::clone(&load));
        let open = first.place().take(|| true).await;
        let other = second.place().take(|| true).await;
        assert!(open.is_some() && other.is_some());

        // The first request is done and its connection is free, so the next request gets that one.
        drop(first);
        let third = RequestPermit::new(Arc::clone(&load));
        let is_wanted = AtomicBool::new(true);
        let mut waiting = Box::pin(third.place().take(|| is_wanted.load(Ordering::Relaxed)));
        assert!((&mut waiting).now_or_never().is_none());
        is_wanted.store(false, Ordering::Relaxed);
        assert!(waiting.await.is_none());

        // A lost connection makes room for a new one.
        drop(open);
        assert!(matches!(
            third.place().take(|| true).now_or_never(),
            Some(Some(_))
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn distrust_ends() {
        let load = Load::default();
        assert!(load.is_trusted());
        load.distrust();
        assert!(!load.is_trusted());
        tokio::time::advance(DISTRUST).await;
        assert!(load.is_trusted());
    }

    #[tokio::test]
    async fn nothing_is_waited_for_where_no_connection_is_kept() {
        let load = Arc::new(Load::default());
        load.open.store(5, Ordering::Relaxed);
        let asking = RequestPermit::new(Arc::clone(&load));
        load.distrust();
        assert!(matches!(
            asking.place().take(|| true).now_or_never(),
            Some(Some(_))
        ));
    }

    #[tokio::test]
    async fn connections_are_counted_with_those_of_the_engine() {
        let all = Arc::new(AtomicUsize::new(7));
        let asking = RequestPermit::new(Arc::new(Load::of(&all, Keeping::default())));
        let open = asking.place().take(|| true).await;
        assert_eq!(all.load(Ordering::Relaxed), 8);
        drop(open);
        assert_eq!(all.load(Ordering::Relaxed), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let load = Arc::new(Load::default());
        load.open.store(5, Ordering::Relaxed);
        let asking = RequestPermit::new(Arc::clone(&load));
        assert!(asking.place().take(|| true).await.is_some());
    }
}
