//! The socket.

use std::io;
use std::path::{Path, PathBuf};

use tokio::io::AsyncReadExt as _;
use tokio::net::UnixListener;

pub struct Prepared {
    socket: PathBuf,
}

pub fn prepare(socket: &Path) -> Result<Prepared, String> {
    let _ = std::fs::remove_file(socket);
    Ok(Prepared {
        socket: socket.to_owned(),
    })
}

impl Prepared {
    pub fn folder(&self) -> &Path {
        self.socket.parent().unwrap_or(Path::new("/"))
    }

    pub fn bind(self) -> io::Result<UnixListener> {
        UnixListener::bind(&self.socket)
    }
}

pub async fn stdin_closed() {
    let mut stdin = tokio::io::stdin();
    let mut buffer = [0; 1024];
    while !matches!(stdin.read(&mut buffer).await, Ok(0) | Err(_)) {}
}
