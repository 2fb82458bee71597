//! Files that go with items and come out of them, in folders that the user named.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use nodule::file::{
    FileBytes, FileContent, FileReader, FileRef, FileSource, FileStore, InputFile, NewFile, NewItem,
    take_files,
};
use nodule::{Failure, text};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::mpsc;

/// How much is read or written at once.
pub const PIECE_BYTES: usize = 256 * 1024;

/// An item with the files that it names, each as `found` gives it.
pub fn with_files(
    item: String,
    found: impl FnMut(FileRef) -> Result<InputFile, Failure>,
) -> Result<NewItem, Failure> {
    let (left, files) = take_files(&item).map_err(|why| Failure::InvalidInput(format!("the item: {why}")))?;
    let left = match left {
        Cow::Owned(left) => Some(left),
        Cow::Borrowed(_) => None,
    };
    Ok(NewItem {
        files: files.into_iter().map(found).collect::<Result<_, Failure>>()?,
        parameters: left.unwrap_or(item),
    })
}

/// A folder from which items may name files. Nothing outside of it is read, and no link is followed.
#[derive(Debug)]
pub struct Readable(PathBuf);

impl Readable {
    pub fn new(path: &Path) -> io::Result<Arc<Self>> {
        let path = path.canonicalize()?;
        if !path.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Arc::new(Self(path)))
    }

    /// Opens a file below the folder.
    fn open(&self, path: &str) -> io::Result<File> {
        let path = Path::new(path);
        let mut names = Vec::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => names.push(name),
                Component::CurDir => {}
                _ => {
                    return Err(io::Error::other(
                        "expected a path below --files-dir, without `..`",
                    ));
                }
            }
        }
        let file = below(&self.0, &names)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("expected a file, found something else"));
        }
        Ok(file)
    }
}

/// Opens a file step by step, so that no part of the path is a link, even if it becomes one meanwhile.
#[cfg(unix)]
fn below(folder: &Path, names: &[&std::ffi::OsStr]) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open, openat};
    let Some((last, folders)) = names.split_last() else {
        return Err(io::ErrorKind::IsADirectory.into());
    };
    let step = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    let mut at = open(
        folder,
        OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY,
        Mode::empty(),
    )?;
    for name in folders {
        at = openat(&at, *name, step, Mode::empty()).map_err(linked)?;
    }
    // Opening a pipe would wait for a writer.
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY | OFlags::NONBLOCK;
    let file = openat(&at, *last, flags, Mode::empty()).map_err(linked)?;
    Ok(file.into())
}

#[cfg(unix)]
fn linked(error: rustix::io::Errno) -> io::Error {
    match error {
        rustix::io::Errno::LOOP => io::Error::other("a link, which is not followed"),
        error => error.into(),
    }
}

#[cfg(not(unix))]
fn below(folder: &Path, names: &[&std::ffi::OsStr]) -> io::Result<File> {
    let mut path = folder.to_owned();
    for name in names {
        path.push(name);
        if path.symlink_metadata()?.is_symlink() {
            return Err(io::Error::other("a link, which is not followed"));
        }
    }
    File::open(path)
}

/// A file on a disk.
#[derive(Debug)]
enum OnDisk {
    Below(Arc<Readable>, String),
    /// Named on the command line.
    Named(PathBuf),
}

impl OnDisk {
    fn file(&self) -> io::Result<File> {
        match self {
            Self::Below(folder, path) => folder.open(path),
            Self::Named(path) => {
                let file = File::open(path)?;
                if !file.metadata()?.is_file() {
                    return Err(io::Error::other("expected a file, found something else"));
                }
                Ok(file)
            }
        }
    }
}

#[async_trait::async_trait]
impl FileSource for OnDisk {
    async fn open(&self, offset: u64) -> io::Result<FileReader> {
        let mut file = tokio::fs::File::from_std(self.file()?);
        file.set_max_buf_size(PIECE_BYTES);
        if offset > 0 {
            file.seek(io::SeekFrom::Start(offset)).await?;
        }
        Ok(Box::pin(file))
    }
}

fn on_disk(
    key: String,
    source: OnDisk,
    name: Option<String>,
    media_type: Option<String>,
) -> io::Result<InputFile> {
    let size = source.file()?.metadata()?.len();
    Ok(InputFile {
        key,
        name,
        media_type,
        size: Some(size),
        source: Arc::new(source),
    })
}

/// The file of `--file KEY=PATH`.
pub fn named(key: &str, path: &Path) -> io::Result<InputFile> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    on_disk(key.to_owned(), OnDisk::Named(path.to_owned()), name, None)
}

/// The file that an item names.
pub fn of_item(folder: Option<&Arc<Readable>>, file: FileRef) -> Result<InputFile, Failure> {
    named_by_item(folder, None, file)
}

/// The file of a recorded item: in the recording, or beside it in this folder.
pub fn of_recording(files: Option<&Path>, file: FileRef) -> Result<InputFile, Failure> {
    named_by_item(None, files, file)
}

