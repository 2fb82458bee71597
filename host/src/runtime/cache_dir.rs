//! The folder of compiled components, which is used only if nobody else can write to it.
//!
//! What is read from the folder is run as machine code, so whoever can put a file there, or replace the folder or one above it,
//! runs code as this user, whatever digest was asked for. Before the folder is used it is made sure, from the root of the file
//! system downwards, that
//!
//! - its path is absolute and, with its symbolic links resolved, every folder of it belongs to this user or to root;
//! - none of these folders can be written by the group or by others, but for those above the last one that are sticky (`/tmp`),
//!   in which nobody can rename or remove what is another's;
//! - everything in the folder belongs to this user or to root, cannot be written by others, and is a folder or a file: no link.
//!
//! The checks go by path. They hold all the same: once a folder has passed, only this user and root can change what its names lead
//! to, and it passes before anything below it is looked at. What is left is what this user and root do meanwhile.
//!
//! Not checked: on systems other than Unix nothing is. Access control lists count as far as the mode shows them, which Linux makes
//! it do (the group's bits are the list's mask).

use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Make the folder where it is not there, for this user alone, and check it. The path that comes back has no links in it.
pub(crate) fn prepare(dir: &Path) -> Result<PathBuf, Error> {
    // A relative path, or an empty one, is another folder wherever the process is started.
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

    /// Those who may write beside the owner.
    const WRITTEN_BY_OTHERS: u32 = 0o022;
    /// In such a folder only the owner of a file may rename or remove it.
    const STICKY: u32 = 0o1000;
    /// Wasmtime keeps a file or two for each component, and removes old ones long before there are so many.
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

    /// What is there, links not followed.
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
        // What counts is where the link leads to, not where it is.
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

    /// Only root can give a file away; elsewhere the row of the hostile tests is not run either.
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
