//! An output stream that can give up its reader: it writes to a pipe only while there is room, so that a run can end
//! although nobody reads.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// A pipe that is ready for writing takes this many bytes at once (`PIPE_BUF`).
const PIECE_BYTES: usize = 4096;

/// Set once readers are given up.
static IS_GIVEN_UP: AtomicBool = AtomicBool::new(false);

/// Stops waiting for all readers: what they have not read is lost.
pub fn give_up() {
    IS_GIVEN_UP.store(true, Ordering::Relaxed);
}

/// A file, device or pipe.
#[derive(Debug)]
pub struct Stream {
    file: File,
    /// Whether it is a pipe or device, whose reader may block a write.
    is_read: bool,
}

impl Stream {
    pub fn new(file: File) -> Self {
        let is_read = file.metadata().is_ok_and(|found| !found.is_file());
        Self { file, is_read }
    }

    pub fn file(&self) -> &File {
        &self.file
    }
}

/// Standard output without the standard library's line buffer.
#[cfg(unix)]
pub fn standard_output() -> io::Result<Stream> {
    use std::os::fd::AsFd as _;
    let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    Ok(Stream::new(file))
}

#[cfg(windows)]
pub fn standard_output() -> io::Result<Stream> {
    use std::os::windows::io::AsHandle as _;
    let file = File::from(io::stdout().as_handle().try_clone_to_owned()?);
    Ok(Stream::new(file))
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_read {
            return self.file.write(bytes);
        }
        wait_for_room(&self.file)?;
        let piece = bytes.get(..PIECE_BYTES).unwrap_or(bytes);
        self.file.write(piece)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(unix)]
fn wait_for_room(file: &File) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    /// How soon a waiting write notices that the reader is given up.
    const LOOK_EVERY: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 100_000_000,
    };
    loop {
        let mut waited = [PollFd::new(file, PollFlags::OUT)];
        match poll(&mut waited, Some(&LOOK_EVERY)) {
            Ok(0) if IS_GIVEN_UP.load(Ordering::Relaxed) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody reads it"));
            }
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            // If the reader is gone, the write reports it.
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(not(unix))]
fn wait_for_room(_: &File) -> io::Result<()> {
    Ok(())
}
