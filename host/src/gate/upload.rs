//! Bodies that have files in them: they are read while they are sent.

use std::error::Error as StdError;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;
use wasmtime_wasi_http::{Error as HttpError, WasiBody};

use crate::gate::file::{FileReader, InputFile};
use crate::gate::sha256::hex;

/// How much of a file is read at once.
const PIECE_BYTES: usize = 256 * 1024;

/// Up to this size a body is kept in a recording as it is; of a larger one, its digest.
pub(crate) const RECORDED_BYTES: u64 = 1024 * 1024;

/// A piece of a request's body.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    Bytes(Bytes),
    File {
        file: InputFile,
        /// Bytes before it.
        offset: u64,
        /// Bytes; `None`: to the file's end.
        length: Option<u64>,
    },
    /// The node is still writing it.
    Written(Arc<Written>),
}

/// A body that is sent while the node writes it, and so only once.
#[derive(Debug)]
pub(crate) struct Written {
    /// What was written before its request began.
    first: Bytes,
    rest: Rest,
    has_begun: AtomicBool,
    /// Bytes, where the node announced them.
    size: Option<u64>,
}

/// What the node is still writing; `None` once its request is over. Who sends it may hold on to a connection that stands still.
type Rest = Arc<Mutex<Option<WasiBody>>>;

/// Ends the body that a node is writing, however far it was sent.
pub(crate) struct EndOfRequest(Rest);

impl Drop for EndOfRequest {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Piece {
    pub(crate) fn whole(file: &InputFile) -> Self {
        Self::File {
            file: file.clone(),
            offset: 0,
            length: None,
        }
    }

    /// Bytes, where known.
    fn size(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => u64::try_from(bytes.len()).ok(),
            Self::File {
                length: Some(length), ..
            } => Some(*length),
            Self::File { file, offset, .. } => Some(file.size?.saturating_sub(*offset)),
            Self::Written(written) => written.size,
        }
    }
}

/// A body of several pieces.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pieces: Arc<[Piece]>,
    /// The most bytes of a file.
    limit: u64,
    /// SHA-256 in lower-case hexadecimal, and size; once they were needed.
    digest: OnceLock<(String, u64)>,
    progress: Arc<Progress>,
}

/// How far a body is, seen from outside.
#[derive(Debug)]
pub(crate) struct Progress {
    since: Instant,
    /// When the last bytes were taken, in milliseconds from `since`.
    taken: AtomicU64,
    /// Why a file could not be read.
    trouble: Mutex<Option<Trouble>>,
}

/// Why a file could not be sent.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    File(String),
    TooLarge(String),
}

impl Progress {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            since: Instant::now(),
            taken: AtomicU64::new(0),
            trouble: Mutex::default(),
        })
    }

    fn note(&self) {
        let taken = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.taken.store(taken, Ordering::Relaxed);
    }

    /// When bytes were taken last.
    pub(crate) fn last(&self) -> Instant {
        self.since + Duration::from_millis(self.taken.load(Ordering::Relaxed))
    }

    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn fails(&self, trouble: Trouble) -> io::Error {
        let words = match &trouble {
            Trouble::File(words) | Trouble::TooLarge(words) => words.clone(),
        };
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble);
        io::Error::other(words)
    }
}

impl Upload {
    pub(crate) fn new(pieces: Vec<Piece>, limit: u64) -> Self {
        Self {
            pieces: pieces.into(),
            limit,
            digest: OnceLock::new(),
            progress: Progress::new(),
        }
    }

    /// A body that the node is still writing. `first` is what is there of it.
    pub(crate) fn written(first: Bytes, rest: WasiBody, size: Option<u64>, limit: u64) -> Self {
        let written = Written {
            first,
            rest: Arc::new(Mutex::new(Some(rest))),
            has_begun: AtomicBool::new(false),
            size,
        };
        Self::new(vec![Piece::Written(Arc::new(written))], limit)
    }

    /// Ends what the node is still writing of it when it is dropped.
    pub(crate) fn end_of_request(&self) -> Option<EndOfRequest> {
        match &self.pieces[..] {
            [Piece::Written(written)] => Some(EndOfRequest(Arc::clone(&written.rest))),
            _ => None,
        }
    }

