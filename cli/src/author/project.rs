//! A node's folder: `Cargo.toml` for Rust, or `nodule.toml` with a `[build]` for any other language.
//!
//! ```toml
//! # How a node in another language than Rust is built: each command in turn, in this folder, without a shell
//! [build]
//! commands = [["npm", "install"], ["npm", "run", "build"]]
//! output = "acme.wasm"
//! ```

use std::path::{Path, PathBuf};

use nodule::text;
use serde::Deserialize;

use crate::exit::Failed;
use crate::files::{self, read};

const CONFIG: &str = "nodule.toml";

/// A node's folder.
pub struct Project {
    pub dir: PathBuf,
    pub config: Config,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    pub build: Option<Build>,
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
        let file = dir.join(CONFIG);
        let config: Config = if file.exists() {
            let text = read(&file, &files::POLICY)?;
            toml::from_str(&text).map_err(|error| wrong(&file, &error))?
        } else {
            Config::default()
        };
        if config.build.is_none() && !dir.join("Cargo.toml").exists() {
            return Err(Failed::usage(format!(
                "{}: expected a node's folder, found neither Cargo.toml nor `[build]` in {CONFIG}",
                text::path(dir)
            ))
            .hint("name the folder, or make a node by `nodule new NAME`".to_owned()));
        }
        Ok(Self {
            dir: dir.to_owned(),
            config,
        })
    }

    /// The folder's component, as `nodule build` leaves it.
    pub fn component(&self) -> Result<PathBuf, Failed> {
        if let Some(build) = &self.config.build {
            return Ok(self.dir.join(&build.output));
        }
        let file = self.dir.join("Cargo.toml");
        let text = read(&file, &files::POLICY)?;
        let manifest: Manifest = toml::from_str(&text).map_err(|error| wrong(&file, &error))?;
        Ok(self.dir.join(format!("{}.wasm", manifest.package.name)))
    }
}

fn wrong(file: &Path, error: &toml::de::Error) -> Failed {
    let place = error.span().map_or(0, |span| span.start);
    Failed::usage(format!(
        "{}: at byte {place}: {}",
        text::path(file),
        error.message()
    ))
}
