//! Drops what `nodule serve` does not need before it listens: inherited data, unbounded memory, permissions.
//!
//! Nodes run in Wasmtime and never see this. It limits the damage if one escapes: the process has no environment to
//! read, no descriptor of the engine that started it, no file outside its folders, and no access to other processes.
//!
//! - [`start_clean`] replaces the process by a new one of the same program, with no environment and only the three
//!   standard descriptors. The process ID stays. An environment cannot be removed in place: it stays in the memory that
//!   `/proc/PID/environ` shows, and libraries have read it by then.
//! - [`confine`] limits the memory, stops the process from gaining privileges, and removes permissions by Landlock and
//!   seccomp. Both apply to the calling thread and the threads it starts, so there must be no other thread yet.
//!
//! On Windows the environment and inherited handles stay, since a process cannot be replaced there; `confine` says so.

#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod syscalls;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::exit::Failed;

/// The argument that [`start_clean`] adds, so that a process which is still not clean fails instead of starting again.
#[cfg_attr(not(unix), expect(dead_code, reason = "nothing is started anew there"))]
const CLEAN: &str = "--clean";

/// The process's whole environment, all constants. The allocator reads it before `main`. By default, the allocator
/// commits a gigabyte in advance, which counts against the memory limit: a server of 512 MB would not start.
#[cfg(unix)]
const ENVIRONMENT: [(&str, &str); 1] = [("MIMALLOC_ARENA_EAGER_COMMIT", "0")];

/// The first descriptor after standard error.
#[cfg(unix)]
const FIRST_FOREIGN: i32 = 3;

/// Replaces this process by one of the same program that inherits nothing, with `extra_args` added to its arguments.
/// Returns if this process inherited nothing, so the new process continues after the call.
///
/// If a standard descriptor is closed at the start, Rust opens `/dev/null` in its place. `exec` resets `SIGPIPE` to its
/// default. The mask of blocked signals is inherited.
///
/// # Errors
///
/// The program cannot be started, or the restarted process has inherited something all the same.
#[cfg(unix)]
pub fn start_clean(extra_args: &[OsString]) -> io::Result<()> {
    use std::os::unix::process::CommandExt as _;

    let Some(found) = inherited() else {
        return Ok(());
    };
    if std::env::args_os().any(|argument| argument == CLEAN) {
        return Err(io::Error::other(format!(
            "the process was started with nothing, and has {found} all the same"
        )));
    }
    close_fds::set_fds_cloexec(FIRST_FOREIGN, &[]);
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(program()?);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    Err(command
        .args(arguments)
        .args(extra_args)
        .arg(CLEAN)
        .env_clear()
        .envs(ENVIRONMENT)
        .exec())
}

/// The system cannot replace a process.
#[cfg(not(unix))]
pub fn start_clean(_extra_args: &[OsString]) -> io::Result<()> {
    Ok(())
}

/// Names one thing that the process inherited.
#[cfg(unix)]
fn inherited() -> Option<String> {
    let is_own =
        |(name, value): &(OsString, OsString)| ENVIRONMENT.iter().any(|own| name == own.0 && value == own.1);
    if let Some((name, _)) = std::env::vars_os().find(|variable| !is_own(variable)) {
        let name = nodule::text::shown(&name.to_string_lossy(), 100);
        return Some(format!("the variable `{name}`"));
    }
    if std::env::vars_os().count() < ENVIRONMENT.len() {
        return Some("no settings for its memory".to_owned());
    }
    close_fds::iter_open_fds(FIRST_FOREIGN)
        .next()
        .map(|descriptor| format!("the descriptor {descriptor}"))
}

/// This program: by its own path, so that the system shows the right process name, if the path still leads to it.
#[cfg(unix)]
fn program() -> io::Result<PathBuf> {
    use std::os::unix::fs::MetadataExt as _;

    let program = crate::compile::this_program()?;
    let id = |path: &Path| path.metadata().map(|found| (found.dev(), found.ino())).ok();
    match std::env::current_exe() {
        Ok(path) if id(&path).is_some() && id(&path) == id(&program) => Ok(path),
        _ => Ok(program),
    }
}

/// What the process may use.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "files are bound on Linux only")
)]
pub struct Bounds<'a> {
    /// The memory limit, in megabytes of 1,000,000 bytes.
    pub memory_mb: u64,
    /// Folders to read from.
    pub read: &'a [PathBuf],
    /// Folders to read from and write to.
    pub write: &'a [PathBuf],
    /// The compilation cache's folder, created if it is missing.
    pub cache: Option<&'a Path>,
    /// The socket's folder; the process removes the socket from it at exit.
    pub socket_dir: &'a Path,
}

