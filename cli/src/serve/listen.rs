//! Where `nodule serve` listens: a Unix socket that only this user can reach, or a named pipe on Windows.
//!
//! A client that reaches the socket still needs the token. The socket's folder keeps other users out, since some
//! systems ignore a socket's mode: the folder belongs to this user with mode 0700, and only this user and root can
//! replace it. A client that connects all the same, through an inherited descriptor, has its user checked.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::{Prepared, prepare};
#[cfg(windows)]
pub use windows::{Prepared, prepare};

/// How long to wait before accepting again when the system is out of descriptors.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Completes when standard input is closed. Any input is discarded.
pub async fn stdin_closed() {
    // An unreadable standard input counts as closed.
    let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
}
