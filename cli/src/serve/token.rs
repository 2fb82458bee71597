//! The token that every request needs. The socket's folder keeps other users out; the token keeps out processes of the
//! same user that were not given it.

use std::path::{Path, PathBuf};

use nodule::secret::Secret;
use ring::error::Unspecified;
use ring::hmac;
use ring::rand::{SystemRandom, generate};

use crate::exit::Failed;

/// The keyed digest of the token, enough to verify it.
pub struct Token {
    key: hmac::Key,
    tag: hmac::Tag,
    /// The token's file, removed when the server stops.
    file: Option<PathBuf>,
}

impl Token {
    /// Uses the given token, or generates one and writes it beside the socket.
    pub fn new(given: Option<&Secret>, socket: &Path) -> Result<Self, Failed> {
        let random = SystemRandom::new();
        let no_random = |_| Failed::usage("the system has no random numbers".to_owned());
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random).map_err(no_random)?;
        if let Some(token) = given {
            let tag = hmac::sign(&key, token.expose().as_bytes());
            return Ok(Self { key, tag, file: None });
        }
        let token = unguessable::<32>().map_err(no_random)?;
        let mut name = socket.as_os_str().to_owned();
        name.push(".token");
        let file = PathBuf::from(name);
        write(&file, &token)
            .map_err(|error| Failed::usage(format!("{}: {error}", nodule::text::path(&file))))?;
        let tag = hmac::sign(&key, token.as_bytes());
        Ok(Self {
            key,
            tag,
            file: Some(file),
        })
    }

    /// Whether this is the token, compared in constant time.
    pub fn is(&self, said: &[u8]) -> bool {
        hmac::verify(&self.key, said, self.tag.as_ref()).is_ok()
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// So many random bytes in lower-case hexadecimal.
pub fn unguessable<const BYTES: usize>() -> Result<String, Unspecified> {
    let bytes: [u8; BYTES] = generate(&SystemRandom::new())?.expose();
    Ok(bytes.iter().fold(String::with_capacity(2 * BYTES), |text, byte| {
        text + &format!("{byte:02x}")
    }))
}

/// Writes a new file that only its owner can read, and removes an old one first.
fn write(file: &Path, token: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(token.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_its_own_stands_beside_the_socket_while_it_counts() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let token = Token::new(None, &socket).unwrap();
        let file = folder.path().join("s.token");
        let text = std::fs::read(&file).unwrap();
        assert_eq!(text.len(), 64);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(token.is(&text) && !token.is(b"") && !token.is(&text[1..]));
        drop(token);
        assert!(!file.exists());
    }
}
