//! Where `nodule serve` listens: a Unix socket that this user alone can reach, and a named pipe on Windows.
//!
//! Whoever reaches the socket still has to say the token. That nobody else reaches it rests on its folder, not on the socket's
//! mode, which some systems ignore: the folder belongs to this user with mode 0700, and nobody but this user and root can put
//! another one in its place. What connects all the same, by a descriptor that was handed on, is asked for its user.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::{Prepared, prepare};
#[cfg(windows)]
pub use windows::{Prepared, prepare};

/// How long it waits before it accepts again when the system has no descriptor left.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Completes when standard input is closed. What comes by it is dropped.
pub async fn stdin_closed() {
    // One that cannot be read is closed, as far as this process can tell.
    let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
}