    /// Bytes, where known of each piece.
    pub(crate) fn size(&self) -> Option<u64> {
        self.pieces
            .iter()
            .try_fold(0_u64, |sum, piece| sum.checked_add(piece.size()?))
    }

    pub(crate) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// What is in memory of it.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Bytes(bytes) => Some(&bytes[..]),
            Piece::File { .. } => None,
            Piece::Written(written) => Some(&written.first[..]),
        })
    }

    /// SHA-256 in lower-case hexadecimal, and size: all files are read for it.
    pub(crate) async fn digest(&self) -> Result<&(String, u64), Trouble> {
        if let Some(digest) = self.digest.get() {
            return Ok(digest);
        }
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        let mut size = 0_u64;
        let mut bytes = self.stream();
        while let Some(piece) = bytes.next().await {
            let piece = piece.map_err(|error| self.told(&error))?;
            size += u64::try_from(piece.len()).unwrap_or_default();
            context.update(&piece);
        }
        Ok(self.digest.get_or_init(|| (hex(context.finish().as_ref()), size)))
    }

    /// All of it, if it is no larger than what a recording keeps.
    pub(crate) async fn collect(&self) -> Result<Option<Bytes>, Trouble> {
        if self.size().is_some_and(|size| size > RECORDED_BYTES) {
            return Ok(None);
        }
        let mut all = BytesMut::new();
        let mut bytes = self.stream();
        while let Some(piece) = bytes.next().await {
            all.extend_from_slice(&piece.map_err(|error| self.told(&error))?);
            if u64::try_from(all.len()).is_ok_and(|size| size > RECORDED_BYTES) {
                return Ok(None);
            }
        }
        Ok(Some(all.freeze()))
    }

    /// Writes all of it to a file.
    pub(crate) async fn save(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        let mut file = tokio::fs::File::create(path).await?;
        let mut bytes = self.stream();
        while let Some(piece) = bytes.next().await {
            file.write_all(&piece?).await?;
        }
        file.flush().await
    }

    pub(crate) fn known_digest(&self) -> Option<&(String, u64)> {
        self.digest.get()
    }

    fn told(&self, error: &io::Error) -> Trouble {
        let told = self.progress.trouble();
        told.unwrap_or_else(|| Trouble::File(error.to_string()))
    }

    /// All of it, as it is read.
    pub(crate) fn stream(&self) -> BoxStream<'static, io::Result<Bytes>> {
        let (pieces, limit, progress) = (Arc::clone(&self.pieces), self.limit, Arc::clone(&self.progress));
        let pieces = stream::iter((0..pieces.len()).filter_map(move |index| pieces.get(index).cloned()));
        pieces
            .map(move |piece| match piece {
                Piece::Bytes(bytes) => stream::once(async { Ok(bytes) }).boxed(),
                Piece::File { file, offset, length } => stream::try_unfold(
                    Reading::new(file, offset, length, limit, &progress),
                    Reading::next,
                )
                .boxed(),
                Piece::Written(written) => written.stream(limit, Arc::clone(&progress)),
            })
            .flatten()
            .boxed()
    }

    pub(crate) fn body(&self) -> OutgoingBody {
        OutgoingBody::Upload {
            bytes: self.stream(),
            left: self.size(),
            progress: self.progress(),
        }
    }
}

impl Written {
    fn stream(&self, limit: u64, progress: Arc<Progress>) -> BoxStream<'static, io::Result<Bytes>> {
        let rest = Arc::clone(&self.rest);
        let was_begun = self.has_begun.swap(true, Ordering::Relaxed);
        let rest = stream::poll_fn(move |context| {
            let mut rest = rest.lock().unwrap_or_else(PoisonError::into_inner);
            match rest.as_mut().filter(|_| !was_begun) {
                Some(body) => Pin::new(body)
                    .poll_frame(context)
                    .map_ok(|frame| frame.into_data().unwrap_or_default()),
                None => Poll::Ready(Some(Err(HttpError::ConnectionTerminated))),
            }
        });
        let mut left = limit;
        stream::once(std::future::ready(Ok(self.first.clone())))
            .chain(rest)
            .map(move |bytes| {
                let unfinished = "the node did not finish the request's body";
                let bytes = bytes.map_err(|_| progress.fails(Trouble::File(unfinished.to_owned())))?;
                let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                left = left.checked_sub(size).ok_or_else(|| {
                    let words = format!("a request body of more than {limit} bytes (`file-bytes`)");
                    progress.fails(Trouble::TooLarge(words))
                })?;
                Ok(bytes)
            })
            .boxed()
    }
}

