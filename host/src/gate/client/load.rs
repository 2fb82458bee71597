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

/// A connection that does not become free for so long is counted wrongly, or lost: then there is one too many.
const PATIENCE: Duration = Duration::from_millis(100);

/// For so long no connection is kept to an origin that sent what nobody had asked for, or closed what it was expected to keep. It costs a handshake for each request, so that it
/// has to end: some servers say `408` on an idle connection before they close it.
const DISTRUST: Duration = Duration::from_mins(1);

/// Read at once where the other side's end is looked for.
const PIECE_BYTES: usize = 64;

/// The requests to one origin under way, and the connections that there are to it.
#[derive(Debug, Default)]
pub(super) struct Load {
    asking: AtomicUsize,
    open: AtomicUsize,
    fewer: Notify,
    /// The connections of the whole engine.
    all_open: Arc<AtomicUsize>,
    /// Whether it was distrusted, ever.
    was_distrusted: AtomicBool,
    /// When it was the last time.
    distrusted: Mutex<Option<Instant>>,
    /// Whether it keeps connections.
    pub(super) keeping: Keeping,
}

impl Load {
    /// One whose connections are counted with all others.
    pub(super) fn of(all_open: &Arc<AtomicUsize>, keeping: Keeping) -> Self {
        Self {
            all_open: Arc::clone(all_open),
            keeping,
            ..Self::default()
        }
    }

    /// How many connections there are.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether its connections may be used again.
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

    /// On which connection the next request goes.
    pub(super) fn choose(&self) -> Choice {
        if self.is_trusted() {
            self.keeping.choose()
        } else {
            Choice::New
        }
    }
}

/// A request under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct RequestPermit(Arc<Load>);

impl RequestPermit {
    pub(super) fn new(load: Arc<Load>) -> Self {
        load.asking.fetch_add(1, Ordering::Relaxed);
        Self(load)
    }

    /// What it is counted with.
    pub(super) fn load(&self) -> Arc<Load> {
        Arc::clone(&self.0)
    }

    /// The place for a connection that is begun for this request.
    pub(super) fn place(&self) -> Place {
        Place(Arc::clone(&self.0))
    }
}

impl Drop for RequestPermit {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A place that a connection is to have.
#[derive(Debug)]
pub(super) struct Place(Arc<Load>);

impl Place {
    /// Wait for it. Nothing, where the request got another connection meanwhile: `is_wanted` is asked whenever the waiting
    /// is polled.
    pub(super) async fn take(self, is_wanted: impl Fn() -> bool) -> Option<Open> {
        let Self(load) = self;
        loop {
            let fewer = load.fewer.notified();
            let asking = load.asking.load(Ordering::Relaxed);
            // Where none is kept, none becomes free.
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

/// A connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Open(Arc<Load>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.all_open.fetch_sub(1, Ordering::Relaxed);
        self.0.fewer.notify_waiters();
    }
}

/// A stream that is counted, and says when there was something on it that nobody had asked for, and when it was closed without a word.
#[derive(Debug)]
pub(crate) struct Counted<S> {
    stream: S,
    /// Absent for a second connection of a request.
    _open: Option<Open>,
    /// Absent for a connection that is no request's.
    load: Option<Arc<Load>>,
    /// Whether what happened last was that something was read.
    has_read: bool,
    /// Whether hyper is done with it.
    is_shut: bool,
    /// Present for the one that is tried.
    tried: Option<Arc<Load>>,
    /// Since when there was nothing on it, neither way; absent before the first answer, and while one is waited for.
    quiet: Option<Instant>,
    /// Whether the last piece that was read was full, so that there is rather more of an answer than its end.
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

    /// Something came.
    fn note_read(&mut self) {
        self.quiet = Some(Instant::now());
        if let Some(load) = &self.tried {
            load.keeping.answered();
        }
    }

    /// The other side ended it. Hyper would have ended it first where the answer had said so.
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
    /// Hyper shuts a connection down when it is done with it: at its end, after an error, when nobody needs it any more. One on which it
    /// finds bytes between two requests it drops, right after it has read them.
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
        // How much came is not to be seen of a buffer that was handed on. It is known where the end may come between two requests: a
        // little is read first then, and all that there is by the next call.
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

        // The first is over, its connection free: what is asked for next gets that one.
        drop(first);
        let third = RequestPermit::new(Arc::clone(&load));
        let is_wanted = AtomicBool::new(true);
        let mut waiting = Box::pin(third.place().take(|| is_wanted.load(Ordering::Relaxed)));
        assert!((&mut waiting).now_or_never().is_none());
        is_wanted.store(false, Ordering::Relaxed);
        assert!(waiting.await.is_none());

        // A connection that is lost makes room.
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
