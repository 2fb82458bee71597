//! `nodule pack n8n`: a node as an npm package that n8n installs, under the node's own name.
//!
//! | file | what it is |
//! | --- | --- |
//! | `dist/bin/nodule-linux-x64` | this program: it runs the node, in a process of its own |
//! | `dist/runtime.js` | what n8n calls: resolves parameters, passes items to the program (`n8n/src`, bundled) |
//! | `dist/nodes/Acme/` | the node: its class, `component.wasm`, what n8n and the runtime know of it (`component.json`) |
//! | `dist/credentials/` | the credentials' classes |
//!
//! Classes hold nothing of the description but their names: the rest is JSON, which nothing runs.
//!
//! What the description declares as an origin is a wish; who packs the node grants it, by `declared` in `nodule.toml`, the line of a policy
//! file. A grant of what is not declared is refused: it would do nothing today, and something else with the node's next version.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use nodule::description::{Indexed, Node};
use nodule::{EngineConfig, text};

use super::build::{part_of, unwritten};
use super::package::Package;
use super::project::{Declared, Project};
use crate::args;
use crate::exit::{Exit, Failed};
use crate::output;
use crate::setup;

mod archive;
mod n8n_package;
mod page;

use self::n8n_package::{Contents, Names};

pub async fn n8n(args: &args::PackN8n) -> Result<Exit, Failed> {
    let project = Project::described(&args.dir, args.config.as_deref())?;
    let package = Package::of(&project)?;
    let file = match &args.component {
        Some(file) => file.clone(),
        None => Project::open(&args.dir)?.component()?,
    };
    let bytes = std::fs::read(&file).map_err(|error| {
        let failed = Failed::usage(format!("{}: {error}", text::path(&file)));
        match error.kind() {
            io::ErrorKind::NotFound => {
                failed.hint("`nodule build` makes the component of a node's folder".to_owned())
            }
            _ => failed,
        }
    })?;
    let (engine, _temporary) = setup::engine(&EngineConfig::default(), None, None)?;
    // What is packed is what is checked.
    let component = engine.load(&*bytes).await?;
    let digest = component.digest();
    let node = component.node();
    let granted = granted(&project.config.declared, node)
        .map_err(|why| Failed::usage(format!("{}: {why}", text::path(&args.dir))))?;
    let programs = programs(&args.binaries)?;
    let names = Names::of(&package, node);
    let page = page::of(&project, &names, node, &granted)?;
    let contents = Contents {
        package: &package,
        names: &names,
        node: &Indexed::new(node),
        component: &bytes,
        sha256: digest.strip_prefix("sha256:").unwrap_or(digest),
        granted: &granted,
        categories: &project.config.n8n.categories,
        programs: &programs,
        page: &page,
    };
    let files = contents.files().map_err(Failed::usage)?;

    let output = match &args.output {
        Some(output) if !output.is_dir() => output.clone(),
        folder => folder
            .as_ref()
            .unwrap_or(&args.dir)
            .join(names.file(&package.version)),
    };
    let broken = |error: &io::Error| unwritten(&output, error);
    let part = part_of(&output).map_err(|error| broken(&error))?;
    archive::write(part.as_file(), &files)?;
    let size = part.as_file().metadata().map_err(|error| broken(&error))?.len();
    part.persist(&output).map_err(|error| broken(&error.error))?;

    let mut said = format!(
        "{}: {size} bytes\n{} {}: {}\n",
        text::path(&output),
        names.package,
        package.version,
        package.license
    );
    for program in programs.keys() {
        let _ = writeln!(said, "program {program}");
    }
    for origin in &node.origins {
        let state = if granted.contains(&origin.url) {
            "granted"
        } else {
            "not granted"
        };
        let _ = writeln!(said, "{state}: {}", text::shown(&origin.url, 200));
    }
    output::print(&said)?;
    Ok(Exit::Done)
}

/// The granted origins, as the description writes them.
fn granted(declared: &Declared, node: &Node) -> Result<Vec<String>, String> {
    let urls: Vec<&str> = node.origins.iter().map(|origin| origin.url.as_str()).collect();
    match declared {
        Declared::All(false) => Ok(Vec::new()),
        Declared::All(true) => Ok(urls.into_iter().map(str::to_owned).collect()),
        Declared::These(these) => match these.iter().find(|url| !urls.contains(&url.as_str())) {
            None => Ok(these.clone()),
            Some(undeclared) => {
                let known = if urls.is_empty() {
                    "none".to_owned()
                } else {
                    format!("\"{}\"", urls.join("\", \""))
                };
                Err(format!(
                    "`declared`: \"{}\" is not an origin that the description declares: {}",
                    text::shown(undeclared, 200),
                    text::shown(&known, 1000)
                ))
            }
        },
    }
}

