//! Checks the files of a command before any is opened: an output must not be the same file as any other input or
//! output.
//!
//! Files are compared by device and inode, since one file has many names: links, `./`, `/dev/stdout`. Terminals, pipes
//! and devices may be used twice, since that overwrites nothing.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use nodule::text;

use crate::exit::Failed;

/// Guards against cycles of links; Linux follows as many.
const MOST_LINKS: usize = 40;
/// Files that `SQLite` creates beside a database, and the journal's lock.
const BESIDE_A_JOURNAL: [&str; 4] = ["-lock", "-wal", "-shm", "-journal"];

/// Identifies a file independently of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Identity {
    #[cfg(unix)]
    File { device: u64, inode: u64 },
    /// A file that does not exist yet, or on a system without inode numbers. All links in the path are resolved.
    Named(PathBuf),
}

/// What a path resolves to, through all links.
#[derive(Debug)]
pub struct Target {
    pub path: PathBuf,
    /// The metadata of an existing file.
    pub found: Option<Metadata>,
}

impl Target {
    pub fn of(path: &Path) -> io::Result<Self> {
        match std::fs::metadata(path) {
            Ok(found) if found.is_file() => Ok(Self {
                path: path.canonicalize()?,
                found: Some(found),
            }),
            // A path below `/proc/self/fd` may lead to something without a name, such as a pipe.
            Ok(found) => Ok(Self {
                path: path.to_owned(),
                found: Some(found),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self {
                path: new(path)?,
                found: None,
            }),
            Err(error) => Err(error),
        }
    }

    /// `None` for anything that stores nothing, such as a terminal or a pipe.
    fn identity(&self) -> Option<Identity> {
        match &self.found {
            None => Some(Identity::Named(self.path.clone())),
            Some(found) if found.is_file() => Some(identity(found, &self.path)),
            Some(_) => None,
        }
    }
}

/// The path at which a new file would be created.
fn new(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_owned();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).canonicalize()?;
        let found = folder.join(name);
        match std::fs::read_link(&found) {
            Ok(link) => path = folder.join(link),
            Err(_) => return Ok(found),
        }
    }
    Err(io::Error::other("too many links"))
}

#[cfg(unix)]
fn identity(found: &Metadata, _: &Path) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    Identity::File {
        device: found.dev(),
        inode: found.ino(),
    }
}

#[cfg(not(unix))]
fn identity(_: &Metadata, path: &Path) -> Identity {
    Identity::Named(path.to_owned())
}

/// How the command uses a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Read,
    Written,
}

#[derive(Debug)]
struct Place {
    /// For messages: `--items`, `standard output`.
    name: String,
    identity: Identity,
    used: Use,
}

/// All files of a command.
#[derive(Debug, Default)]
pub struct Places {
    taken: Vec<Place>,
    output: Option<Identity>,
}

impl Places {
    /// Starts with the standard streams, which the shell may have redirected to files.
    pub fn new() -> Self {
        let mut places = Self {
            taken: Vec::new(),
            output: stream(io::stdout()),
        };
        for (name, identity) in [
            ("standard output", places.output.clone()),
            ("standard error", stream(io::stderr())),
        ] {
            if let Some(identity) = identity {
                places.taken.push(Place {
                    name: name.to_owned(),
                    identity,
                    used: Use::Written,
                });
            }
        }
        places
    }

    /// Registers an input; `-` is standard input. A missing file is reported by the code that opens it.
    pub fn read(&mut self, name: &str, path: &Path) -> Result<(), Failed> {
        let identity = if path == Path::new("-") {
            stream(io::stdin())
        } else {
            Target::of(path).ok().and_then(|target| target.identity())
        };
        match identity {
            Some(identity) => self.take(name.to_owned(), identity, Use::Read),
            None => Ok(()),
        }
    }

    /// Registers an output and resolves its path; `None` for standard output, under any of its names.
    pub fn write(&mut self, name: &str, path: &Path) -> Result<Option<Target>, Failed> {
        if path == Path::new("-") {
            return self.write_output(name);
        }
        let target = Target::of(path)
            .map_err(|error| Failed::usage(format!("{name}: {}: {error}", text::path(path))))?;
        let Some(identity) = target.identity() else {
            return Ok(Some(target));
        };
        if self.output.as_ref() == Some(&identity) {
            return self.write_output(name);
        }
        self.take(name.to_owned(), identity, Use::Written)?;
        Ok(Some(target))
    }

