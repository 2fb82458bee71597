//! Tokens in a file that only its owner can read, with a lock file beside it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::store::{LockedTokens, TokenStore, TokenStoreError};
use nodule_core::oauth2::StoredTokens;
use nodule_core::own_file::{self, Refused};
use nodule_core::secret::Secret;
use nodule_core::text;

/// Tokens have some kilobytes.
const MOST_BYTES: u64 = 1024 * 1024;
/// How long another process may hold the lock: as long as a provider may take to answer.
const LOCK_WAIT: Duration = Duration::from_secs(90);
/// How often the lock is tried. The system can wait for it, but such a wait cannot be ended.
const LOCK_TRY: Duration = Duration::from_millis(25);

/// Keeps the tokens of one credential in a file, mode 0600. It is replaced as a whole, and a lock beside it lets one process at a
/// time renew them. Network file systems without locks are not for it.
#[derive(Debug, Clone)]
pub struct FileTokenStore {
    path: PathBuf,
}

impl FileTokenStore {
    /// Keeps them at this path. The file need not exist, its folder must.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    }
}

#[async_trait]
impl TokenStore for FileTokenStore {
    async fn load(&self) -> Result<Option<StoredTokens>, TokenStoreError> {
        let path = self.path.clone();
        blocking(move || load(&path)).await
    }

    async fn lock(&self) -> Result<Box<dyn LockedTokens>, TokenStoreError> {
        let (target, lock, part) = (self.path.clone(), self.beside(".lock"), self.beside(".part"));
        let file = {
            let lock = lock.clone();
            blocking(move || open_lock(&lock)).await?
        };
        let until = Instant::now() + LOCK_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(LOCK_TRY).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(wrong(&lock, &"another process has had the lock for too long"));
                }
                Err(TryLockError::Error(error)) => return Err(wrong(&lock, &error)),
            }
        }
        // Before the provider is asked: where nothing can be written, its answer would be lost.
        let part = blocking(move || Part::create(part, target)).await?;
        Ok(Box::new(LockedFile {
            store: self.clone(),
            part: Some(part),
            _lock: file,
        }))
    }
}

struct LockedFile {
    store: FileTokenStore,
    /// `None` once it has been used.
    part: Option<Part>,
    _lock: File,
}

#[async_trait]
impl LockedTokens for LockedFile {
    async fn load(&mut self) -> Result<Option<StoredTokens>, TokenStoreError> {
        self.store.load().await
    }

    async fn store(&mut self, tokens: &StoredTokens) -> Result<(), TokenStoreError> {
        let text = tokens.to_text();
        let (part, path, target) = (
            self.part.take(),
            self.store.beside(".part"),
            self.store.path.clone(),
        );
        blocking(move || {
            let part = part.map_or_else(|| Part::create(path, target), Ok)?;
            part.replace(&text)
        })
        .await
    }
}

/// A file that becomes the one with the tokens. It is removed unless it does.
struct Part {
    path: PathBuf,
    target: PathBuf,
    file: File,
    is_done: bool,
}

impl Part {
    /// Under the lock, so that one left behind is nobody's.
    fn create(path: PathBuf, target: PathBuf) -> Result<Self, TokenStoreError> {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(wrong(&path, &error)),
            _ => {}
        }
        let file = own_file::options().write(true).create_new(true).open(&path);
        let file = file.map_err(|error| wrong(&path, &error))?;
        Ok(Self {
            path,
            target,
            file,
            is_done: false,
        })
    }

    fn replace(mut self, text: &Secret) -> Result<(), TokenStoreError> {
        let written = self
            .file
            .write_all(text.expose().as_bytes())
            .and_then(|()| self.file.sync_all())
            .and_then(|()| fs::rename(&self.path, &self.target));
        written.map_err(|error| wrong(&self.target, &error))?;
        self.is_done = true;
        // The rename itself has to outlive a power failure.
        #[cfg(unix)]
        if let Some(folder) = self.target.parent() {
            let folder = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            };
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(|error| wrong(folder, &error))?;
        }
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_done {
            // What is left behind is removed by the next one.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn load(path: &Path) -> Result<Option<StoredTokens>, TokenStoreError> {
    let file = match own_file::open(path, own_file::options().read(true)) {
        Ok(file) => file,
        Err(Refused::System(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(refused) => return Err(refused_at(path, refused)),
    };
    let mut text = String::new();
    let read = file.take(MOST_BYTES).read_to_string(&mut text);
    let text = Secret::new(text);
    read.map_err(|error| wrong(path, &error))?;
    let tokens = StoredTokens::from_text(text.expose());
    tokens.map(Some).map_err(|error| wrong(path, &error))
}

fn open_lock(path: &Path) -> Result<File, TokenStoreError> {
    let mut options = own_file::options();
    options.create(true).truncate(false).write(true);
    own_file::open(path, &options).map_err(|refused| refused_at(path, refused))
}

fn refused_at(path: &Path, refused: Refused) -> TokenStoreError {
    match refused {
        Refused::NoFile(found) => wrong(path, &format_args!("expected a file, found {found}")),
        Refused::NotOwn => wrong(path, &"it belongs to another user"),
        Refused::System(error) => wrong(path, &error),
    }
}

fn wrong(path: &Path, problem: &dyn std::fmt::Display) -> TokenStoreError {
    TokenStoreError {
        message: format!("{}: {problem}", text::path(path)),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TokenStoreError> + Send + 'static,
) -> Result<T, TokenStoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| {
        Err(TokenStoreError {
            message: "reading or writing them broke off".to_owned(),
        })
    })
}
