//! A named pipe, whose first instance must belong to this server.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use nodule::text;
use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};

/// The prefix of all pipes' names.
const PIPES: &str = r"\\.\pipe\";

/// The name of a pipe. Pipes have no folder with a mode: Windows lets only this user, the system and administrators
/// write to a pipe, and the token decides.
#[derive(Debug)]
pub struct Prepared {
    path: PathBuf,
}

/// Checks that the path names a pipe of this machine.
///
/// # Errors
///
/// The path is not a pipe's name.
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
    /// A pipe has no folder: the current one is used.
    pub fn folder(&self) -> &Path {
        Path::new(".")
    }

    /// Listens in the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// Another server owns the pipe.
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

/// Accepts connections. Each takes one instance of the pipe; the next instance is created before a connection is
/// returned, so that this server always owns the name.
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
                // Out of memory: the client waits.
                Err(_) => tokio::time::sleep(super::PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<OsString> {
        Ok(self.name.clone())
    }
}
