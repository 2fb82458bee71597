//! The folder of compiled components. It is used only if no other user can write to it.
//!
//! Files in the folder run as machine code. Anyone who can put a file there, or replace the folder or one of its
//! parents, can run code as this user, whatever digest was pinned. So before use, from the root of the file system
//! downwards:
//!
//! - the path has to be absolute, and after resolving its symbolic links, every folder in it has to belong to this user
//!   or to root;
//! - neither the group nor others may be able to write to these folders, except to sticky parents such as `/tmp`, where
//!   nobody can rename or remove another user's files;
//! - everything in the folder has to belong to this user or to root, must not be writable by others, and has to be a
//!   folder or a file, not a link.
//!
//! The checks use paths, which is safe: once a folder has passed, only this user and root can change what its names
//! refer to, and each folder passes before anything below it is checked. Only what this user and root do meanwhile
//! remains.
//!
//! Nothing is checked on systems other than Unix. Access control lists count only as far as the mode shows them; on
//! Linux the group bits show the list's mask.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Creates the folder if necessary, for this user alone, and checks it. Returns the path without symbolic links.
pub(crate) fn prepare(dir: &Path) -> Result<PathBuf, Error> {
    // A relative or empty path depends on the process's working directory.
    if !dir.is_absolute() {
        return Err(Error::CacheDir {
            path: dir.to_owned(),
            problem: "expected an absolute path".to_owned(),
        });
    }
    let broken = |source: io::Error| Error::File {
        path: dir.to_owned(),
        source,
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(broken)?;
    let dir = dir.canonicalize().map_err(broken)?;
    #[cfg(unix)]
    unix::check(&dir)?;
    Ok(dir)
}

#[cfg(unix)]
mod unix {
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use crate::error::Error;

    /// Write permission for the group or for others.
    const WRITTEN_BY_OTHERS: u32 = 0o022;
    /// In a sticky folder only the owner of a file may rename or remove it.
    const STICKY: u32 = 0o1000;
    /// Wasmtime keeps one or two files per component, and removes old ones long before there are this many.
    const MOST_ENTRIES: usize = 100_000;

    pub(super) fn check(dir: &Path) -> Result<(), Error> {
        let mut way: Vec<&Path> = dir.ancestors().skip(1).collect();
        way.reverse();
        for above in way {
            let found = look(above)?;
            if !found.is_dir() {
                return Err(refused(above, "expected a folder"));
            }
            owned(above, &found)?;
            if found.mode() & WRITTEN_BY_OTHERS != 0 && found.mode() & STICKY == 0 {
                return Err(refused(above, "others may write to it"));
            }
        }
        let mut open = vec![dir.to_owned()];
        let mut seen = 0;
        while let Some(path) = open.pop() {
            let found = look(&path)?;
            if !found.is_dir() && !found.is_file() {
                return Err(refused(&path, "expected a folder or a file"));
            }
            owned(&path, &found)?;
            if found.mode() & WRITTEN_BY_OTHERS != 0 {
                return Err(refused(&path, "others may write to it"));
            }
            if found.is_file() {
                continue;
            }
            let broken = |source| Error::File {
                path: path.clone(),
                source,
            };
            for entry in std::fs::read_dir(&path).map_err(broken)? {
                seen += 1;
                if seen > MOST_ENTRIES {
                    return Err(refused(&path, "it holds too many files"));
                }
                open.push(entry.map_err(broken)?.path());
            }
        }
        Ok(())
    }

    /// The metadata at the path, without following links.
    fn look(path: &Path) -> Result<Metadata, Error> {
        std::fs::symlink_metadata(path).map_err(|source| Error::File {
            path: path.to_owned(),
            source,
        })
    }

    fn owned(path: &Path, found: &Metadata) -> Result<(), Error> {
        let is_trusted = found.uid() == 0 || found.uid() == rustix::process::geteuid().as_raw();
        if is_trusted {
            Ok(())
        } else {
            Err(refused(path, "it belongs to another user"))
        }
    }

    fn refused(path: &Path, problem: &str) -> Error {
        Error::CacheDir {
            path: path.to_owned(),
            problem: problem.to_owned(),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path, mode: u32) -> io::Result<()> {
        fs::set_permissions(path, Permissions::from_mode(mode))
    }

    fn problem(dir: &Path) -> String {
        prepare(dir)
            .err()
            .map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn it_is_made_for_its_user_alone_and_used_again() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("a/cache");
        let made = prepare(&dir).unwrap();
        for folder in [&made, made.parent().unwrap()] {
            assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
        }
        fs::create_dir(made.join("modules")).unwrap();
        fs::write(made.join("modules/one"), "").unwrap();
        assert_eq!(prepare(&dir).unwrap(), made);
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused_wherever_it_is() {
        for wrong in [0o770, 0o707, 0o777, 0o720, 0o702] {
            let base = tempfile::tempdir().unwrap();
            let dir = prepare(&base.path().join("above/cache")).unwrap();
            let (sub, file) = (dir.join("modules"), dir.join("modules/one"));
            fs::create_dir(&sub).unwrap();
            fs::write(&file, "").unwrap();
            for path in [dir.parent().unwrap(), &dir, &sub, &file] {
                let right = fs::metadata(path).unwrap().permissions().mode();
                mode(path, wrong).unwrap();
                let said = problem(&dir);
                assert!(
                    said.contains("others may write") && said.contains(&*path.to_string_lossy()),
                    "{said}"
                );
                mode(path, right).unwrap();
                prepare(&dir).unwrap();
            }
        }
    }

    #[test]
    fn a_sticky_folder_may_stand_above_it_and_not_be_it() {
        let base = tempfile::tempdir().unwrap();
        let above = base.path().join("above");
        fs::create_dir(&above).unwrap();
        mode(&above, 0o1777).unwrap();
        prepare(&above.join("cache")).unwrap();
        assert!(problem(&above).contains("others may write"));
    }

    #[test]
    fn links_are_followed_to_the_folder_and_refused_in_it() {
        let base = tempfile::tempdir().unwrap();
        let (good, open) = (base.path().join("good"), base.path().join("open"));
        prepare(&good).unwrap();
        fs::create_dir(&open).unwrap();
        fs::create_dir(open.join("cache")).unwrap();
        mode(&open, 0o777).unwrap();
        let link = base.path().join("link");
        symlink(&good, &link).unwrap();
        assert_eq!(prepare(&link).unwrap(), good.canonicalize().unwrap());
        // The target of a link counts, not the folder of the link.
        let link = base.path().join("link-out");
        symlink(open.join("cache"), &link).unwrap();
        assert!(problem(&link).contains("others may write"));
        symlink("/etc/passwd", good.join("entry")).unwrap();
        assert!(problem(&good).contains("expected a folder or a file"));
    }

    #[test]
    fn a_path_that_depends_on_where_the_process_is_is_refused() {
        for path in ["", "cache", "./cache", "../cache"] {
            assert!(problem(Path::new(path)).contains("absolute"), "{path}");
        }
    }

    /// Only root can change a file's owner, so without root the test does nothing, as does the row of the hostile
    /// tests.
    #[test]
    fn what_belongs_to_another_user_is_refused() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let base = tempfile::tempdir().unwrap();
        let dir = prepare(&base.path().join("above/cache")).unwrap();
        let file = dir.join("one");
        fs::write(&file, "").unwrap();
        for path in [dir.parent().unwrap(), &dir, &file] {
            std::os::unix::fs::chown(path, Some(4711), None).unwrap();
            assert!(problem(&dir).contains("another user"), "{}", path.display());
            std::os::unix::fs::chown(path, Some(0), None).unwrap();
        }
    }
}
