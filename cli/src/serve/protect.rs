//! What `nodule serve` takes from itself before it listens: what it inherited, memory without a bound, rights that it does not need.
//!
//! Nodes run in Wasmtime and never see any of this. It is for the day on which one of them breaks out: the process then has no
//! environment to read, no descriptor of the engine that started it, no file beyond its folders, no other process to look into.
//!
//! - [`start_clean`] replaces the process by a new one of the same program, with no environment and no descriptor but the standard
//!   three. The new one has the same process number. An environment cannot be removed in place: it stays in the memory that
//!   `/proc/PID/environ` shows, and libraries have read it by then.
//! - [`confine`] bounds the memory, lets the process gain no privileges, and takes rights from it by Landlock and seccomp.
//!   Both hold for the calling thread and for those that it starts, so there must be no other one yet.
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

/// The argument that [`start_clean`] adds: a process that has it and is not clean is not started again.
#[cfg_attr(not(unix), expect(dead_code, reason = "nothing is started anew there"))]
const CLEAN: &str = "--clean";

/// All of the environment that the process has: constants. The allocator reads it before `main`. By itself it takes a gigabyte
/// that may be written to ahead, which counts as used where memory is bounded: a server of 512 MB would not start.
#[cfg(unix)]
const ENVIRONMENT: [(&str, &str); 1] = [("MIMALLOC_ARENA_EAGER_COMMIT", "0")];

/// The first descriptor that is none of the standard ones.
#[cfg(unix)]
const FIRST_FOREIGN: i32 = 3;

/// Replaces this process by one of the same program that inherits nothing, with `extra_args` added to its arguments. Returns when
/// nothing was inherited, so that the new process goes on behind the call.
///
/// Rust opens `/dev/null` in the place of a standard descriptor that is closed at the start, and `exec` gives `SIGPIPE` its
/// default. A mask of blocked signals is inherited.
///
/// # Errors
///
/// The program cannot be started, or something is there after a start without anything.
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

/// A process cannot be replaced here.
#[cfg(not(unix))]
pub fn start_clean(_extra_args: &[OsString]) -> io::Result<()> {
    Ok(())
}

/// Something that whoever started this process left to it.
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

/// This very program: by its path, after which the system names the process, where the path still leads to it.
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
    /// The most memory, in megabytes of 1,000,000 bytes.
    pub memory_mb: u64,
    /// Folders to read from.
    pub read: &'a [PathBuf],
    /// Folders to read from and write to.
    pub write: &'a [PathBuf],
    /// The folder of compiled components; it is made where it is not there.
    pub cache: Option<&'a Path>,
    /// The socket's folder, from which the socket is removed at the end.
    pub socket_dir: &'a Path,
}

/// Binds this process and all that it starts. The sentences that come back say what could not be bound here.
///
/// It has to be called before there is a second thread, and after the socket is bound: the process cannot make another one.
///
/// # Errors
///
/// A folder cannot be used, there are other threads already, or the system refused what it claims to have.
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

/// The memory that may be written to, and as many descriptors as the system allows: each run and each request has one.
#[cfg(unix)]
fn limits(bounds: &Bounds<'_>, missing: &mut Vec<String>) -> Result<(), Failed> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    // A system that refuses leaves as many as there were.
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
    // `RLIMIT_DATA` counts what may be written to. `RLIMIT_AS` would count the gigabytes of addresses that Wasmtime
    // reserves for each instance and never maps.
    let wanted = bounds.memory_mb.saturating_mul(1_000_000);
    // A lower limit, which somebody set before, stays.
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

/// What follows holds for this thread and for those that it starts.
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
