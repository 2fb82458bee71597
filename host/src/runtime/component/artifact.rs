//! Compiled components as bytes, to be kept or sent by an embedder and loaded again.
//!
//! Compiled code is run as it is: whoever can change it runs code of their own in this process, outside of the sandbox. Wasmtime's
//! function that loads it is therefore `unsafe`, and asks that the bytes are what its counterpart gave. An artefact has a
//! keyed digest (HMAC-SHA-256) of all that is in it, with a key that the embedder has; it is checked, on bytes that nobody else
//! can change meanwhile, before anything of them is read. Another key, a changed byte or another version of this library is an error.

use std::fmt;
use std::ops::Range;

use ring::hmac;

use super::compile;
use crate::error::Error;
use crate::runtime::bindings::NodePre;
use crate::runtime::engine::Engine;

/// What an artefact begins with; the number is that of its format.
const MAGIC: &[u8] = b"nodule component 1\n";
/// Of a tag by HMAC-SHA-256.
const TAG_BYTES: usize = 32;
/// As long as the digest: a key that is shorter can be guessed sooner.
const KEY_BYTES: usize = 32;
/// What an artefact of this build says of itself. Another version may refuse components that this one takes.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Signs compiled components, and says which of them an engine takes: whoever has it can run machine code in every process that
/// loads artefacts with it. Keep it as a secret, and apart from the artefacts. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct ArtifactKey(hmac::Key);

impl ArtifactKey {
    /// A key of at least 32 random bytes.
    ///
    /// # Errors
    ///
    /// It is shorter.
    pub fn new(secret: &[u8]) -> Result<Self, Error> {
        if secret.len() < KEY_BYTES {
            return Err(broken(format!(
                "expected a key of at least {KEY_BYTES} random bytes, found {}",
                secret.len()
            )));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }
}

impl fmt::Debug for ArtifactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArtifactKey([secret])")
    }
}

/// An artefact whose key was the right one.
pub(super) struct Opened {
    /// Of the component.
    pub(super) digest: String,
    artifact: Vec<u8>,
    /// Where in it the code is.
    code: Range<usize>,
}

/// The artefact of a compiled component.
pub(super) fn seal(pre: &NodePre, digest: &str, key: &ArtifactKey) -> Result<Vec<u8>, Error> {
    let code = pre
        .component()
        .serialize()
        .map_err(|error| broken(format!("{error:#}")))?;
    let mut artifact = [MAGIC, format!("{VERSION}\n{digest}\n").as_bytes()].concat();
    artifact.extend(code);
    let tag = hmac::sign(&key.0, &artifact);
    artifact.extend(tag.as_ref());
    Ok(artifact)
}

/// Check that this key made the artefact. Blocks for as long as reading some megabytes takes.
pub(super) fn open(artifact: Vec<u8>, key: &ArtifactKey) -> Result<Opened, Error> {
    let none = || broken("it is none, or has another format".to_owned());
    let (signed, tag) = artifact.split_last_chunk::<TAG_BYTES>().ok_or_else(none)?;
    let content = signed.strip_prefix(MAGIC).ok_or_else(none)?;
    hmac::verify(&key.0, signed, tag)
        .map_err(|_| broken("another key made it, or it was changed afterwards".to_owned()))?;
    // From here on it is what `seal` gave.
    let mut lines = content.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (version, digest, code) = (line(), line(), line());
    if version != VERSION.as_bytes() {
        return Err(broken(format!(
            "it is of version {} of this library, and this is {VERSION}",
            String::from_utf8_lossy(version)
        )));
    }
    Ok(Opened {
        digest: String::from_utf8_lossy(digest).into_owned(),
        code: signed.len() - code.len()..signed.len(),
        artifact,
    })
}

impl Opened {
    /// Make its code ready to run. Blocks.
    pub(super) fn link(&self, engine: &Engine) -> Result<NodePre, Error> {
        let code = self.artifact.get(self.code.clone()).unwrap_or_default();
        #[expect(
            unsafe_code,
            reason = "the bytes are those that `Component::serialize` gave: `open` checked a keyed digest of all of them, and nobody \
                      else has had them since"
        )]
        // SAFETY: as the reason says. Of another version of Wasmtime, other settings or another machine, they are an error.
        let component = unsafe { wasmtime::component::Component::deserialize(engine.wasmtime(), code) };
        compile::link(engine, &component.map_err(|error| broken(format!("{error:#}")))?)
    }
}

fn broken(problem: String) -> Error {
    Error::Artifact { problem }
}