/// A file that is being read.
struct Reading {
    file: InputFile,
    reader: Option<FileReader>,
    offset: u64,
    /// Bytes that are still to be read; `None`: to the file's end.
    left: Option<u64>,
    /// Whether the file has to end there.
    is_to_end: bool,
    /// How many more bytes may be read.
    allowed: u64,
    limit: u64,
    buffer: BytesMut,
    progress: Arc<Progress>,
}

impl Reading {
    fn new(file: InputFile, offset: u64, length: Option<u64>, limit: u64, progress: &Arc<Progress>) -> Self {
        let to_end = file.size.map(|size| size.saturating_sub(offset));
        Self {
            reader: None,
            offset,
            left: length.or(to_end),
            is_to_end: length.is_none(),
            allowed: limit,
            limit,
            buffer: BytesMut::new(),
            progress: Arc::clone(progress),
            file,
        }
    }

    fn fails(&self, what: &str) -> io::Error {
        let words = format!("the file `{}`: {what}", self.file.key);
        self.progress.fails(Trouble::File(words))
    }

    fn too_large(&self) -> io::Error {
        let Self { file, limit, .. } = self;
        let words = format!(
            "the file `{}` has more than {limit} bytes (`file-bytes`)",
            file.key
        );
        self.progress.fails(Trouble::TooLarge(words))
    }

    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if self.file.size.is_some_and(|size| size > self.limit) {
            return Err(self.too_large());
        }
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => match self.file.source.open(self.offset).await {
                Ok(reader) => none.insert(reader),
                Err(error) => return Err(self.fails(&error.to_string())),
            },
        };
        let most = self.left.map_or(PIECE_BYTES, |left| {
            usize::try_from(left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES))
        });
        if most == 0 {
            // One that said that it is empty was not asked yet.
            if self.is_to_end && reader.read_u8().await.is_ok() {
                return Err(self.fails("it is longer than it said"));
            }
            return Ok(None);
        }
        self.buffer.reserve(most);
        let mut piece = self.buffer.split_off(0);
        let read = (&mut *reader)
            .take(u64::try_from(most).unwrap_or(u64::MAX))
            .read_buf(&mut piece)
            .await;
        let read = match read {
            Ok(read) => u64::try_from(read).unwrap_or(u64::MAX),
            Err(error) => return Err(self.fails(&error.to_string())),
        };
        if read == 0 {
            return match self.left {
                Some(_) => Err(self.fails("it is shorter than it said")),
                None => Ok(None),
            };
        }
        let Some(allowed) = self.allowed.checked_sub(read) else {
            return Err(self.too_large());
        };
        self.allowed = allowed;
        self.left = self.left.map(|left| left.saturating_sub(read));
        // Asked before the last bytes leave: nobody reads a body further than its length.
        if self.left == Some(0) && self.is_to_end && reader.read_u8().await.is_ok() {
            return Err(self.fails("it is longer than it said"));
        }
        Ok(Some((piece.freeze(), self)))
    }
}

/// The body of a request on its way.
pub(crate) enum OutgoingBody {
    Whole(Full<Bytes>),
    Upload {
        bytes: BoxStream<'static, io::Result<Bytes>>,
        /// Bytes that are still to come, where known.
        left: Option<u64>,
        progress: Arc<Progress>,
    },
}

impl OutgoingBody {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = Box<dyn StdError + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole).poll_frame(context).map_err(Into::into),
            Self::Upload {
                bytes,
                left,
                progress,
            } => {
                let piece = ready!(bytes.try_poll_next_unpin(context)?);
                progress.note();
                if let (Some(left), Some(piece)) = (left, &piece) {
                    *left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                }
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Upload { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Upload { left, .. } => left.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