/// Confines this process and everything it starts. Returns sentences about the protections that this system lacks.
///
/// Call it before a second thread exists, and after the socket is bound: the process cannot create another socket.
///
/// # Errors
///
/// A folder cannot be used, other threads exist already, or the system refused a protection that it claims to support.
pub fn confine(bounds: &Bounds<'_>) -> Result<Vec<String>, Failed> {
    let mut missing = Vec::new();
    #[cfg(unix)]
    limits(bounds, &mut missing)?;
    #[cfg(target_os = "linux")]
    {
        alone()?;
        files::confine(bounds, &mut missing)?;
        syscalls::confine(&mut missing)?;
    }
    #[cfg(not(target_os = "linux"))]
    missing.push("on this system files are protected by the rights of the process's user only".to_owned());
    #[cfg(not(unix))]
    missing.push(format!(
        "on this system the environment stays, and memory is not bounded by {} MB",
        bounds.memory_mb
    ));
    Ok(missing)
}

/// Limits writable memory, and allows as many descriptors as the system does, since each run and each request needs
/// one.
#[cfg(unix)]
fn limits(bounds: &Bounds<'_>, missing: &mut Vec<String>) -> Result<(), Failed> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    // If the system refuses, the old limit stays.
    let descriptors = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: descriptors.maximum,
            maximum: descriptors.maximum,
        },
    );
    if !cfg!(target_os = "linux") {
        missing.push(format!(
            "on this system memory is not bounded by {} MB",
            bounds.memory_mb
        ));
        return Ok(());
    }
    // `RLIMIT_DATA` counts writable memory. `RLIMIT_AS` would also count the gigabytes of address space that Wasmtime
    // reserves for each instance and never maps.
    let wanted = bounds.memory_mb.saturating_mul(1_000_000);
    // An existing lower limit stays.
    let most = getrlimit(Resource::Data)
        .maximum
        .map_or(wanted, |set| set.min(wanted));
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    setrlimit(Resource::Data, limit)
        .map_err(|error| Failed::usage(format!("the memory cannot be bounded by {most} bytes: {error}")))
}

