//! Compiles components in a process of its own: the compiler cannot be interrupted, and no check of the bytes can bound
//! its memory.
//!
//! The command starts itself again with the component on standard input and nothing else of its own: no environment, no
//! other file. The system limits that process's memory, a timer limits its time, and the compiled code goes into the
//! compilation cache, where the command finds it. An empty marker file in the cache's folder records that a component
//! was compiled within bounds by this compiler.
//!
//! On Linux `RLIMIT_DATA` limits memory. Other systems lack that limit or do not count the allocator's mappings: there,
//! only time is limited.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nodule::{Engine, EngineConfig, Error, Precompiler, Uncompiled, text};

use crate::args;
use crate::exit::{Exit, Failed, line};

/// Default memory limit of the compiler; a node in Rust takes 100 MB. It keeps the whole command below 512 MB.
const MEGABYTES: u64 = 450;
/// Default time limit of the compiler; a node in Rust takes a third of a second.
const SECONDS: u64 = 8;
/// Raise the limits for trusted components: JavaScript and Python nodes contain a language engine.
const MEGABYTES_VARIABLE: &str = "NODULE_COMPILE_MEGABYTES";
const SECONDS_VARIABLE: &str = "NODULE_COMPILE_SECONDS";

/// Each compiler thread has a stack and works on one function: without a limit, memory would grow with the number of
/// cores.
const MOST_THREADS: usize = 8;
/// The process exits by itself when its time is up; after this extra time it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// After this long, tell the user why the command waits.
const SILENT: Duration = Duration::from_secs(2);
/// Limit on the text that the process may print.
const MOST_TEXT: u64 = 4096;
/// Variables that the process may need to be found and loaded.
const KEPT_VARIABLES: [&str; 3] = ["DYLD_LIBRARY_PATH", "LD_LIBRARY_PATH", "SystemRoot"];

/// Exit codes of the process: the component does not compile, and the time is up.
const BROKEN: u8 = 3;
const LATE: u8 = 4;

/// Compiles in a process of its own.
#[derive(Debug)]
pub struct Apart {
    /// The engine's compilation cache; without it each component is compiled twice.
    cache: Option<PathBuf>,
    stack_bytes: usize,
    megabytes: u64,
    seconds: u64,
}

/// Tells the user how to raise the limits.
pub fn hint() -> String {
    format!(
        "if you trust who made it, set {MEGABYTES_VARIABLE} (it is {MEGABYTES}) and {SECONDS_VARIABLE} (it is {SECONDS}) higher once: \
         its code is kept"
    )
}

impl Apart {
    /// For engines with this configuration.
    pub fn new(config: &EngineConfig) -> Result<Self, Failed> {
        Ok(Self {
            cache: config.cache_dir.clone(),
            stack_bytes: config.stack_bytes,
            megabytes: variable(MEGABYTES_VARIABLE, MEGABYTES)?,
            seconds: variable(SECONDS_VARIABLE, SECONDS)?,
        })
    }

    /// The marker file of a component that was compiled within bounds.
    fn mark(&self, component: &Uncompiled<'_>) -> Option<PathBuf> {
        let digest = component.digest.strip_prefix("sha256:")?;
        let folder = self.cache.as_ref()?.join("compiled");
        Some(folder.join(format!("{digest}-{}", component.settings)))
    }

