//! Bodies of responses that are not read: they become files.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use nodule_core::limits::Limits;
use nodule_core::recording::RecordedFile;
use nodule_core::redact::answers::Answers;
use ring::digest::{Context, SHA256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::error_name::cause;
use super::held::{BufferReservation, too_large, too_much};
use crate::gate::access::Access;
use crate::gate::client::RequestPermit;
use crate::gate::sha256::hex;

/// A body that is not read yet. Dropping it closes its connection.
#[derive(Debug)]
pub(crate) struct KeptBody {
    content: Content,
    /// Looked for if the node reads the body after all.
    pub(super) secrets: Secrets,
}

/// What finds the secrets in a response: those of the credential, and what its signature added.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    pub(super) access: Option<Arc<Access>>,
    pub(super) additions: Option<Arc<Answers>>,
}

impl Secrets {
    pub(super) fn is_empty(&self) -> bool {
        self.access.is_none() && self.additions.is_none()
    }

    pub(super) fn answers(&self) -> impl Iterator<Item = &Answers> {
        let access = self.access.as_deref().map(Access::answers);
        access.into_iter().chain(self.additions.as_deref())
    }
}

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    /// In a file of a recording.
    Recorded {
        file: tokio::fs::File,
        size: u64,
    },
    Arriving {
        body: Incoming,
        between_bytes: Duration,
        /// The request is in flight until its last byte.
        _place: Place,
    },
}

/// Where a recording has a file.
pub(super) enum Recorded {
    Inside(Bytes),
    Beside(RecordedFile),
}

/// How much of a recorded file is read at once.
const PIECE_BYTES: usize = 256 * 1024;

/// What a request in flight holds.
#[derive(Debug)]
pub(super) struct Place {
    slots: Arc<Semaphore>,
    _asking: RequestPermit,
}

impl Place {
    pub(super) fn new(slots: &Arc<Semaphore>, slot: SemaphorePermit<'_>, asking: RequestPermit) -> Self {
        slot.forget();
        Self {
            slots: Arc::clone(slots),
            _asking: asking,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.slots.add_permits(1);
    }
}

/// Why a file does not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lost {
    /// It exceeds the limit with this key.
    #[error("{1}")]
    Limit(&'static str, String),
    /// The service, the network or a deadline.
    #[error("{0}")]
    Broken(String),
}

impl KeptBody {
    pub(super) fn arriving(body: Incoming, place: Place, between_bytes: Duration) -> Self {
        Self::of(Content::Arriving {
            body,
            between_bytes,
            _place: place,
        })
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::of(Content::Whole(bytes))
    }

    fn of(content: Content) -> Self {
        Self {
            content,
            secrets: Secrets::default(),
        }
    }

    /// The body in a file beside a recording.
    pub(super) fn recorded(file: std::fs::File, size: u64) -> Self {
        Self::of(Content::Recorded {
            file: tokio::fs::File::from_std(file),
            size,
        })
    }

    /// Bytes, where known.
    pub(crate) fn size(&self) -> Option<u64> {
        match &self.content {
            Content::Recorded { size, .. } => Some(*size),
            Content::Whole(bytes) => u64::try_from(bytes.len()).ok(),
            Content::Arriving { body, .. } => body.size_hint().exact(),
        }
    }

    /// The next bytes.
    async fn next(&mut self) -> Result<Option<Bytes>, Lost> {
        let next = match &mut self.content {
            Content::Whole(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            Content::Recorded { file, .. } => {
                let mut piece = BytesMut::with_capacity(PIECE_BYTES);
                let broken = |error| Lost::Broken(format!("the recorded file cannot be read: {error}"));
                file.read_buf(&mut piece).await.map_err(broken)?;
                Some(piece.freeze()).filter(|piece| !piece.is_empty())
            }
            Content::Arriving {
                body, between_bytes, ..
            } => loop {
                let Ok(frame) = timeout(*between_bytes, body.frame()).await else {
                    let seconds = between_bytes.as_secs_f64();
                    return Err(Lost::Broken(format!(
                        "nothing more of the file within {seconds} seconds (`between-bytes-timeout-ms`)"
                    )));
                };
                match frame {
                    None => break None,
                    Some(Err(error)) => {
                        return Err(Lost::Broken(format!("the file broke off: {}", cause(&error))));
                    }
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) if !data.is_empty() => break Some(data),
                        _ => {}
                    },
                }
            },
        };
        Ok(next)
    }

    /// Reads all of it as a response, within its limits.
    pub(super) async fn read(
        &mut self,
        hold: &mut BufferReservation,
        limits: &Limits,
    ) -> Result<Bytes, Lost> {
        let mut all = BytesMut::new();
        while let Some(bytes) = self.next().await? {
            if all.len() + bytes.len() > limits.response_bytes {
                return Err(Lost::Limit("response-bytes", too_large(limits)));
            }
            if !hold.add(bytes.len()) {
                return Err(Lost::Limit("buffered-bytes", too_much(limits)));
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all.freeze())
    }

    /// Reads all of it for a recording: into memory, or if it has more bytes than `most` into a file of that folder.
    pub(super) async fn record(mut self, most: usize, folder: Option<&Path>) -> Result<Recorded, Lost> {
        let mut all = BytesMut::new();
        while let Some(bytes) = self.next().await? {
            all.extend_from_slice(&bytes);
            if all.len() > most {
                let folder = folder.ok_or(Lost::Limit("response-bytes", String::new()))?;
                return Ok(Recorded::Beside(self.save(all.freeze(), folder).await?));
            }
        }
        Ok(Recorded::Inside(all.freeze()))
    }

    /// Writes it to a file that is named by its digest.
    async fn save(mut self, first: Bytes, folder: &Path) -> Result<RecordedFile, Lost> {
        let broken =
            |error: std::io::Error| Lost::Broken(format!("the recording's file cannot be written: {error}"));
        tokio::fs::create_dir_all(folder).await.map_err(broken)?;
        let part = folder.join(format!(".{:016x}.part", rand::random::<u64>()));
        let mut file = tokio::fs::File::create_new(&part).await.map_err(broken)?;
        let written = async {
            let (mut digest, mut size) = (Context::new(&SHA256), 0_u64);
            let mut next = Some(first);
            while let Some(bytes) = next {
                digest.update(&bytes);
                size += u64::try_from(bytes.len()).unwrap_or_default();
                file.write_all(&bytes).await.map_err(broken)?;
                next = self.next().await?;
            }
            file.flush().await.map_err(broken)?;
            let sha256 = hex(digest.finish().as_ref());
            tokio::fs::rename(&part, folder.join(&sha256))
                .await
                .map_err(broken)?;
            Ok(RecordedFile { sha256, size })
        };
        let written = written.await;
        if written.is_err() {
            // What is left of it has no name that a recording would look for.
            let _ = tokio::fs::remove_file(&part).await;
        }
        written
    }

    /// Its bytes as they arrive.
    pub(crate) fn stream(self) -> impl Stream<Item = Result<Bytes, Lost>> + Send {
        stream::try_unfold(self, |mut kept| async move {
            let next = kept.next().await?;
            Ok(next.map(|bytes| (bytes, kept)))
        })
    }
}
