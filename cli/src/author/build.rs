//! `nodule build`: makes the component of a node's folder, and looks at it as a host does.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nodule::text;
use nodule_core::encode;
use serde::Deserialize;
use tempfile::NamedTempFile;

use super::project::{Build, Project};
use crate::args;
use crate::exit::{Exit, Failed, line};
use crate::output;
use crate::setup;

const TARGET: &str = "wasm32-unknown-unknown";
/// Makes components smaller, and hardly slower: what is put into every place that calls it makes one larger. The linker
/// leaves five bytes for each number that it fills in, but where it is told not to, which it does only without debug
/// information.
const SMALL: [&str; 4] = [
    "-Cllvm-args=-inline-threshold=65",
    "-Cllvm-args=-inlinehint-threshold=65",
    "-Clink-arg=--compress-relocations",
    "-Clink-arg=--strip-debug",
];

pub async fn build(args: &args::Build) -> Result<Exit, Failed> {
    let project = Project::open(&args.dir)?;
    let output = match &args.output {
        Some(output) => output.clone(),
        None => project.component()?,
    };
    let report = component(&project, &args.profile, &output).await?;
    output::print(&report.text(&output))?;
    Ok(Exit::Done)
}

/// What is said of a component that was built.
pub struct Report {
    pub component: nodule::Component,
    bytes: usize,
    imports: Vec<String>,
}

impl Report {
    pub fn text(&self, output: &Path) -> String {
        let node = self.component.node();
        let mut text = format!(
            "{}: {} bytes, {}\n{} {}: {}\n",
            text::path(output),
            self.bytes,
            self.component.digest(),
            node.name,
            node.version,
            counted(node.operations.len(), "operation"),
        );
        for import in &self.imports {
            let _ = writeln!(text, "imports {}", text::shown(import, 100));
        }
        text
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Builds the component. What no host would run does not replace what is there.
pub async fn component(project: &Project, profile: &str, output: &Path) -> Result<Report, Failed> {
    let bytes = match &project.config.build {
        None => rust(&project.dir, profile)?,
        Some(build) => commands(&project.dir, build)?,
    };
    let imports = encode::imports_of(&bytes).map_err(|error| Failed::usage(error.to_string()))?;
    let broken = |error: &io::Error| unwritten(output, error);
    let mut part = part_of(output).map_err(|error| broken(&error))?;
    part.write_all(&bytes).map_err(|error| broken(&error))?;
    let component = setup::component(part.path(), None, None, None).await?;
    part.persist(output).map_err(|error| broken(&error.error))?;
    Ok(Report {
        component,
        bytes: bytes.len(),
        imports,
    })
}

/// A file beside the output, which takes its place when it is complete.
pub fn part_of(output: &Path) -> io::Result<NamedTempFile> {
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut part = tempfile::Builder::new();
    #[cfg(unix)]
    let part = part.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    part.tempfile_in(folder)
}

pub fn unwritten(output: &Path, error: &io::Error) -> Failed {
    Failed::unwritten(format!("{}: {error}", text::path(output)))
}

/// Compiles a crate, and encodes its module as a component.
fn rust(dir: &Path, profile: &str) -> Result<Vec<u8>, Failed> {
    add_target()?;
    let manifest = dir.join("Cargo.toml");
    let root = asked(
        cargo()
            .args(["locate-project", "--workspace", "--message-format", "plain"])
            .arg("--manifest-path")
            .arg(&manifest),
    )?;
    let mut command = cargo();
    command
        .args(["build", "--lib", "--target", TARGET, "--profile", profile])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(&manifest)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(Path::new(root.trim())));
    let module = module_of(&mut command, &manifest)?;
    let bytes =
        std::fs::read(&module).map_err(|error| Failed::usage(format!("{}: {error}", text::path(&module))))?;
    encode::component(&bytes)
        .map_err(|error| Failed::usage(format!("{}: {error}", text::path(&manifest))).hint(error.hint()))
}

/// Runs Cargo, which shows its progress and the compiler's messages, and returns the module that it made.
fn module_of(command: &mut Command, manifest: &Path) -> Result<PathBuf, Failed> {
    #[derive(Deserialize)]
    struct Message {
        manifest_path: Option<PathBuf>,
        target: Option<Target>,
        #[serde(default)]
        filenames: Vec<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        crate_types: Vec<String>,
    }
    let manifest = manifest.canonicalize().unwrap_or_else(|_| manifest.to_owned());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| no_program("cargo", &error))?;
    let mut module = None;
    let messages = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
    for message in messages.into_iter().flatten().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Message>(&message) else {
            continue;
        };
        let is_library = message
            .target
            .is_some_and(|target| target.crate_types.iter().any(|kind| kind == "cdylib"));
        if is_library && message.manifest_path.as_ref() == Some(&manifest) {
            let is_module = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "wasm");
            module = message.filenames.into_iter().find(is_module);
        }
    }
    let status = child.wait().map_err(|error| no_program("cargo", &error))?;
    if !status.success() {
        return Err(Failed::usage(format!(
            "{}: it does not compile",
            text::path(&manifest)
        )));
    }
    module.ok_or_else(|| {
        Failed::usage(format!(
            "{}: expected a library of the type `cdylib`, found none",
            text::path(&manifest)
        ))
        .hint("add `[lib]` with `crate-type = [\"cdylib\", \"lib\"]` to Cargo.toml".to_owned())
    })
}