/// The host's programs by their names in the package: those of the folders, or this one for this platform.
fn programs(folders: &[PathBuf]) -> Result<BTreeMap<String, PathBuf>, Failed> {
    if folders.is_empty() {
        let own = std::env::current_exe()
            .map_err(|error| Failed::usage(format!("this program cannot find its own file: {error}")))?;
        return Ok(BTreeMap::from([(own_name(), own)]));
    }
    let mut programs = BTreeMap::new();
    for folder in folders {
        let broken = |error: io::Error| Failed::usage(format!("{}: {error}", text::path(folder)));
        let before = programs.len();
        for entry in std::fs::read_dir(folder).map_err(broken)? {
            let path = entry.map_err(broken)?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if !is_program(&name) {
                continue;
            }
            if let Some(other) = programs.insert(name, path.clone()) {
                return Err(Failed::usage(format!(
                    "expected one program for each platform, found {} and {}",
                    text::path(&other),
                    text::path(&path)
                )));
            }
        }
        if programs.len() == before {
            return Err(Failed::usage(format!(
                "{}: expected programs such as nodule-linux-x64, found none",
                text::path(folder)
            ))
            .hint("leave --binaries out, and this program is packed for this platform".to_owned()));
        }
    }
    Ok(programs)
}

/// What the package's runtime looks for: Node.js's words for the system and the processor.
fn own_name() -> String {
    let processor = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    format!(
        "nodule-{}-{processor}{}",
        std::env::consts::OS,
        std::env::consts::EXE_SUFFIX
    )
}

fn is_program(name: &str) -> bool {
    let Some((system, processor)) = name.strip_prefix("nodule-").and_then(|rest| rest.split_once('-')) else {
        return false;
    };
    let processor = if system == "windows" {
        processor.strip_suffix(".exe")
    } else {
        Some(processor)
    };
    ["linux", "macos", "windows"].contains(&system)
        && processor.is_some_and(|processor| ["x64", "arm64"].contains(&processor))
}

/// A part of the package, below its folder.
struct File {
    path: String,
    content: Content,
}

enum Content {
    Text(String),
    Bytes(Vec<u8>),
    /// A file of this machine, as it is.
    Copy(PathBuf),
    /// One that is to be run.
    Program(PathBuf),
}

impl File {
    fn text(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            content: Content::Text(text.into()),
        }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use nodule::description::EXAMPLE;

    use super::*;

    fn node() -> Node {
        let mut node: Node = serde_json::from_str(EXAMPLE).unwrap();
        let origin = node.origins.first().unwrap().clone();
        node.origins = ["https://a.example.com", "https://*.b.example.com"]
            .map(|url| nodule::description::Origin {
                url: url.to_owned(),
                ..origin.clone()
            })
            .to_vec();
        node
    }

    #[test]
    fn a_grant_is_of_what_the_description_declares() {
        let grants = |line: &str| {
            let config: super::super::project::Config = toml::from_str(line).unwrap();
            granted(&config.declared, &node())
        };
        assert_eq!(grants("").unwrap(), [""; 0]);
        assert_eq!(grants("declared = false").unwrap(), [""; 0]);
        assert_eq!(
            grants("declared = true").unwrap(),
            ["https://a.example.com", "https://*.b.example.com"]
        );
        assert_eq!(
            grants("declared = [\"https://*.b.example.com\"]").unwrap(),
            ["https://*.b.example.com"]
        );
        for url in ["https://c.example.com", "https://x.b.example.com"] {
            let refused = grants(&format!("declared = [\"{url}\"]")).unwrap_err();
            assert_eq!(
                refused,
                format!(
                    "`declared`: \"{url}\" is not an origin that the description declares: \
                     \"https://a.example.com\", \"https://*.b.example.com\""
                )
            );
        }
        for line in ["declared = \"https://a.example.com\"", "declared = [1]"] {
            let refused = toml::from_str::<super::super::project::Config>(line).unwrap_err();
            assert!(
                refused
                    .message()
                    .contains("`declared`: expected true, false or a list"),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_program_is_known_by_its_name() {
        for name in ["nodule-linux-x64", "nodule-macos-arm64", "nodule-windows-x64.exe"] {
            assert!(is_program(name), "{name}");
        }
        for name in [
            "nodule",
            "nodule-linux-x64.sha256",
            "nodule-windows-x64",
            "nodule-linux-mips",
        ] {
            assert!(!is_program(name), "{name}");
        }
        assert!(is_program(&own_name()), "{}", own_name());
    }
}
