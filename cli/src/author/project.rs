//! A node's folder: `Cargo.toml` for Rust, or `nodule.toml` with a `[build]` for any other language.
//!
//! ```toml
//! # How a node in another language than Rust is built: each command in turn, in this folder, without a shell
//! [build]
//! commands = [["npm", "install"], ["npm", "run", "build"]]
//! output = "acme.wasm"
//!
//! # Whose node it is, for `nodule pack`; what is not here is read from Cargo.toml
//! [package]
//! name = "acme"
//! version = "1.2.0"
//! description = "Customers and orders of Acme"
//! author = "Ada Lovelace <ada@example.com>"
//! license = "MIT"
//! repository = "https://git.example.com/acme"
//!
//! # What only a package for n8n has: where the editor lists the node, and a page of one's own
//! [n8n]
//! categories = ["Sales"]
//! readme = "n8n.md"
//! ```
//!
//! `declared` stands above the tables: the origins of the description that a package grants ([`super::pack`]).

use std::path::{Path, PathBuf};

use nodule::text;
use serde::Deserialize;

use crate::exit::Failed;
use crate::files::{self, read};

pub const CONFIG: &str = "nodule.toml";

/// A node's folder.
pub struct Project {
    pub dir: PathBuf,
    pub config: Config,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    pub build: Option<Build>,
    #[serde(default)]
    pub declared: Declared,
    #[serde(default)]
    pub package: About,
    #[serde(default)]
    pub n8n: N8n,
}

/// Which of the origins that its description declares a packed node may reach: all or none, or these.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "`declared`: expected true, false or a list such as [\"https://uploads.example.com\"]"
)]
pub enum Declared {
    All(bool),
    These(Vec<String>),
}

impl Default for Declared {
    fn default() -> Self {
        Self::All(false)
    }
}

/// What `[package]` says of a node; Cargo.toml says the rest.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    pub name: Option<String>,
    pub version: Option<String>,
    pub description: Option<String>,
    /// `Ada Lovelace <ada@example.com>`
    pub author: Option<String>,
    /// An SPDX expression.
    pub license: Option<String>,
    pub repository: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct N8n {
    /// n8n's own, of which a description has none.
    #[serde(default)]
    pub categories: Vec<String>,
    /// The package's page, relative to the folder.
    pub readme: Option<PathBuf>,
}

/// How a node in another language than Rust is built.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    pub commands: Vec<Vec<String>>,
    /// The component that they leave, relative to the folder.
    pub output: PathBuf,
}

#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

impl Project {
    /// Reads what the folder says of itself.
    pub fn open(dir: &Path) -> Result<Self, Failed> {
        let project = Self::described(dir, None)?;
        if project.config.build.is_none() && !project.manifest().exists() {
            return Err(Failed::usage(format!(
                "{}: expected a node's folder, found neither Cargo.toml nor `[build]` in {CONFIG}",
                text::path(dir)
            ))
            .hint("name the folder, or make a node by `nodule new NAME`".to_owned()));
        }
        Ok(project)
    }

    /// Reads what the folder says of whose node it is: its component may be built elsewhere, and its file may be another.
    pub fn described(dir: &Path, file: Option<&Path>) -> Result<Self, Failed> {
        let own = dir.join(CONFIG);
        let config = match file {
            Some(file) => config(file)?,
            None if own.exists() => config(&own)?,
            None => Config::default(),
        };
        Ok(Self {
            dir: dir.to_owned(),
            config,
        })
    }

    /// Where Cargo's own description of the node stands, if it is a crate.
    pub fn manifest(&self) -> PathBuf {
        self.dir.join("Cargo.toml")
    }

    /// The folder's component, as `nodule build` leaves it.
    pub fn component(&self) -> Result<PathBuf, Failed> {
        if let Some(build) = &self.config.build {
            return Ok(self.dir.join(&build.output));
        }
        let file = self.manifest();
        let text = read(&file, &files::POLICY)?;
        let manifest: Manifest = toml::from_str(&text).map_err(|error| wrong(&file, &error))?;
        Ok(self.dir.join(format!("{}.wasm", manifest.package.name)))
    }
}

fn config(file: &Path) -> Result<Config, Failed> {
    let text = read(file, &files::POLICY)?;
    toml::from_str(&text).map_err(|error| wrong(file, &error))
}

fn wrong(file: &Path, error: &toml::de::Error) -> Failed {
    let place = error.span().map_or(0, |span| span.start);
    Failed::usage(format!(
        "{}: at byte {place}: {}",
        text::path(file),
        error.message()
    ))
}
