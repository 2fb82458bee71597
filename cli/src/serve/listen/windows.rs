//! A named pipe, whose first instance has to be this server's.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use nodule::text;
use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};

/// Where pipes are.
const PIPES: &str = r"\\.\pipe\";

/// A name for a pipe. Its folder has no modes: Windows lets nobody but this user, the system and administrators write to a
/// pipe, and the token is what decides.
#[derive(Debug)]
pub struct Prepared {
    path: PathBuf,
}

/// Takes the name of a pipe of this machine.
///
/// # Errors
///
/// It is not the name of a pipe.
pub fn prepare(socket: &Path) -> Result<Prepared, String> {
    let is_pipe = socket
        .to_str()
        .and_then(|path| path.strip_prefix(PIPES))
        .is_some_and(|name| !name.is_empty() && !name.contains('\\'));
    if is_pipe {
        Ok(Prepared {
            path: socket.to_owned(),
        })
    } else {
        Err(format!(
            r"expected a pipe such as `\\.\pipe\nodule`, found `{}`",
            text::path(socket)
        ))
    }
}

impl Prepared {
    /// Where its token is written, which has no folder of its own here.
    pub fn folder(&self) -> &Path {
        Path::new(".")
    }

    /// Listens, in the Tokio runtime that this is called in.
    ///
    /// # Errors
    ///
    /// The pipe is another server's.
    pub fn bind(self) -> io::Result<Listener> {
        let name = self.path.into_os_string();
        Ok(Listener {
            waiting: options().first_pipe_instance(true).create(&name)?,
            name,
        })
    }
}

fn options() -> ServerOptions {
    let mut options = ServerOptions::new();
    options.reject_remote_clients(true);
    options
}

/// Accepts connections: each one takes an instance of the pipe, and the next is made before it is handed out, so that the
/// name is this server's all the time.
#[derive(Debug)]
pub struct Listener {
    waiting: NamedPipeServer,
    name: OsString,
}

impl axum::serve::Listener for Listener {
    type Io = NamedPipeServer;
    type Addr = OsString;

    async fn accept(&mut self) -> (NamedPipeServer, OsString) {
        loop {
            let connected = self.waiting.connect().await;
            match options().create(&self.name) {
                Ok(next) => {
                    let stream = std::mem::replace(&mut self.waiting, next);
                    if connected.is_ok() {
                        return (stream, self.name.clone());
                    }
                }
                // No memory: who is connected waits.
                Err(_) => tokio::time::sleep(super::PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<OsString> {
        Ok(self.name.clone())
    }
}
