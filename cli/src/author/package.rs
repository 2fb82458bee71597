//! Whose node it is: `[package]` of `nodule.toml`, and where that says nothing, of `Cargo.toml`.

use std::path::{Path, PathBuf};

use nodule::text;
use serde::Deserialize;

use super::build::{asked, cargo};
use super::project::{About, CONFIG, Project};
use crate::exit::Failed;

/// What a package says of the node in it.
#[derive(Debug)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub description: Option<String>,
    pub author: Person,
    pub license: String,
    pub repository: String,
    /// The licence's text; several where the licence is a choice.
    pub license_files: Vec<PathBuf>,
}

/// `Ada Lovelace <ada@example.com>`
#[derive(Debug, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    pub email: Option<String>,
}

impl Package {
    pub fn of(project: &Project) -> Result<Self, Failed> {
        let manifest = project.manifest();
        let (cargo, root) = if manifest.exists() {
            let (about, root) = cargo_about(&manifest)?;
            (about, Some(root))
        } else {
            (About::default(), None)
        };
        let about = &project.config.package;
        let mut missing = Vec::new();
        let mut needed = |key: &'static str, own: &Option<String>, cargo: &Option<String>| {
            let value = own
                .as_ref()
                .or(cargo.as_ref())
                .map(|value| value.trim().to_owned());
            let value = value.filter(|value| !value.is_empty());
            if value.is_none() {
                missing.push(key);
            }
            value.unwrap_or_default()
        };
        let name = needed("name", &about.name, &cargo.name);
        let version = needed("version", &about.version, &cargo.version);
        let author = needed("author", &about.author, &cargo.author);
        let license = needed("license", &about.license, &cargo.license);
        let repository = needed("repository", &about.repository, &cargo.repository);
        if !missing.is_empty() {
            return Err(lacking(project, &missing));
        }
        check_name(&project.dir, &name)?;
        check_version(&project.dir, &version)?;
        Ok(Self {
            license_files: license_files(&project.dir, root.as_deref(), &license)?,
            name,
            version,
            description: about.description.clone().or(cargo.description),
            author: Person::parse(&author),
            license,
            repository,
        })
    }
}

/// Names everything that is missing, and the lines to write.
fn lacking(project: &Project, missing: &[&str]) -> Failed {
    let lines = missing.iter().map(|key| {
        let example = match *key {
            "name" => "acme",
            "version" => "1.0.0",
            "author" => "Ada Lovelace <ada@example.com>",
            "license" => "MIT",
            _ => "https://git.example.com/acme",
        };
        format!("\n{key} = \"{example}\"")
    });
    let lines: String = lines.collect();
    let elsewhere = if project.manifest().exists() {
        "; what Cargo knows (`authors`, `license`, `repository`) may stand in Cargo.toml instead"
    } else {
        ""
    };
    Failed::usage(format!(
        "{}: a package says whose node it is: `{}` missing",
        text::path(&project.dir),
        missing.join("`, `")
    ))
    .hint(format!(
        "write into {}{elsewhere}:\n[package]{lines}",
        text::path(&project.dir.join(CONFIG))
    ))
}

impl Person {
    fn parse(text: &str) -> Self {
        let parts = text.split_once('<').and_then(|(name, rest)| {
            let (email, _) = rest.split_once('>')?;
            Some((name.trim(), email.trim()))
        });
        match parts {
            Some((name, email)) if !name.is_empty() => Self {
                name: name.to_owned(),
                email: Some(email.to_owned()),
            },
            _ => Self {
                name: text.to_owned(),
                email: None,
            },
        }
    }
}

/// What Cargo says of a crate; what it inherits from a workspace is resolved. With the workspace's folder.
fn cargo_about(manifest: &Path) -> Result<(About, PathBuf), Failed> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Crate>,
        workspace_root: PathBuf,
    }
    #[derive(Deserialize)]
    struct Crate {
        name: String,
        version: String,
        description: Option<String>,
        authors: Vec<String>,
        license: Option<String>,
        repository: Option<String>,
        manifest_path: PathBuf,
    }
    let unread = |error: &dyn std::fmt::Display| Failed::usage(format!("{}: {error}", text::path(manifest)));
    let path = manifest.canonicalize().map_err(|error| unread(&error))?;
    let printed = asked(
        cargo()
            .args([
                "metadata",
                "--no-deps",
                "--format-version",
                "1",
                "--manifest-path",
            ])
            .arg(&path),
    )?;
    let metadata: Metadata = serde_json::from_str(&printed).map_err(|error| unread(&error))?;
    let mut crates = metadata.packages.into_iter();
    let about = crates
        .find(|one| one.manifest_path == path)
        .map(|one| About {
            name: Some(one.name),
            version: Some(one.version),
            description: one.description,
            author: one.authors.into_iter().next(),
            license: one.license,
            repository: one.repository,
        })
        .ok_or_else(|| unread(&"expected a crate, found a workspace alone"))?;
    Ok((about, metadata.workspace_root))
}

