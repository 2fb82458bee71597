//! Files that clients give for items, and files that come out of them, by IDs. Each is kept in a file without a name, which
//! nobody else can open and which is gone with the process.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Path as Named, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, http::StatusCode};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use nodule::file::{FileReader, FileSource, FileStore, NewFile};
use serde::Serialize;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use utoipa::ToSchema;

use super::Server;
use super::problem::Answered;
use super::token::unguessable;
use super::wire::ProblemBody;
use crate::folder::{PIECE_BYTES, while_read};

/// How many files may be kept. Each is an open file of the process.
const MOST_FILES: usize = 256;
/// A file that nobody has asked for this long is let go, once there is no room for another.
const KEPT: Duration = Duration::from_mins(10);

/// The files that are kept.
#[derive(Debug, Clone)]
pub struct Files {
    folder: Arc<PathBuf>,
    kept: Arc<Mutex<HashMap<String, Kept>>>,
}

#[derive(Debug)]
struct Kept {
    file: Arc<File>,
    size: u64,
    used: Instant,
}

/// A file that is kept, opened for each reader.
#[derive(Debug)]
pub struct Source {
    file: Arc<File>,
    size: u64,
}

impl Source {
    pub fn size(&self) -> u64 {
        self.size
    }
}

#[async_trait::async_trait]
impl FileSource for Source {
    async fn open(&self, offset: u64) -> io::Result<FileReader> {
        let file = Arc::clone(&self.file);
        let left = self.size.saturating_sub(offset);
        // Readers share the file, and with it its position: each reads at places of its own.
        let (pieces, received) = mpsc::channel::<io::Result<Bytes>>(1);
        tokio::task::spawn_blocking(move || read(&file, offset, left, &pieces));
        let pieces = stream::unfold(received, async |mut received| {
            Some((received.recv().await?, received))
        });
        Ok(Box::pin(tokio_util::io::StreamReader::new(Box::pin(pieces))))
    }
}

/// Reads pieces until the end, or until nobody takes them.
fn read(file: &File, mut offset: u64, mut left: u64, pieces: &mpsc::Sender<io::Result<Bytes>>) {
    while left > 0 {
        let mut piece = vec![0; usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES)];
        let read = match read_at(file, &mut piece, offset) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) => return drop(pieces.blocking_send(Err(error))),
        };
        piece.truncate(read);
        let read = u64::try_from(read).unwrap_or(left);
        offset += read;
        left = left.saturating_sub(read);
        if pieces.blocking_send(Ok(piece.into())).is_err() {
            return;
        }
    }
}

#[cfg(unix)]
fn read_at(file: &File, piece: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, piece, offset)
}

#[cfg(windows)]
fn read_at(file: &File, piece: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, piece, offset)
}

/// What is known of a file that a client gave.
#[derive(Serialize, ToSchema)]
pub struct FileKept {
    /// For items (`{"$files":{"data":{"id":"…"}}}`) and for `/v1/files/{id}`.
    pub id: String,
    /// Bytes.
    pub size: u64,
}

impl Files {
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: Arc::new(folder.to_owned()),
            kept: Arc::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn source(&self, id: &str) -> Option<Source> {
        let mut kept = self.kept();
        let kept = kept.get_mut(id)?;
        kept.used = Instant::now();
        Some(Source {
            file: Arc::clone(&kept.file),
            size: kept.size,
        })
    }

    fn forget(&self, id: &str) -> bool {
        self.kept().remove(id).is_some()
    }

    /// Keeps what arrives, under a new ID.
    async fn take(&self, content: FileReader, limit: u64) -> io::Result<FileKept> {
        let folder = Arc::clone(&self.folder);
        let (file, size) = while_read(content, move |pieces| {
            let mut file = tempfile::tempfile_in(&*folder)?;
            let mut size = 0_u64;
            while let Some(piece) = pieces.blocking_recv() {
                file.write_all(&piece)?;
                size += u64::try_from(piece.len()).unwrap_or_default();
                if size > limit {
                    return Err(io::Error::from(io::ErrorKind::FileTooLarge));
                }
            }
            Ok((file, size))
        })
        .await?;
        let id = unguessable::<16>().map_err(|_| io::Error::other("the system has no random numbers"))?;
        let mut kept = self.kept();
        if kept.len() >= MOST_FILES {
            let old = kept.iter().filter(|(_, kept)| kept.used.elapsed() > KEPT);
            let oldest = old
                .max_by_key(|(_, kept)| kept.used.elapsed())
                .map(|(id, _)| id.clone());
            if oldest.and_then(|oldest| kept.remove(&oldest)).is_none() {
                return Err(io::Error::other(format!(
                    "{MOST_FILES} files are kept, and there may be no more"
                )));
            }
        }
        kept.insert(
            id.clone(),
            Kept {
                file: Arc::new(file),
                size,
                used: Instant::now(),
            },
        );
        Ok(FileKept { id, size })
    }
}

#[async_trait::async_trait]
impl FileStore for Files {
    async fn keep(&self, _: NewFile<'_>, content: FileReader) -> io::Result<String> {
        // The library counts its bytes.
        Ok(self.take(content, u64::MAX).await?.id)
    }

    async fn discard(&self, id: String) {
        self.forget(&id);
    }
}

fn unknown(id: &str) -> Answered {
    let shown = nodule::text::shown(id, 100);
    Answered::not_found(format!("no file `{shown}` is kept")).hint("give it by POST /v1/files")
}

/// Give a file for items. It is kept until it is deleted; when there is no room for another one, the oldest that was not used
/// for ten minutes is.
#[utoipa::path(
    post, path = "/v1/files", tag = "files",
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "Its bytes, of any length."),
    responses((status = 201, body = FileKept), (status = "4XX", body = ProblemBody, description = "It is not kept.")),
)]
pub async fn give(
    State(server): State<Arc<Server>>,
    body: Body,
) -> Result<(StatusCode, Json<FileKept>), Answered> {
    let pieces = body
        .into_data_stream()
        .map(|piece| piece.map_err(io::Error::other));
    let reader = tokio_util::io::StreamReader::new(Box::pin(pieces));
    let limit = nodule::limits::Limits::default().file_bytes;
    let kept = server.files.take(Box::pin(reader), limit).await;
    let kept = kept.map_err(|error| Answered::request(format!("the file is not kept: {error}")))?;
    Ok((StatusCode::CREATED, Json(kept)))
}

/// A file that came out of an item, or that was given.
#[utoipa::path(
    get, path = "/v1/files/{id}", tag = "files", params(("id" = String, Path)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = ProblemBody, description = "It is not kept."),
    ),
)]
pub async fn fetch(
    State(server): State<Arc<Server>>,
    Named(id): Named<String>,
) -> Result<Response, Answered> {
    let source = server.files.source(&id).ok_or_else(|| unknown(&id))?;
    let reader = source.open(0).await;
    let reader = reader.map_err(|error| Answered::request(format!("the file cannot be read: {error}")))?;
    let pieces = stream::unfold(Some(reader), async |reader| {
        let mut reader = reader?;
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        match reader.read_buf(&mut piece).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(Bytes::from(piece)), Some(reader))),
            Err(error) => Some((Err(error), None)),
        }
    });
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, source.size().to_string()),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Let a file go.
#[utoipa::path(
    delete, path = "/v1/files/{id}", tag = "files", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, description = "It is not kept.")),
)]
pub async fn forget(
    State(server): State<Arc<Server>>,
    Named(id): Named<String>,
) -> Result<StatusCode, Answered> {
    if server.files.forget(&id) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(unknown(&id))
    }
}
