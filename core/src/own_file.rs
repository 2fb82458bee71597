//! Files with personal data: only their owner may access them, and they are never opened through a symbolic link.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// New files are readable by their owner only. Opening refuses symbolic links, and does not wait for a writer as a pipe
/// would.
#[must_use]
pub fn options() -> OpenOptions {
    let mut options = File::options();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options
            .mode(0o600)
            .custom_flags(flags.bits().try_into().unwrap_or_default());
    }
    options
}

/// Why a file is refused.
#[derive(Debug)]
pub enum Refused {
    /// It is a symbolic link, a folder or a pipe.
    NoFile(&'static str),
    /// It belongs to another user, who may change it at any time.
    NotOwn,
    /// The system reported an error.
    System(io::Error),
}

/// Opens an existing file, and restricts it to its owner if others have access.
pub fn open(path: &Path, options: &OpenOptions) -> Result<File, Refused> {
    let file = options.open(path).map_err(|error| refused(path, error))?;
    let found = file.metadata().map_err(Refused::System)?;
    if !found.is_file() {
        return Err(Refused::NoFile(if found.is_dir() {
            "a folder"
        } else {
            "a device or pipe"
        }));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        const OTHERS: u32 = 0o077;
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(Refused::NotOwn);
        }
        if found.mode() & OTHERS != 0 {
            // Through the open file: this is the file that was checked, even if the name leads elsewhere by now.
            file.set_permissions(std::fs::Permissions::from_mode(found.mode() & 0o700))
                .map_err(Refused::System)?;
        }
    }
    Ok(file)
}

/// Gives a replacement file the mode of the file that it replaces, because somebody opened that one to others on
/// purpose. The mode of a link, or of another user's file, is ignored.
pub fn keep_mode(old: &Path, new: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        if let Ok(found) = std::fs::symlink_metadata(old)
            && found.is_file()
            && found.uid() == rustix::process::geteuid().as_raw()
        {
            return new.set_permissions(std::fs::Permissions::from_mode(found.mode() & 0o666));
        }
    }
    #[cfg(not(unix))]
    let _ = (old, new);
    Ok(())
}

/// The system's error for a link does not mention links.
fn refused(path: &Path, error: io::Error) -> Refused {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Refused::NoFile("a symbolic link"),
        _ => Refused::System(error),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_file_of_ones_own_becomes_ones_own_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "text").unwrap();
        for mode in [0o666, 0o644, 0o640, 0o604, 0o600] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let file = open(&path, options().read(true)).unwrap();
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"text");
    }

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, pipe] = ["file", "link", "pipe"].map(|name| folder.path().join(name));
        std::fs::write(&file, "").unwrap();
        symlink(&file, &link).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        for (path, expected) in [
            (&link, "link"),
            (&pipe, "pipe"),
            (&folder.path().to_owned(), "folder"),
        ] {
            let refused = open(path, options().read(true)).unwrap_err();
            assert!(
                matches!(refused, Refused::NoFile(what) if what.contains(expected)),
                "{refused:?}"
            );
        }
        assert!(matches!(
            open(&folder.path().join("none"), options().read(true)),
            Err(Refused::System(_))
        ));
    }

    /// Only root can change a file's owner.
    #[test]
    fn another_users_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "").unwrap();
        if std::os::unix::fs::chown(&path, Some(4711), None).is_ok() {
            assert!(matches!(open(&path, options().read(true)), Err(Refused::NotOwn)));
        }
    }
}
