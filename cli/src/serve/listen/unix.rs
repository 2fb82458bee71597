//! A Unix socket in a folder that only its user can reach.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use nodule::text;
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};

/// The longest path that the system accepts for a socket, without the final NUL.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MOST_PATH_BYTES: usize = 107;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const MOST_PATH_BYTES: usize = 103;

const ITS_USER_S: u32 = 0o700;
const WRITTEN_BY_OTHERS: u32 = 0o022;
/// In a sticky folder only a file's owner can rename or remove it.
const STICKY: u32 = 0o1000;

/// The bound socket: connections queue until they are accepted. Dropping it removes the socket's file.
#[derive(Debug)]
pub struct Prepared {
    listener: StdListener,
    file: SocketFile,
}

/// Creates the socket, and its folder if it is missing. Replaces the socket of a server that is gone.
///
/// # Errors
///
/// The path is too long, other users can reach its folder, or something else exists at the path; the text says what to
/// do.
pub fn prepare(socket: &Path) -> Result<Prepared, String> {
    let shown = text::path(socket);
    let broken = |error: io::Error| format!("`{shown}`: {error}");
    let absolute = std::path::absolute(socket).map_err(broken)?;
    let (Some(folder), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(format!(
            "expected the path of a socket in a folder, found `{shown}`"
        ));
    };
    make(folder)?;
    // Resolve all links, so that the checked path is the bound path.
    let folder = folder
        .canonicalize()
        .map_err(|error| format!("`{}`: {error}", text::path(folder)))?;
    check(&folder)?;
    let path = folder.join(name);
    let bytes = path.as_os_str().len();
    if bytes > MOST_PATH_BYTES {
        return Err(format!(
            "`{}`: expected at most {MOST_PATH_BYTES} bytes, found {bytes}: give a shorter path, as systems have no longer ones \
             for sockets",
            text::path(&path)
        ));
    }
    // If two servers start at once, the second waits here and then finds the first one's socket.
    let _turn = turn(&folder).map_err(broken)?;
    remove_stale(&path)?;
    let listener = StdListener::bind(&path).map_err(broken)?;
    let file = SocketFile::of(path).map_err(broken)?;
    let own = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&file.path, own).map_err(broken)?;
    Ok(Prepared { listener, file })
}

impl Prepared {
    /// The socket's folder, as an absolute path without links.
    pub fn folder(&self) -> &Path {
        self.file.path.parent().unwrap_or(Path::new("/"))
    }

    /// Listens in the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// The runtime cannot watch the socket.
    pub fn bind(self) -> io::Result<Listener> {
        self.listener.set_nonblocking(true)?;
        Ok(Listener {
            socket: UnixListener::from_std(self.listener)?,
            user: rustix::process::geteuid().as_raw(),
            _file: self.file,
        })
    }
}

/// Accepts connections of this user and of root.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    user: u32,
    _file: SocketFile,
}