fn named_by_item(
    folder: Option<&Arc<Readable>>,
    recorded: Option<&Path>,
    file: FileRef,
) -> Result<InputFile, Failure> {
    let FileRef {
        key,
        content,
        file_name,
        media_type,
    } = file;
    let path = match content {
        FileContent::Inline(bytes) => {
            return Ok(InputFile {
                key,
                name: file_name,
                media_type,
                size: u64::try_from(bytes.len()).ok(),
                source: Arc::new(FileBytes(bytes)),
            });
        }
        FileContent::Id(_) => {
            let message = "the item: only `nodule serve` knows files by an `id`: expected a `path`";
            return Err(Failure::InvalidInput(message.to_owned()));
        }
        FileContent::Recorded(digest) => {
            let path = recorded.map(|files| files.join(&digest)).ok_or_else(|| {
                Failure::InvalidInput(format!(
                    "the item: the file {digest} is beside its recording alone"
                ))
            })?;
            let broken =
                |error| Failure::InvalidInput(format!("the file {digest} beside the recording: {error}"));
            return on_disk(key, OnDisk::Named(path), file_name, media_type).map_err(broken);
        }
        FileContent::Path(path) => path,
    };
    let at = format!("the file `{}`", text::shown(&path, SHOWN_CHARS));
    let Some(folder) = folder else {
        let message = format!("{at}: items name files only below a folder: `--files-dir DIR`");
        return Err(Failure::InvalidInput(message));
    };
    let name = file_name.or_else(|| {
        let last = Path::new(&path).file_name()?;
        Some(last.to_string_lossy().into_owned())
    });
    let source = OnDisk::Below(Arc::clone(folder), path);
    on_disk(key, source, name, media_type).map_err(|error| Failure::InvalidInput(format!("{at}: {error}")))
}

/// A path is shown up to this many characters.
const SHOWN_CHARS: usize = 200;

/// A folder to which files are written that come out of items.
#[derive(Debug)]
pub struct Writable {
    folder: PathBuf,
    /// Whether a file is on the disk before its item's result is known: a journal must not know of a file that a power cut takes.
    is_safe: bool,
}

impl Writable {
    pub fn new(folder: &Path, is_safe: bool) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            is_safe,
        })
    }

    /// The name of a file: unique in a run, and the same in each.
    fn name(file: &NewFile<'_>, again: u32) -> String {
        let NewFile { item, number, .. } = file;
        let place = if *number == 0 {
            item.to_string()
        } else {
            format!("{item}.{number}")
        };
        let again = if again == 0 {
            String::new()
        } else {
            format!(".{again}")
        };
        let name = file.name.map_or_else(|| "file".to_owned(), ToOwned::to_owned);
        format!("{place}{again}-{name}")
    }
}

#[async_trait::async_trait]
impl FileStore for Writable {
    async fn keep(&self, file: NewFile<'_>, content: FileReader) -> io::Result<String> {
        let (folder, is_safe) = (self.folder.clone(), self.is_safe);
        let part = blocking(move || {
            tempfile::Builder::new()
                .prefix(".")
                .suffix(".part")
                .tempfile_in(folder)
        })
        .await?;
        let part = while_read(content, move |pieces| {
            let mut file = part.as_file();
            while let Some(piece) = pieces.blocking_recv() {
                file.write_all(&piece)?;
            }
            Ok(part)
        })
        .await?;
        let names: Vec<PathBuf> = (0..MOST_NAMES)
            .map(|again| self.folder.join(Self::name(&file, again)))
            .collect();
        blocking(move || {
            if is_safe {
                part.as_file().sync_data()?;
            }
            let mut part = part;
            for name in names {
                // A file that is there already is not this run's to replace.
                part = match part.persist_noclobber(&name) {
                    Ok(_) => return Ok(name.to_string_lossy().into_owned()),
                    Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => error.file,
                    Err(error) => return Err(error.error),
                };
            }
            Err(io::Error::other("there are too many files of the same name"))
        })
        .await
    }

    async fn discard(&self, path: String) {
        // What cannot be removed is left over, and no result names it.
        let _ = tokio::fs::remove_file(path).await;
    }
}

/// Writes what is read, while it is read, and in large pieces: each write is another thread's work. An error of the reader
/// counts before one of the writer.
pub async fn while_read<T: Send + 'static>(
    mut content: FileReader,
    write: impl FnOnce(&mut mpsc::Receiver<Vec<u8>>) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (pieces, mut taken) = mpsc::channel::<Vec<u8>>(1);
    let writer = blocking(move || write(&mut taken));
    let reader = async move {
        loop {
            let mut piece = Vec::with_capacity(PIECE_BYTES);
            while piece.len() < PIECE_BYTES && content.read_buf(&mut piece).await? > 0 {}
            // An error of the channel means that the writer has failed, and says why.
            if piece.is_empty() || pieces.send(piece).await.is_err() {
                return Ok::<(), io::Error>(());
            }
        }
    };
    let (read, written) = tokio::join!(reader, writer);
    read.and(written)
}

/// How many files of one name may be there already.
const MOST_NAMES: u32 = 1_000;

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

/// Keeps nothing of the files: a check compares what is known of them.
#[derive(Debug)]
pub struct Nowhere;

#[async_trait::async_trait]
impl FileStore for Nowhere {
    async fn keep(&self, _: NewFile<'_>, mut content: FileReader) -> io::Result<String> {
        tokio::io::copy(&mut content, &mut tokio::io::sink()).await?;
        Ok(String::new())
    }

    async fn discard(&self, _: String) {}
}