/// As npm wants it, in which an engine's prefix fits.
fn check_name(dir: &Path, name: &str) -> Result<(), Failed> {
    let is_part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
            && part
                .chars()
                .all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || "-._".contains(char))
    };
    let is_name = match name.strip_prefix('@').map(|rest| rest.split_once('/')) {
        None => is_part(name),
        Some(Some((scope, name))) => is_part(scope) && is_part(name),
        Some(None) => false,
    };
    if is_name {
        return Ok(());
    }
    Err(Failed::usage(format!(
        "{}: `name`: expected lower-case letters, digits, `-`, `.` and `_`, such as `acme-crm` or `@acme/crm`, found `{}`",
        text::path(dir),
        text::shown(name, 100)
    ))
    .hint(format!("write another one into [package] of {CONFIG}")))
}

fn check_version(dir: &Path, version: &str) -> Result<(), Failed> {
    let numbers = version.split(['-', '+']).next().unwrap_or_default();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = version
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-+.".contains(&byte));
    if is_plain && numbers.split('.').count() == 3 && numbers.split('.').all(is_number) {
        return Ok(());
    }
    Err(Failed::usage(format!(
        "{}: `version`: expected three numbers, such as `1.0.0`, found `{}`",
        text::path(dir),
        text::shown(version, 100)
    )))
}

/// The files of the licence: of the folder, or of the workspace that the crate belongs to.
fn license_files(dir: &Path, root: Option<&Path>, license: &str) -> Result<Vec<PathBuf>, Failed> {
    for folder in [Some(dir), root].into_iter().flatten() {
        let broken = |error: std::io::Error| Failed::usage(format!("{}: {error}", text::path(folder)));
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(broken)? {
            let path = entry.map_err(broken)?.path();
            if is_license(&path) && path.is_file() {
                files.push(path);
            }
        }
        if !files.is_empty() {
            files.sort();
            return Ok(files);
        }
    }
    Err(Failed::usage(format!(
        "{}: expected a file LICENSE, found none",
        text::path(dir)
    ))
    .hint(format!(
        "a package has its licence's text with it: put that of `{}` there",
        text::shown(license, 100)
    )))
}

/// `LICENSE`, `LICENSE-MIT`, `LICENCE.md`, `COPYING.txt`
fn is_license(path: &Path) -> bool {
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_uppercase();
    let is_text = path
        .extension()
        .is_none_or(|ending| ending.eq_ignore_ascii_case("md") || ending.eq_ignore_ascii_case("txt"));
    is_text
        && ["LICENSE", "LICENCE", "COPYING"]
            .iter()
            .any(|name| stem.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_author_is_read_with_an_address_and_without() {
        let ada = Person::parse("Ada Lovelace <ada@example.com>");
        assert_eq!(
            (ada.name.as_str(), ada.email.as_deref()),
            ("Ada Lovelace", Some("ada@example.com"))
        );
        for text in ["The Acme authors", "<ada@example.com>", "a < b"] {
            let person = Person::parse(text);
            assert_eq!((person.name.as_str(), person.email), (text, None));
        }
    }

    #[test]
    fn names_and_versions_are_those_that_npm_takes() {
        let dir = Path::new("acme");
        for name in ["acme", "acme-crm", "@acme/crm.v2", "7zip"] {
            assert!(check_name(dir, name).is_ok(), "{name}");
        }
        for name in [
            "", "Acme", "../acme", "a/b", "@acme", "@/crm", "-acme", "acme crm",
        ] {
            assert!(check_name(dir, name).is_err(), "{name}");
        }
        for version in ["1.0.0", "0.1.0-beta.1", "1.2.3+build"] {
            assert!(check_version(dir, version).is_ok(), "{version}");
        }
        for version in ["1", "1.0", "1.0.0.0", "1..0", "v1.0.0", "1.0.0-/../x"] {
            assert!(check_version(dir, version).is_err(), "{version}");
        }
    }

    #[test]
    fn a_licence_s_file_is_known_by_its_name() {
        for name in ["LICENSE", "LICENSE-MIT", "licence.md", "COPYING.txt"] {
            assert!(is_license(Path::new(name)), "{name}");
        }
        for name in ["license.rs", "README.md", "unlicensed"] {
            assert!(!is_license(Path::new(name)), "{name}");
        }
    }
}
