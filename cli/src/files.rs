//! Small files that are read whole: credentials and policies. Warns if other users can read or change them.

use std::io::Read as _;
use std::path::Path;

use nodule::text;

use crate::exit::{Failed, hint, warning};

/// A credential has a handful of fields and a policy a few entries per host; parsed, a text takes up to fifty times its
/// size.
const MAX_BYTES: u64 = 1024 * 1024;

/// What other users must not do with a kind of file.
pub struct Care {
    /// The kind of file, for messages.
    what: &'static str,
    /// Mode bits that the file should not have.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no such bits"))]
    unwanted: u32,
    remedy: &'static str,
}

/// Contains a secret and the URL that it is sent to.
pub const CREDENTIAL: Care = Care {
    what: "credential",
    unwanted: 0o006,
    remedy: "make it your own (`chown`) and yours alone (`chmod go=`)",
};
/// Contains a token and a proxy's password.
pub const SETTINGS: Care = Care {
    what: "settings",
    ..CREDENTIAL
};
/// Who has it is taken for the owner of the client certificate.
pub const CLIENT_KEY: Care = Care {
    what: "private key",
    ..CREDENTIAL
};
/// Decides which servers are trusted.
pub const CERTIFICATES: Care = Care {
    what: "file of certificates",
    ..POLICY
};
/// Decides what a node may reach.
pub const POLICY: Care = Care {
    what: "policy",
    unwanted: 0o002,
    remedy: "make it your own (`chown`), which nobody else may change (`chmod go-w`)",
};

/// Reads a whole UTF-8 text file.
pub fn read(path: &Path, care: &Care) -> Result<String, Failed> {
    let broken = |error: std::io::Error| Failed::usage(format!("{}: {error}", text::path(path)));
    let file = std::fs::File::open(path).map_err(broken)?;
    let found = file.metadata().map_err(broken)?;
    if let Some(problem) = problem(&found, care) {
        warning(&format!("{}: {problem}", text::path(path)));
        hint(&format!("{}, and look whether it is as you left it", care.remedy));
    }
    let mut bytes = Vec::new();
    if found.len() <= MAX_BYTES {
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(broken)?;
    }
    if found.len() > MAX_BYTES || bytes.len() as u64 > MAX_BYTES {
        return Err(Failed::usage(format!(
            "{}: expected a {} of at most {MAX_BYTES} bytes, found more",
            text::path(path),
            care.what
        )));
    }
    String::from_utf8(text::utf8(bytes)).map_err(|_| {
        Failed::usage(format!(
            "{}: expected a {} in UTF-8, found other bytes",
            text::path(path),
            care.what
        ))
    })
}

/// What other users can do with the file. Pipes and devices are not checked: they are the responsibility of the person
/// who passed them.
#[cfg(unix)]
fn problem(found: &std::fs::Metadata, care: &Care) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let Care { what, unwanted, .. } = care;
    if !found.is_file() {
        return None;
    }
    let is_trusted = found.uid() == 0 || found.uid() == rustix::process::geteuid().as_raw();
    if !is_trusted {
        return Some(format!("the {what} belongs to another user, who may change it"));
    }
    match found.mode() & unwanted {
        0 => None,
        bits if bits & 0o002 != 0 => Some(format!("everybody on this machine may change the {what}")),
        _ => Some(format!("everybody on this machine may read the {what}")),
    }
}

#[cfg(not(unix))]
fn problem(_: &std::fs::Metadata, _: &Care) -> Option<String> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_others_can_do_is_told_and_nothing_else() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let told = |mode: u32, care: &Care| {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            problem(&file.path().metadata().unwrap(), care).unwrap_or_default()
        };
        for mode in [0o600, 0o640, 0o660, 0o400] {
            assert_eq!(
                (told(mode, &CREDENTIAL), told(mode, &POLICY)),
                <_>::default(),
                "{mode:o}"
            );
        }
        assert!(told(0o644, &CREDENTIAL).contains("read the credential"));
        assert_eq!(told(0o644, &POLICY), "");
        assert!(told(0o666, &CREDENTIAL).contains("change the credential"));
        assert!(told(0o646, &POLICY).contains("change the policy"));
    }

    #[test]
    fn a_file_of_another_editor_is_read_as_its_text() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let utf16: Vec<u8> = "\u{feff}ü = 1"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for bytes in ["ü = 1".as_bytes(), "\u{feff}ü = 1".as_bytes(), &utf16] {
            std::fs::write(file.path(), bytes).unwrap();
            assert_eq!(read(file.path(), &POLICY).ok().unwrap(), "ü = 1", "{bytes:?}");
        }
        std::fs::write(file.path(), b"a = \"\xfc\"").unwrap();
        let refused = read(file.path(), &POLICY).err().unwrap().to_string();
        assert!(refused.contains("expected a policy in UTF-8"), "{refused}");
    }

    #[test]
    fn a_large_file_and_one_without_end_are_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(MAX_BYTES + 1).unwrap();
        for path in [file.path(), Path::new("/dev/zero")] {
            assert!(read(path, &POLICY).is_err(), "{}", path.display());
        }
        file.as_file().set_len(MAX_BYTES).unwrap();
        assert!(read(file.path(), &POLICY).is_ok());
    }
}