    fn command(&self, bytes: usize) -> Result<Command, std::io::Error> {
        let mut command = Command::new(this_program()?);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::arg0(&mut command, "nodule");
        command
            .arg("compile-component")
            .args(["--bytes", &bytes.to_string()])
            .args(["--stack-bytes", &self.stack_bytes.to_string()])
            .args(["--megabytes", &self.megabytes.to_string()])
            .args(["--seconds", &self.seconds.to_string()])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(cache) = &self.cache {
            command.arg("--cache").arg(std::path::absolute(cache)?);
        }
        for name in KEPT_VARIABLES {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        command
            .env("RAYON_NUM_THREADS", threads.min(MOST_THREADS).to_string())
            // Only committed memory should count, so the allocator commits no more than it uses.
            .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
            .env("MIMALLOC_PAGE_COMMIT_ON_DEMAND", "1")
            .env("MIMALLOC_PURGE_DELAY", "0");
        Ok(command)
    }

    /// The process's exit status and output; `None` on timeout.
    fn run(&self, bytes: &[u8]) -> Result<Option<(ExitStatus, String)>, std::io::Error> {
        let mut child = self.command(bytes.len())?.spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        std::thread::scope(|threads| {
            let (said, text) = mpsc::channel();
            threads.spawn(move || {
                // If the process exits early, its exit status tells why.
                stdin.map(|mut stdin| stdin.write_all(bytes))
            });
            threads.spawn(move || {
                let mut text = Vec::new();
                // Unreadable output counts as empty.
                let _ = stdout.map(|stdout| stdout.take(MOST_TEXT).read_to_end(&mut text));
                said.send(text)
            });
            let patience = Duration::from_secs(self.seconds).saturating_add(GRACE);
            let text = text.recv_timeout(SILENT).or_else(|_| {
                line("compiling the component, which is kept for the next time");
                text.recv_timeout(patience.saturating_sub(SILENT))
            });
            let Ok(text) = text else {
                child.kill()?;
                return child.wait().map(|_| None);
            };
            let text = String::from_utf8_lossy(&text).into_owned();
            child.wait().map(|status| Some((status, text)))
        })
    }

    fn verdict(&self, ended: Option<(ExitStatus, String)>) -> Result<(), Error> {
        let late = || Error::Compile {
            message: format!("it takes longer than {} seconds", self.seconds),
        };
        let Some((status, text)) = ended else {
            return Err(late());
        };
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        match code {
            Some(0) => Ok(()),
            Some(LATE) => Err(late()),
            Some(BROKEN) if !is_about_memory(&text) => Err(Error::NotAComponent {
                found: text::shown(&text, 400),
            }),
            _ => Err(Error::Compile {
                message: format!("it takes more than {} MB of memory", self.megabytes),
            }),
        }
    }
}

impl Precompiler for Apart {
    fn precompile(&self, component: &Uncompiled<'_>) -> Result<(), Error> {
        let mark = self.mark(component);
        if mark.as_deref().is_some_and(Path::exists) {
            return Ok(());
        }
        let ended = self.run(component.bytes).map_err(|error| Error::Compile {
            message: format!("no process to compile it in: {error}"),
        })?;
        self.verdict(ended)?;
        if let Some(mark) = mark {
            // Without the marker, the next start only runs the process again.
            let _ = leave(&mark);
        }
        Ok(())
    }
}

/// Whether the compiler's message, or the system's, says that memory ran out.
fn is_about_memory(text: &str) -> bool {
    ["out of memory", "Cannot allocate memory", "memory allocation"]
        .iter()
        .any(|words| text.contains(words))
}

fn leave(mark: &Path) -> std::io::Result<()> {
    if let Some(folder) = mark.parent() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    std::fs::File::create_new(mark).map(|_| ())
}

/// This program's own file, even if it has been replaced on disk.
pub fn this_program() -> std::io::Result<PathBuf> {
    let link = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && link.exists() {
        return Ok(link.to_owned());
    }
    std::env::current_exe()
}

fn variable(name: &str, default: u64) -> Result<u64, Failed> {
    match std::env::var_os(name) {
        None => Ok(default),
        Some(text) => text
            .to_str()
            .and_then(|text| text.parse().ok())
            .filter(|number| (1..=1_000_000).contains(number))
            .ok_or_else(|| Failed::usage(format!("{name}: expected a number from 1 to 1000000"))),
    }
}

/// Runs in the child process: reads the component from standard input, compiles it into the cache, and prints why it
/// does not compile.
pub fn compile(args: &args::CompileComponent) -> std::process::ExitCode {
    bound(args);
    match compiled(args) {
        Ok(()) => Exit::Done.into(),
        Err(message) => {
            // If nobody reads it, the parent is gone.
            let _ = std::io::stdout().write_all(message.as_bytes());
            BROKEN.into()
        }
    }
}

fn compiled(args: &args::CompileComponent) -> Result<(), String> {
    let most = args.bytes.saturating_add(1);
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(most)
        .map_err(|_| "out of memory".to_owned())?;
    std::io::stdin()
        .take(most as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    let mut config = EngineConfig::default().stack_bytes(args.stack_bytes);
    config.cache_dir.clone_from(&args.cache);
    let engine = Engine::new(&config).map_err(|error| error.to_string())?;
    match engine.precompile(&bytes) {
        // The parent detects components that compile but are not nodes.
        Ok(()) | Err(Error::WrongContract { .. } | Error::ImportDiffers { .. }) => Ok(()),
        Err(Error::NotAComponent { found }) => Err(found),
        Err(error) => Err(error.to_string()),
    }
}

/// Limits this process's memory and time.
fn bound(args: &args::CompileComponent) {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let at_most = |most| Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        // A process killed for its memory must leave no core dump of it.
        let _ = setrlimit(Resource::Core, at_most(0));
        // An existing lower limit stays.
        let _ = setrlimit(Resource::Data, at_most(args.megabytes.saturating_mul(1_000_000)));
    }
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let seconds = Duration::from_secs(args.seconds);
    // If the thread does not start, the parent still kills this process.
    let _ = std::thread::Builder::new().spawn(move || {
        std::thread::sleep(seconds);
        std::process::exit(LATE.into())
    });
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn how_the_process_ended_says_which_bound_it_reached() {
        const ABORTED: i32 = 6;
        let apart = Apart {
            cache: None,
            stack_bytes: 0,
            megabytes: 400,
            seconds: 8,
        };
        let verdict = |status: i32, text: &str| {
            let ended = Some((ExitStatus::from_raw(status), text.to_owned()));
            apart.verdict(ended).err().map(|error| error.to_string())
        };
        let exit = |code: u8| i32::from(code) << 8;
        let memory = "the component could not be compiled: it takes more than 400 MB of memory";
        let time = "the component could not be compiled: it takes longer than 8 seconds";
        assert_eq!(verdict(exit(0), ""), None);
        assert_eq!(verdict(ABORTED, "").as_deref(), Some(memory));
        assert_eq!(
            verdict(exit(BROKEN), "mmap: Cannot allocate memory").as_deref(),
            Some(memory)
        );
        assert_eq!(verdict(exit(LATE), "").as_deref(), Some(time));
        assert_eq!(apart.verdict(None).unwrap_err().to_string(), time);
        assert_eq!(
            verdict(exit(BROKEN), "something else: \u{1b}[2J").as_deref(),
            Some(r"expected a WebAssembly component, found something else: \u{1b}[2J")
        );
    }
}