/// The compiler's flags: the author's, those that make it small, and those that leave out the paths of this machine, so
/// that it is the same component everywhere.
fn flags(root: &Path) -> OsString {
    const SEPARATOR: &str = "\u{1f}";
    let given = match (
        std::env::var("CARGO_ENCODED_RUSTFLAGS"),
        std::env::var("RUSTFLAGS"),
    ) {
        (Ok(flags), _) => flags,
        (Err(_), Ok(flags)) => flags.split_whitespace().collect::<Vec<_>>().join(SEPARATOR),
        (Err(_), Err(_)) => String::new(),
    };
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| home.as_ref().map(|home| home.join(".cargo")));
    let mut flags = OsString::from(given);
    let mut add = |flag: &OsString| {
        if !flags.is_empty() {
            flags.push(SEPARATOR);
        }
        flags.push(flag);
    };
    // The last that fits counts.
    let sources = cargo_home.map(|home| home.join("registry/src/"));
    for hidden in [home.as_deref(), sources.as_deref(), root.parent()]
        .into_iter()
        .flatten()
    {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(hidden);
        flag.push("=");
        add(&flag);
    }
    for flag in SMALL {
        add(&OsString::from(flag));
    }
    flags
}

/// Installs the compiler's target, where rustup can and it is not there.
fn add_target() -> Result<(), Failed> {
    let library = asked(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    if Path::new(library.trim()).is_dir() {
        return Ok(());
    }
    line(&format!("adding the compiler's target {TARGET}"));
    let status = Command::new("rustup").args(["target", "add", TARGET]).status();
    if status.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(Failed::usage(format!("the compiler cannot build for {TARGET}"))
        .hint(format!("install it by `rustup target add {TARGET}`")))
}

/// Runs the commands of `nodule.toml`, and reads what they leave.
fn commands(dir: &Path, build: &Build) -> Result<Vec<u8>, Failed> {
    for command in &build.commands {
        let Some((program, arguments)) = command.split_first() else {
            return Err(Failed::usage(
                "nodule.toml: `commands`: expected a program and its arguments, found an empty list"
                    .to_owned(),
            ));
        };
        let shown = text::shown(&command.join(" "), 200);
        line(&format!("running {shown}"));
        let mut command = Command::new(program_of(dir, program));
        // Standard output is for this command's own words.
        let status = command
            .args(arguments)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .status()
            .map_err(|error| no_program(program, &error))?;
        if !status.success() {
            return Err(Failed::usage(format!("`{shown}` failed: {status}")));
        }
    }
    let made = dir.join(&build.output);
    let bytes = std::fs::read(&made).map_err(|error| {
        Failed::usage(format!("{}: {error}", text::path(&made)))
            .hint("the last command of `commands` in nodule.toml has to leave it".to_owned())
    })?;
    match encode::component(&bytes) {
        // What is a component already stays as it is.
        Err(encode::EncodeError::NotAModule(_)) => Ok(bytes),
        encoded => encoded
            .map_err(|error| Failed::usage(format!("{}: {error}", text::path(&made))).hint(error.hint())),
    }
}

/// A program with a folder in its name stands below the node's folder: systems differ in where they would look for it.
fn program_of(dir: &Path, program: &str) -> PathBuf {
    let path = Path::new(program);
    if path.components().count() < 2 {
        return path.to_owned();
    }
    let path = dir.join(path);
    std::path::absolute(&path).unwrap_or(path)
}

pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// What a command prints.
pub fn asked(command: &mut Command) -> Result<String, Failed> {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| no_program(&program, &error))?;
    if !done.status.success() {
        return Err(Failed::usage(format!("`{program}` failed: {}", done.status)));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

fn no_program(program: &str, error: &std::io::Error) -> Failed {
    Failed::usage(format!("{}: {error}", text::shown(program, 200)))
        .hint("a node in Rust is built by Cargo, from https://rustup.rs; another one by the commands of its nodule.toml".to_owned())
}
