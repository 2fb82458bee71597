//! All figures of a run, with what a reader needs to judge them: the machine, the day, the versions.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::figure::Figure;

/// What a run found.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether it was in a hurry; then the figures say little.
    pub is_quick: bool,
    /// The day, in UTC.
    pub date: String,
    /// Where it ran.
    pub machine: Machine,
    /// What ran.
    pub versions: Versions,
    /// What was measured.
    pub figures: Vec<Figure>,
    /// What could not be measured.
    pub failures: Vec<Failure>,
}

/// Where it ran.
#[derive(Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many of them this process may use.
    pub cores: usize,
    /// The kernel's name and version.
    pub kernel: String,
}

/// What ran.
#[derive(Debug, Serialize, Deserialize)]
pub struct Versions {
    /// This repository's.
    pub nodule: String,
    /// The commit, with `-dirty` where files were changed.
    pub commit: String,
    /// Of `Cargo.lock`.
    pub wasmtime: String,
    /// The compiler's.
    pub rustc: String,
}

/// What could not be measured.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    /// In which section.
    pub section: String,
    /// Why.
    pub error: String,
}

impl Report {
    /// Without figures yet.
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

    /// Read one that was written.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} (`make bench` writes it)", path.display()))?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Write it.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| path.display().to_string())
    }

    /// The figure of this name, where it was measured.
    pub fn figure(&self, section: &str, name: &str) -> Option<&Figure> {
        self.figures
            .iter()
            .find(|figure| figure.section == section && figure.name.starts_with(name))
    }

    /// Where and of what, on one line.
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

/// What a command prints; an archive of the sources has no commit, and a machine that only runs this no compiler.
fn said_by(command: &str, args: &[&str]) -> String {
    let output = Command::new(command).args(args).output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// The version of a package that was built in.
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
