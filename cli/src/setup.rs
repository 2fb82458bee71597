//! What commands have in common: the runtime, the log, the component, the policy, the credential.

use std::future::Future;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use nodule::description::Node;
use nodule::limits::Limits;
use nodule::policy::{Policy, Rule};
use nodule::{Component, Credential, Engine, EngineConfig};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::{Grants, Level, Log, LogFormat};
use crate::compile::Apart;
use crate::exit::{Exit, Failed, warning};

/// The variable that holds a credential, for where no file may.
const CREDENTIAL: &str = "NODULE_CREDENTIAL";
pub const CREDENTIAL_HINT: &str = "give it by `--credential FILE`, a JSON object, or in the variable NODULE_CREDENTIAL; never as an argument";

/// Runs a command that does one thing after the other: a runtime without threads starts faster.
pub fn single_threaded(command: impl Future<Output = Result<Exit, Failed>>) -> Result<Exit, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| no_runtime(&error))?.block_on(command)
}

/// Runs a command that runs several instances at once.
pub fn multi_threaded(command: impl Future<Output = Result<Exit, Failed>>) -> Result<Exit, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| no_runtime(&error))?;
    let outcome = runtime.block_on(command);
    // A thread that reads a standard input that nobody closes would be waited for without end.
    runtime.shutdown_background();
    outcome
}

fn no_runtime(error: &std::io::Error) -> Failed {
    Failed::usage(format!("no threads to run on: {error}"))
}

/// Print events, where that was asked for.
pub fn log(log: &Log) {
    let Some(format) = log.log else { return };
    let level = match log.log_level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    // Events of the libraries below may hold what they were given; only our own are made to be read by others.
    let filter = tracing_subscriber::filter::Targets::new().with_target("nodule", level);
    let builder = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // It is set once, at the start.
    let _ = match format {
        LogFormat::Text => builder.with_max_level(level).finish().with(filter).try_init(),
        LogFormat::Json => builder
            .json()
            .with_max_level(level)
            .finish()
            .with(filter)
            .try_init(),
    };
}

/// Where compiled components are kept between runs.
fn cache_dir() -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os("NODULE_CACHE_DIR") {
        return Some(dir.into());
    }
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".cache"),
    };
    Some(base.join("nodule"))
}

/// An engine that compiles apart.
fn engine(config: EngineConfig) -> Result<Engine, Failed> {
    let apart = Apart::new(&config)?;
    Ok(Engine::new(&config.precompiler(apart))?)
}

/// The component, which has to have the digest, if one is given.
pub async fn component(
    path: &Path,
    digest: Option<&str>,
    policy: Option<&Policy>,
) -> Result<Component, Failed> {
    let stack = policy
        .map_or_else(Limits::default, |policy| policy.limits_over(Limits::default()))
        .stack_bytes;
    let config = EngineConfig::default().stack_bytes(stack);
    let kept = cache_dir().and_then(|dir| match engine(config.clone().cache_dir(dir)) {
        Ok(engine) => Some(engine),
        // Without the cache everything works, only later.
        Err(failed) => {
            warning(&format!("compiled components are not kept: {failed}"));
            None
        }
    });
    // Compiled code comes from another process by a folder, in any case. It goes with the end of this function, where
    // the code was loaded.
    let temporary = if kept.is_none() {
        tempfile::tempdir().ok()
    } else {
        None
    };
    let engine = match (kept, &temporary) {
        (Some(engine), _) => engine,
        (None, Some(dir)) => engine(config.cache_dir(dir.path()))?,
        (None, None) => engine(config)?,
    };
    // Another component than the pinned one is refused before any of it runs.
    Ok(match digest {
        Some(digest) => engine.load_file_pinned(path, digest).await?,
        None => engine.load_file(path).await?,
    })
}

/// What the flags and the policy file allow.
pub fn policy(grants: &Grants) -> Result<Policy, Failed> {
    let mut policy = match &grants.policy {
        Some(path) => {
            let text = read(path)?;
            Policy::from_toml(&text, &path.display().to_string()).map_err(|error| {
                let failed = Failed::usage(error.to_string());
                match error.hint() {
                    Some(hint) => failed.hint(hint),
                    None => failed,
                }
            })?
        }
        None => Policy::default(),
    };
    for entry in &grants.allow {
        let rule = Rule::parse(entry).map_err(|error| {
            let failed = Failed::usage(format!("--allow: {error}"));
            match error.hint() {
                Some(hint) => failed.hint(hint),
                None => failed,
            }
        })?;
        policy.allow(rule);
    }
    Ok(policy)
}

/// The credential from the file, or from the environment; `None` where neither is there or the node takes none.
pub fn credential(node: &Node, file: Option<&Path>) -> Result<Option<Credential>, Failed> {
    let text = match (file, std::env::var(CREDENTIAL)) {
        (Some(file), _) => read(file)?,
        // The environment's credential may be there for another node.
        (None, Ok(_)) if node.credential.is_none() => return Ok(None),
        (None, Ok(text)) => text,
        (None, Err(_)) => return Ok(None),
    };
    let credential = Credential::from_json(node, &text)?;
    Ok(Some(credential))
}

/// A text file, whole.
pub fn read(path: &Path) -> Result<String, Failed> {
    std::fs::read_to_string(path).map_err(|error| Failed::usage(format!("{}: {error}", path.display())))
}
