//! Compiling in a process of its own: nothing interrupts the compiler, and no check of the bytes can promise what it takes.
//!
//! The command runs itself again, with the component on standard input and nothing else of its own: no environment, no
//! other file. The system bounds that process's memory and a clock its time, and what it compiles goes into the cache of compiled
//! code, where the command finds it. That the same component was compiled within bounds before, by the same compiler, is
//! kept in a file of no content in the cache's folder.
//!
//! On Linux memory is bounded by `RLIMIT_DATA`. Other systems do not count what the allocator maps there, or have no such
//! limit: there, time alone is bounded.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nodule::{Engine, EngineConfig, Error, Precompiler, Uncompiled, text};

use crate::args;
use crate::exit::{Exit, Failed, line};

/// The compiler's memory: a node in Rust takes 100 MB of it. With the component and what the system shares, the command stays
/// below 512 MB.
const MEGABYTES: u64 = 450;
/// The compiler's time: a node in Rust takes a third of a second.
const SECONDS: u64 = 8;
/// Larger bounds, for those who know what they compile: JavaScript and Python nodes contain an engine of their own.
const MEGABYTES_VARIABLE: &str = "NODULE_COMPILE_MEGABYTES";
const SECONDS_VARIABLE: &str = "NODULE_COMPILE_SECONDS";

/// Each thread of the compiler has a stack, and a function's worth of memory: more of them would take memory by the machine.
const MOST_THREADS: usize = 8;
/// The process ends itself in time; this much later it is ended.
const GRACE: Duration = Duration::from_secs(2);
/// So long nobody asks what the command does.
const SILENT: Duration = Duration::from_secs(2);
/// Of what the process says.
const MOST_TEXT: u64 = 4096;
/// What a started process may need to be found and loaded.
const KEPT_VARIABLES: [&str; 3] = ["DYLD_LIBRARY_PATH", "LD_LIBRARY_PATH", "SystemRoot"];

/// How the process ends when the component does not compile, and when its time is up.
const BROKEN: u8 = 3;
const LATE: u8 = 4;

/// Compiles in a process of its own.
#[derive(Debug)]
pub struct Apart {
    /// Where the engine looks for compiled code; without it each component is compiled twice.
    cache: Option<PathBuf>,
    stack_bytes: usize,
    megabytes: u64,
    seconds: u64,
}

/// Where something larger is allowed.
pub fn hint() -> String {
    format!(
        "if you trust who made it, set {MEGABYTES_VARIABLE} (it is {MEGABYTES}) and {SECONDS_VARIABLE} (it is {SECONDS}) higher once: \
         its code is kept"
    )
}

impl Apart {
    /// For engines that are configured so.
    pub fn new(config: &EngineConfig) -> Result<Self, Failed> {
        Ok(Self {
            cache: config.cache_dir.clone(),
            stack_bytes: config.stack_bytes,
            megabytes: variable(MEGABYTES_VARIABLE, MEGABYTES)?,
            seconds: variable(SECONDS_VARIABLE, SECONDS)?,
        })
    }

    /// Where it says that a component was compiled within bounds.
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
            // The allocator takes what it needs and no more: all that it has taken counts.
            .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
            .env("MIMALLOC_PAGE_COMMIT_ON_DEMAND", "1")
            .env("MIMALLOC_PURGE_DELAY", "0");
        Ok(command)
    }

    /// How the process ended and what it said; `None` when it did not end.
    fn run(&self, bytes: &[u8]) -> Result<Option<(ExitStatus, String)>, std::io::Error> {
        let mut child = self.command(bytes.len())?.spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        std::thread::scope(|threads| {
            let (said, text) = mpsc::channel();
            threads.spawn(move || {
                // A process that ended early says why by how it ended.
                stdin.map(|mut stdin| stdin.write_all(bytes))
            });
            threads.spawn(move || {
                let mut text = Vec::new();
                // What cannot be read is not said.
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
            // Without it the next start compiles, or finds the code, in a process again.
            let _ = leave(&mark);
        }
        Ok(())
    }
}

/// What the system says where there is no more memory, in the words of the compiler.
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

/// This very program, also where another one stands in its place by now.
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

/// The process: read the component from standard input, compile it into the cache, say why if it does not compile.
pub fn compile(args: &args::CompileComponent) -> std::process::ExitCode {
    bound(args);
    match compiled(args) {
        Ok(()) => Exit::Done.into(),
        Err(message) => {
            // Whoever started this process reads it, or is gone.
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
        // What was compiled and is no node is told apart by the one that started this process.
        Ok(()) | Err(Error::WrongContract { .. }) => Ok(()),
        Err(Error::NotAComponent { found }) => Err(found),
        Err(error) => Err(error.to_string()),
    }
}

/// Let the system and a clock end this process when it takes too much.
fn bound(args: &args::CompileComponent) {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let at_most = |most| Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        // A process that was ended for its memory leaves no copy of it.
        let _ = setrlimit(Resource::Core, at_most(0));
        // A lower limit, which somebody set before, stays.
        let _ = setrlimit(Resource::Data, at_most(args.megabytes.saturating_mul(1_000_000)));
    }
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let seconds = Duration::from_secs(args.seconds);
    // Without this thread the process is ended by the one that started it.
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
