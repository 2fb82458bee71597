//! Reads a component's file: a regular file, up to a maximum size.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The maximum size of a component. A node with Python's interpreter has 18 MB; a node in Rust has a quarter of a
/// megabyte.
const COMPONENT_BYTES: u64 = 64 * 1024 * 1024;

/// Refuses a component by its size, before it is read, copied or hashed.
pub(crate) fn refuse_large(bytes: u64) -> Result<(), Error> {
    if bytes > COMPONENT_BYTES {
        return Err(Error::NotAComponent {
            found: "one of more than 64 MiB".to_owned(),
        });
    }
    Ok(())
}

/// Reads a regular file, up to the maximum size of a component.
pub(crate) async fn read(path: PathBuf) -> Result<Vec<u8>, Error> {
    let reading = tokio::task::spawn_blocking(move || read_now(&path));
    reading.await.unwrap_or_else(|_| {
        Err(Error::NotAComponent {
            found: "a file that could not be read".to_owned(),
        })
    })
}

fn read_now(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    let file = open(path).map_err(failed)?;
    // The metadata of the opened file: its path may lead to another file by now.
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    if !metadata.is_file() {
        return Err(failed(io::Error::new(
            io::ErrorKind::InvalidInput,
            "expected a regular file, found a device or a pipe",
        )));
    }
    refuse_large(metadata.len())?;
    // Another process may be writing to the file.
    let most = COMPONENT_BYTES.saturating_add(1);
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(usize::try_from(metadata.len()).unwrap_or(usize::MAX))
        .map_err(|_| failed(io::ErrorKind::OutOfMemory.into()))?;
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    refuse_large(bytes.len() as u64)?;
    Ok(bytes)
}

/// Opens without blocking: opening a named pipe without a writer would block forever.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NONBLOCK.bits().cast_signed(),
    );
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_without_an_end_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let message = async |path: &Path| read(path.to_owned()).await.unwrap_err().to_string();
        assert!(message(folder.path()).await.contains("directory"));
        #[cfg(unix)]
        {
            let pipe = folder.path().join("pipe");
            rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
            assert!(message(&pipe).await.contains("expected a regular file"));
            assert!(
                message(Path::new("/dev/zero"))
                    .await
                    .contains("expected a regular file")
            );
        }
    }

    #[tokio::test]
    async fn a_large_file_is_refused_by_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.wasm");
        // A sparse file: reading it would show in the test's time and memory.
        File::create(&path).unwrap().set_len(3 << 40).unwrap();
        let error = read(path).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected a WebAssembly component, found one of more than 64 MiB"
        );
    }
}