    /// Registers a database, including the files that it creates beside itself.
    pub fn journal(&mut self, name: &str, path: &Path) -> Result<(), Failed> {
        let Some(target) = self.write(name, path)? else {
            return Err(Failed::usage(format!(
                "{name}: expected a file, found standard output"
            )));
        };
        for beside in BESIDE_A_JOURNAL {
            let mut path = target.path.clone().into_os_string();
            path.push(beside);
            if let Some(identity) = Target::of(Path::new(&path))
                .ok()
                .and_then(|target| target.identity())
            {
                self.take(name.to_owned(), identity, Use::Written)?;
            }
        }
        Ok(())
    }

    /// Registers standard output, which only one output may use.
    fn write_output(&mut self, name: &str) -> Result<Option<Target>, Failed> {
        const OUTPUT: &str = "-";
        self.take(name.to_owned(), Identity::Named(OUTPUT.into()), Use::Written)?;
        Ok(None)
    }

    fn take(&mut self, name: String, identity: Identity, used: Use) -> Result<(), Failed> {
        let other = self
            .taken
            .iter()
            .find(|place| place.identity == identity && (place.used, used) != (Use::Read, Use::Read));
        if let Some(other) = other {
            return Err(Failed::usage(format!("{} and {name} are the same file", other.name))
                .hint("what is written would replace what is read, or what is written there too: give another file".to_owned()));
        }
        self.taken.push(Place { name, identity, used });
        Ok(())
    }
}

/// The file that a standard stream is redirected to.
#[cfg(unix)]
fn stream(stream: impl std::os::fd::AsFd) -> Option<Identity> {
    let file = std::fs::File::from(stream.as_fd().try_clone_to_owned().ok()?);
    let found = file.metadata().ok().filter(Metadata::is_file)?;
    Some(identity(&found, Path::new("")))
}

#[cfg(not(unix))]
fn stream<S>(_: S) -> Option<Identity> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        Places::default()
    }

    #[test]
    fn what_is_written_is_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        std::fs::hard_link(at("file"), at("hard")).unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        #[cfg(unix)]
        for (link, to) in [("link", "file"), ("dangling", "new"), ("folders", "folder")] {
            std::os::unix::fs::symlink(at(to), at(link)).unwrap();
        }
        let same = [
            ("file", "file"),
            ("file", "folder/../file"),
            ("new", "new"),
            ("new", "folder/../new"),
        ];
        let same_by_links = [
            ("file", "hard"),
            ("link", "hard"),
            ("new", "dangling"),
            ("folder/new", "folders/new"),
        ];
        let count = if cfg!(unix) { same_by_links.len() } else { 0 };
        for (one, other) in same.into_iter().chain(same_by_links.into_iter().take(count)) {
            let mut places = self::places();
            places.read("--items", &at(one)).unwrap();
            places.read("--policy", &at(other)).unwrap();
            let refused = places.write("--failed", &at(other)).unwrap_err().to_string();
            assert_eq!(refused, "--items and --failed are the same file", "{one} {other}");
            let mut places = self::places();
            assert!(places.write("--output", &at(one)).unwrap().is_some());
            assert!(places.write("--failed", &at(other)).is_err(), "{one} {other}");
            assert!(places.read("--items", &at(other)).is_err(), "{one} {other}");
        }
        let mut places = places();
        places.journal("--journal", &at("run.sqlite")).unwrap();
        for name in ["run.sqlite", "run.sqlite-wal", "run.sqlite-lock"] {
            assert!(places.write("--output", &at(name)).is_err(), "{name}");
        }
        assert!(places.write("--output", &at("run.sqlite.jsonl")).is_ok());
    }

    #[test]
    fn standard_output_takes_one_thing() {
        let mut places = places();
        assert!(places.write("--output", Path::new("-")).unwrap().is_none());
        let refused = places.write("--summary", Path::new("-")).unwrap_err().to_string();
        assert_eq!(refused, "--output and --summary are the same file");
        assert!(self::places().journal("--journal", Path::new("-")).is_err());
    }

    #[test]
    fn a_path_that_can_be_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["none/file", "new/", "..", "."] {
            let path = folder.path().join(name);
            let found = Target::of(&path);
            let is_folder = found.is_ok_and(|target| target.found.is_some_and(|found| found.is_dir()));
            assert!(is_folder || Target::of(&path).is_err(), "{name}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("loop", folder.path().join("loop")).unwrap();
            assert!(Target::of(&folder.path().join("loop")).is_err());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_device_may_be_given_twice() {
        let mut places = places();
        let null = Path::new("/dev/null");
        places.read("--items", null).unwrap();
        for name in ["--output", "--failed"] {
            assert!(places.write(name, null).unwrap().is_some());
        }
    }
}
