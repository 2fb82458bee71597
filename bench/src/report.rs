//! All figures of a benchmark, with what a reader needs to judge them: machine, date, versions.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::figure::Figure;

/// The results of a benchmark.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether this was a quick run, with imprecise figures.
    pub is_quick: bool,
    /// The day, in UTC.
    pub date: String,
    /// The machine that it ran on.
    pub machine: Machine,
    /// The versions that ran.
    pub versions: Versions,
    /// All figures.
    pub figures: Vec<Figure>,
    /// The sections that failed.
    pub failures: Vec<Failure>,
}

/// The machine of a benchmark.
#[derive(Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// The number of processors available to this process.
    pub cores: usize,
    /// The kernel's name and version.
    pub kernel: String,
}

/// The versions of a benchmark.
#[derive(Debug, Serialize, Deserialize)]
pub struct Versions {
    /// This repository's version.
    pub nodule: String,
    /// The commit, with `-dirty` if files were changed.
    pub commit: String,
    /// Wasmtime's version in `Cargo.lock`.
    pub wasmtime: String,
    /// The compiler's version.
    pub rustc: String,
}

/// A section that could not be measured.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    /// The section's name.
    pub section: String,
    /// The error.
    pub error: String,
}

impl Report {
    /// A report without figures.
    pub fn new(is_quick: bool) -> Result<Self> {
        Ok(Self {
            is_quick,
            date: jiff::Timestamp::now().strftime("%F").to_string(),
            machine: Machine::this()?,
            versions: Versions::current()?,
            figures: Vec::new(),
            failures: Vec::new(),
        })
    }

    /// Loads a report from a file.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} (`make bench` writes it)", path.display()))?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Writes the report to a file.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| path.display().to_string())
    }

    /// The figure with this name, if it was measured.
    pub fn figure(&self, section: &str, name: &str) -> Option<&Figure> {
        self.figures
            .iter()
            .find(|figure| figure.section == section && figure.name.starts_with(name))
    }

    /// The machine, date and versions, on one line.
    pub fn origin(&self) -> String {
        let Machine { cpu, cores, kernel } = &self.machine;
        let Versions {
            nodule,
            commit,
            wasmtime,
            rustc,
        } = &self.versions;
        let quick = if self.is_quick { ", in a hurry" } else { "" };
        format!(
            "{}{quick}: {cores} × {cpu}, {kernel}; Nodule {nodule} ({commit}), Wasmtime {wasmtime}, {rustc}",
            self.date
        )
    }
}

impl Machine {
    fn this() -> Result<Self> {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = info
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map_or(std::env::consts::ARCH, |(_, name)| name.trim());
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Ok(Self {
            cpu: cpu.to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            kernel: format!("{} {}", std::env::consts::OS, release.trim()),
        })
    }
}

impl Versions {
    fn current() -> Result<Self> {
        Ok(Self {
            nodule: env!("CARGO_PKG_VERSION").to_owned(),
            commit: said_by("git", &["describe", "--always", "--dirty", "--exclude", "*"]),
            wasmtime: locked("wasmtime")?,
            rustc: said_by("rustc", &["--version"]),
        })
    }
}

/// A command's output. It may be missing: an archive of the sources has no commit, and a machine that only runs this
/// has no compiler.
fn said_by(command: &str, args: &[&str]) -> String {
    let output = Command::new(command).args(args).output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// A package's version in `Cargo.lock`.
fn locked(package: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        version: String,
    }
    let lock: Lock = toml::from_str(include_str!("../../Cargo.lock"))?;
    lock.package
        .into_iter()
        .find(|found| found.name == package)
        .map(|found| found.version)
        .with_context(|| format!("`{package}` in Cargo.lock"))
}
