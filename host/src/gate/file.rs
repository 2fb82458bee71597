//! Files that go with an item, as requests read them.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::AsyncRead;

/// Reads a file from somewhere on.
pub type FileReader = Pin<Box<dyn AsyncRead + Send>>;

/// Where the bytes of a file come from.
///
/// It is opened for each request that has the file, and so again when an item is tried again. Its bytes never enter the node's
/// memory unless the node asks for a piece of them.
#[async_trait::async_trait]
pub trait FileSource: fmt::Debug + Send + Sync {
    /// Opens the file, at an offset in bytes.
    ///
    /// # Errors
    ///
    /// The file cannot be opened. The request fails with this text, which people see.
    async fn open(&self, offset: u64) -> io::Result<FileReader>;
}

/// A file that goes with an item.
#[derive(Debug, Clone)]
pub struct InputFile {
    /// By what a parameter of the kind `file` names it: `data`.
    pub key: String,
    /// A name without a path, for the service.
    pub name: Option<String>,
    /// For the service: `image/png`.
    pub media_type: Option<String>,
    /// Bytes, if known. A file of another length breaks its request. Without it a request has no `content-length`, which some
    /// services refuse.
    pub size: Option<u64>,
    /// Where its bytes come from.
    pub source: Arc<dyn FileSource>,
}

/// Bytes in memory as a file.
#[derive(Clone)]
pub struct FileBytes(pub bytes::Bytes);

impl fmt::Debug for FileBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

#[async_trait::async_trait]
impl FileSource for FileBytes {
    async fn open(&self, offset: u64) -> io::Result<FileReader> {
        let begin = usize::try_from(offset).map_or(self.0.len(), |offset| offset.min(self.0.len()));
        Ok(Box::pin(io::Cursor::new(self.0.slice(begin..))))
    }
}
