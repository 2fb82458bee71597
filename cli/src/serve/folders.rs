//! The files that the server may use for its clients: those below the folders that it was started with. On Linux the
//! kernel enforces the same.

use std::path::{Path, PathBuf};

use super::problem::Answered;
use crate::exit::Failed;

/// The folders, with all links resolved.
pub struct Folders {
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
}

impl Folders {
    pub fn new(read: &[PathBuf], write: &[PathBuf]) -> Result<Self, Failed> {
        let all = |flag: &str, folders: &[PathBuf]| -> Result<Vec<PathBuf>, Failed> {
            let paths = folders.iter().map(|folder| {
                let found = folder.canonicalize().and_then(|found| {
                    if found.is_dir() {
                        Ok(found)
                    } else {
                        Err(std::io::ErrorKind::NotADirectory.into())
                    }
                });
                found.map_err(|error| {
                    Failed::usage(format!("{flag}: {}: {error}", nodule::text::path(folder)))
                })
            });
            paths.collect()
        };
        Ok(Self {
            read: all("--read", read)?,
            write: all("--write", write)?,
        })
    }

    pub fn read(&self) -> &[PathBuf] {
        &self.read
    }

    pub fn write(&self) -> &[PathBuf] {
        &self.write
    }

    /// The real path of a file, if it may be read.
    pub fn readable(&self, path: &Path) -> Result<PathBuf, Answered> {
        let real = path.canonicalize();
        let real = real
            .ok()
            .filter(|real| is_below(real, self.read.iter().chain(&self.write)));
        real.ok_or_else(|| refused(path, "--read"))
    }

    /// Checks that a file may be written, whether or not it exists.
    pub fn writable(&self, path: &Path) -> Result<(), Answered> {
        let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
        let real = match (path.canonicalize(), folder, path.file_name()) {
            (Ok(real), _, _) => Some(real),
            (Err(_), Some(folder), Some(name)) => Some(folder.join(name)),
            _ => None,
        };
        let is_allowed = real.is_some_and(|real| is_below(&real, &self.write));
        if is_allowed {
            Ok(())
        } else {
            Err(refused(path, "--write"))
        }
    }
}

fn is_below<'a>(real: &Path, folders: impl IntoIterator<Item = &'a PathBuf>) -> bool {
    folders.into_iter().any(|folder| real.starts_with(folder))
}

/// The error does not say whether the file exists: only those who may read it may know.
fn refused(path: &Path, flag: &str) -> Answered {
    Answered::request(format!(
        "{}: no file below a folder of `{flag}`",
        nodule::text::path(path)
    ))
    .hint(format!(
        "start the server with `{flag} FOLDER`, or send a component as bytes"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_below_is_touched() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        for folder in ["read", "write", "other"] {
            std::fs::create_dir(at(folder)).unwrap();
        }
        for file in ["read/a", "write/a", "other/a"] {
            std::fs::write(at(file), "").unwrap();
        }
        let folders = Folders::new(&[at("read")], &[at("write")]).unwrap();
        assert!(folders.readable(&at("read/a")).is_ok() && folders.readable(&at("write/a")).is_ok());
        assert!(folders.writable(&at("write/a")).is_ok() && folders.writable(&at("write/new")).is_ok());
        for path in ["other/a", "read/../other/a", "read/none", "other/none"] {
            assert!(folders.readable(&at(path)).is_err(), "{path}");
        }
        for path in [
            "read/a",
            "other/new",
            "write/../other/new",
            "write/none/new",
            "write/..",
        ] {
            assert!(folders.writable(&at(path)).is_err(), "{path}");
        }
        assert!(Folders::new(&[at("read/a")], &[]).is_err() && Folders::new(&[], &[at("none")]).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_leads_nowhere_else() {
        let home = tempfile::tempdir().unwrap();
        let (read, secret) = (home.path().join("read"), home.path().join("secret"));
        std::fs::create_dir(&read).unwrap();
        std::fs::write(&secret, "").unwrap();
        std::os::unix::fs::symlink(&secret, read.join("link")).unwrap();
        std::os::unix::fs::symlink(home.path(), read.join("folder")).unwrap();
        let folders = Folders::new(&[], std::slice::from_ref(&read)).unwrap();
        assert!(folders.readable(&read.join("link")).is_err());
        assert!(folders.writable(&read.join("link")).is_err());
        assert!(folders.writable(&read.join("folder/new")).is_err());
    }
}