impl axum::serve::Listener for Listener {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok((stream, address)) => {
                    let peer = stream.peer_cred().map(|peer| peer.uid());
                    if peer.is_ok_and(|peer| may_connect(peer, self.user)) {
                        return (stream, address);
                    }
                }
                Err(error) if is_about_the_connection(&error) => {}
                // Out of descriptors or memory: wait until other connections release some.
                Err(_) => tokio::time::sleep(super::PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// Root controls this process anyway.
fn may_connect(peer: u32, user: u32) -> bool {
    peer == 0 || peer == user
}

fn is_about_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// The socket's file, which the system does not remove.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
}

impl SocketFile {
    fn of(path: PathBuf) -> io::Result<Self> {
        let id = id(&path.symlink_metadata()?);
        Ok(Self { path, id })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // By now another server may have replaced it.
        if self
            .path
            .symlink_metadata()
            .is_ok_and(|found| id(&found) == self.id)
        {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn id(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// Creates the folder for this user only, whatever the umask.
fn make(folder: &Path) -> Result<(), String> {
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, ITS_USER_S);
    builder
        .recursive(true)
        .create(folder)
        .map_err(|error| format!("`{}`: {error}", text::path(folder)))
}

/// Checks that only this user and root can reach the folder's content or replace the folder.
fn check(folder: &Path) -> Result<(), String> {
    let user = rustix::process::geteuid().as_raw();
    let look = |path: &Path| {
        path.symlink_metadata()
            .map_err(|error| format!("`{}`: {error}", text::path(path)))
    };
    let found = look(folder)?;
    let shown = text::path(folder);
    if found.uid() != user {
        return Err(format!(
            "`{shown}` belongs to another user: the socket's folder has to belong to the one that serves"
        ));
    }
    let mode = found.mode() & 0o7777;
    if mode & 0o777 != ITS_USER_S {
        return Err(format!(
            "`{shown}` has mode {mode:04o}, and the socket's folder has to have 0700: `chmod 700` it, or give a folder that is not there yet"
        ));
    }
    for above in folder.ancestors().skip(1) {
        let found = look(above)?;
        let shown = text::path(above);
        if found.uid() != user && found.uid() != 0 {
            return Err(format!(
                "`{shown}` belongs to another user, who may put another folder in the place of the socket's"
            ));
        }
        if found.mode() & WRITTEN_BY_OTHERS != 0 && found.mode() & STICKY == 0 {
            return Err(format!(
                "others may write to `{shown}`, and put another folder in the place of the socket's"
            ));
        }
    }
    Ok(())
}

/// Locks the folder until the file is closed.
fn turn(folder: &Path) -> io::Result<File> {
    let folder = File::open(folder)?;
    match folder.lock() {
        // This file system has no locks: of two servers that start at once, one may replace the other's socket.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(folder),
        other => other.map(|()| folder),
    }
}

/// Removes the socket of a server that was killed.
fn remove_stale(path: &Path) -> Result<(), String> {
    let shown = text::path(path);
    let broken = |error: io::Error| format!("`{shown}`: {error}");
    let found = match path.symlink_metadata() {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(broken(error)),
    };
    if !found.file_type().is_socket() {
        return Err(format!(
            "`{shown}` is there and is no socket: give another path, or remove it"
        ));
    }
    match is_served(path) {
        Ok(false) => std::fs::remove_file(path).map_err(broken),
        Ok(true) => Err(format!(
            "a server listens at `{shown}` already: end it, or give another path"
        )),
        Err(error) => Err(broken(error)),
    }
}

/// Whether a server listens. One whose queue is full counts too: waiting for it could block forever.
fn is_served(path: &Path) -> io::Result<bool> {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&socket2::SockAddr::unix(path)?) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        set_mode(folder.path(), 0o700);
        folder
    }

    fn refused(socket: &Path, words: &str) {
        let error = prepare(socket).unwrap_err();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn the_socket_and_its_folder_are_made_for_this_user_alone_and_the_socket_is_removed() {
        let base = folder();
        let socket = base.path().join("a/b/nodule.sock");
        let prepared = prepare(&socket).unwrap();
        assert_eq!(mode(socket.parent().unwrap()), 0o700);
        assert_eq!(mode(&base.path().join("a")), 0o700);
        assert_eq!(mode(&socket), 0o600);
        assert_eq!(
            prepared.folder(),
            socket.parent().unwrap().canonicalize().unwrap()
        );
        drop(prepared);
        assert!(!socket.exists() && socket.parent().unwrap().exists());
    }

    #[test]
    fn a_folder_that_is_open_to_others_is_refused() {
        let base = folder();
        let folder = base.path().join("above/folder");
        fs::create_dir_all(&folder).unwrap();
        for wrong in [0o701, 0o710, 0o750, 0o755, 0o777, 0o1777, 0o500, 0o600] {
            set_mode(&folder, wrong);
            refused(&folder.join("s"), &format!("has mode {wrong:04o}"));
        }
        set_mode(&folder, 0o700);
        let above = folder.parent().unwrap();
        for wrong in [0o777, 0o775, 0o722] {
            set_mode(above, wrong);
            refused(&folder.join("s"), "others may write to");
        }
        // Like `/tmp`.
        set_mode(above, 0o1777);
        drop(prepare(&folder.join("s")).unwrap());
        set_mode(above, 0o755);
        // Under any name.
        set_mode(&folder, 0o755);
        let link = base.path().join("link");
        symlink(&folder, &link).unwrap();
        refused(&link.join("s"), "has mode 0755");
        set_mode(&folder, 0o700);
        let prepared = prepare(&link.join("s")).unwrap();
        assert_eq!(prepared.folder(), folder.canonicalize().unwrap());
        if rustix::process::geteuid().is_root() {
            for (path, words) in [(folder.as_path(), "has to belong"), (above, "another user, who")] {
                std::os::unix::fs::chown(path, Some(65_533), None).unwrap();
                refused(&folder.join("t"), words);
                std::os::unix::fs::chown(path, Some(0), None).unwrap();
            }
        }
    }

    #[test]
    fn a_dead_server_s_socket_is_replaced_and_a_living_one_s_is_not() {
        let base = folder();
        let socket = base.path().join("s");
        let living = StdListener::bind(&socket).unwrap();
        refused(&socket, "listens at");
        drop(living);
        assert!(socket.exists());
        let prepared = prepare(&socket).unwrap();
        refused(&socket, "listens at");
        assert!(socket.exists(), "a server that is refused removes nothing");
        // Fill its queue; nobody accepts.
        let queue: Vec<_> = std::iter::repeat_with(|| {
            let queued = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
            queued.set_nonblocking(true).unwrap();
            let address = socket2::SockAddr::unix(&socket).unwrap();
            queued.connect(&address).ok().map(|()| queued)
        })
        .take(20_000)
        .map_while(|queued| queued)
        .collect();
        refused(&socket, "listens at");
        drop(queue);
        drop(prepared);
        assert!(!socket.exists());
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let base = folder();
        let path = base.path().join("s");
        fs::write(&path, "precious").unwrap();
        refused(&path, "is no socket");
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        let link = base.path().join("link");
        symlink(&path, &link).unwrap();
        refused(&link, "is no socket");
        refused(&base.path().join(".."), "expected the path");
        refused(Path::new("/"), "expected the path");
    }

    #[test]
    fn a_path_that_the_system_would_cut_is_refused() {
        let base = folder();
        let left = MOST_PATH_BYTES - base.path().canonicalize().unwrap().as_os_str().len() - 1;
        refused(
            &base.path().join("s".repeat(left + 1)),
            &format!("at most {MOST_PATH_BYTES} bytes, found {}", MOST_PATH_BYTES + 1),
        );
        drop(prepare(&base.path().join("s".repeat(left))).unwrap());
    }

    #[test]
    fn another_server_s_socket_is_not_removed() {
        let base = folder();
        let socket = base.path().join("s");
        let prepared = prepare(&socket).unwrap();
        fs::rename(&socket, base.path().join("moved")).unwrap();
        let other = prepare(&socket).unwrap();
        drop(prepared);
        assert!(socket.exists());
        drop(other);
        assert!(!socket.exists());
    }

    #[test]
    fn of_servers_that_start_at_once_one_listens() {
        let base = folder();
        let socket = base.path().join("s");
        drop(StdListener::bind(&socket).unwrap());
        let servers: Vec<_> = std::thread::scope(|threads| {
            let starts: Vec<_> = (0..8).map(|_| threads.spawn(|| prepare(&socket))).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert_eq!(servers.iter().filter(|server| server.is_ok()).count(), 1);
        assert!(socket.exists());
    }

    #[test]
    fn only_this_user_and_root_may_connect() {
        assert!(may_connect(1000, 1000) && may_connect(0, 1000));
        assert!(!may_connect(1001, 1000) && !may_connect(65_534, 1000) && !may_connect(1000, 0));
    }
}