/// Checks that there is one thread: Landlock and seccomp apply to this thread and the threads it starts.
#[cfg(target_os = "linux")]
fn alone() -> Result<(), Failed> {
    let threads = std::fs::read_dir("/proc/self/task")
        .map_err(|error| Failed::usage(format!("/proc/self/task: {error}: is `/proc` mounted?")))?
        .count();
    if threads == 1 {
        Ok(())
    } else {
        Err(Failed::usage(format!(
            "the process has {threads} threads before it is confined"
        )))
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream, ToSocketAddrs as _};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::process::Command;

    use super::*;

    fn is_denied<T>(result: io::Result<T>) -> bool {
        result.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    }

    /// A thread's confinement ends with the thread.
    fn confined<T: Send>(bounds: &Bounds<'_>, deed: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|threads| {
            let confined = threads.spawn(|| {
                let mut missing = Vec::new();
                files::confine(bounds, &mut missing).unwrap();
                syscalls::confine(&mut missing).unwrap();
                assert!(missing.is_empty(), "this kernel cannot be tested on: {missing:?}");
                deed()
            });
            confined.join().unwrap()
        })
    }

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            for name in ["read", "write", "run", "other"] {
                fs::create_dir(place.at(name)).unwrap();
                fs::write(place.at(name).join("file"), name).unwrap();
            }
            std::os::unix::fs::symlink(place.at("other/file"), place.at("read/link")).unwrap();
            place
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn confined<T: Send>(&self, deed: impl FnOnce() -> T + Send) -> T {
            let (read, write, run) = ([self.at("read")], [self.at("write")], self.at("run"));
            let bounds = Bounds {
                memory_mb: 2048,
                read: &read,
                write: &write,
                cache: Some(&self.at("cache/of/components")),
                socket_dir: &run,
            };
            confined(&bounds, deed)
        }
    }

    #[test]
    fn files_are_read_and_written_in_the_named_folders_only() {
        let place = Place::new();
        place.confined(|| {
            assert_eq!(fs::read(place.at("read/file")).unwrap(), b"read");
            assert!(
                is_denied(fs::write(place.at("read/file"), ""))
                    && is_denied(fs::remove_file(place.at("read/file")))
            );
            for folder in ["write", "run", "cache/of/components"] {
                let at = |name: &str| place.at(folder).join(name);
                fs::create_dir(at("new")).unwrap();
                fs::write(at("new/file"), folder).unwrap();
                fs::rename(at("new/file"), at("moved")).unwrap();
                assert_eq!(fs::read_to_string(at("moved")).unwrap(), folder);
                fs::remove_dir(at("new")).unwrap();
            }
            for path in ["other/file", "read/link", "read/../other/file"] {
                assert!(is_denied(fs::read(place.at(path))), "{path}");
                assert!(
                    is_denied(fs::File::options().write(true).open(place.at(path))),
                    "{path}"
                );
            }
            assert!(is_denied(fs::read_dir(place.at("other"))) && is_denied(fs::read_dir(place.at("."))));
            assert!(is_denied(fs::rename(
                place.at("write/file"),
                place.at("other/moved")
            )));
            for path in [
                "/etc/passwd",
                "/proc/1/status",
                "/proc/self/environ",
                "/proc/self/mem",
                "/dev/zero",
            ] {
                assert!(is_denied(fs::read(path)), "{path}");
            }
            fs::write("/dev/null", "").unwrap();
        });
    }

    #[test]
    fn modes_are_changed_by_an_open_file_and_not_by_a_path() {
        let place = Place::new();
        let open = fs::Permissions::from_mode(0o777);
        place.confined(|| {
            for path in ["other/file", "write/file"] {
                assert!(
                    is_denied(fs::set_permissions(place.at(path), open.clone())),
                    "{path}"
                );
                assert!(
                    is_denied(std::os::unix::fs::lchown(place.at(path), None, Some(1))),
                    "{path}"
                );
            }
            let file = fs::File::create(place.at("write/file")).unwrap();
            file.set_permissions(open.clone()).unwrap();
        });
    }

    #[test]
    fn it_runs_itself_and_nothing_else() {
        let place = Place::new();
        place.confined(|| {
            let program = crate::compile::this_program().unwrap();
            let own = Command::new(program).arg("--list").env_clear().output().unwrap();
            assert!(own.status.success() && !own.stdout.is_empty(), "{own:?}");
            for program in ["/bin/sh", "/usr/bin/env"] {
                assert!(is_denied(Command::new(program).output()), "{program}");
            }
        });
    }

    #[test]
    fn it_connects_to_the_internet_and_listens_nowhere() {
        let place = Place::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let socket = place.at("write/socket");
        let _living = UnixListener::bind(&socket).unwrap();
        place.confined(|| {
            // This name is in /etc/hosts only.
            let addresses: Vec<_> = ("localhost", port).to_socket_addrs().unwrap().collect();
            assert!(
                addresses.iter().any(|address| address.ip().is_loopback()),
                "{addresses:?}"
            );
            TcpStream::connect(("127.0.0.1", port)).unwrap();
            assert!(is_denied(TcpListener::bind("127.0.0.1:0")));
            assert!(is_denied(UnixStream::connect(&socket)));
            assert!(is_denied(UnixListener::bind(place.at("write/another"))));
        });
    }

    #[test]
    fn other_processes_are_out_of_reach_and_its_own_are_not() {
        let place = Place::new();
        let parent = rustix::process::getppid().unwrap();
        place.confined(|| {
            assert_eq!(
                rustix::process::test_kill_process(parent),
                Err(rustix::io::Errno::PERM)
            );
            let program = crate::compile::this_program().unwrap();
            let mut child = Command::new(program)
                .arg("--list")
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(std::thread::spawn(|| 1).join().unwrap(), 1);
        });
    }

    #[test]
    fn a_folder_that_is_not_there_is_named_with_its_flag() {
        let place = Place::new();
        let run = place.at("run");
        let refused = |read: &[PathBuf], write: &[PathBuf]| {
            let bounds = Bounds {
                memory_mb: 2048,
                read,
                write,
                cache: None,
                socket_dir: &run,
            };
            // On an error, nothing is confined.
            let error = files::confine(&bounds, &mut Vec::new()).unwrap_err();
            assert!(fs::read("/etc/passwd").is_ok());
            error.to_string()
        };
        let none = refused(&[place.at("none")], &[]);
        assert!(
            none.starts_with("--read: `") && none.contains("No such file"),
            "{none}"
        );
        let file = refused(&[], &[place.at("read/file")]);
        assert!(
            file.starts_with("--write: `") && file.contains("expected a folder"),
            "{file}"
        );
    }

    #[test]
    fn a_process_with_other_threads_is_not_confined() {
        let place = Place::new();
        let (from, to) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || to.recv());
        let refused = alone().unwrap_err().to_string();
        assert!(refused.contains("threads before it is confined"), "{refused}");
        drop((from, place));
        let _ = thread.join();
    }
}
