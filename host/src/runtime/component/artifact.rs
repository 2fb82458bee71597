//! Compiled components as bytes that an embedder can store or send, and load again.
//!
//! Compiled code runs as it is: whoever can change it can run their own code in this process, outside the sandbox.
//! Wasmtime's function that loads it is therefore `unsafe`, and requires bytes that its counterpart made. An artefact
//! carries a keyed digest (HMAC-SHA-256) of its whole content, with the embedder's key. The digest is checked before
//! anything is read, on bytes that nobody else can change meanwhile. Another key, a changed byte or another version of
//! this library is an error.

use std::fmt;
use std::ops::Range;

use ring::hmac;

use super::compile;
use crate::error::Error;
use crate::runtime::bindings::NodePre;
use crate::runtime::engine::Engine;

/// The first bytes of an artefact, with the number of its format.
const MAGIC: &[u8] = b"nodule component 1\n";
/// The size of an HMAC-SHA-256 tag.
const TAG_BYTES: usize = 32;
/// The minimum size of a key, the digest's: a shorter one is easier to guess.
const KEY_BYTES: usize = 32;
/// The version in artefacts of this build. Another version may refuse components that this one accepts.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Signs compiled components, and decides which artefacts an engine accepts. Whoever has the key can run machine code
/// in every process that loads artefacts with it, so keep it secret and apart from the artefacts. Its `Debug` does not
/// show it.
#[derive(Clone)]
pub struct ArtifactKey(hmac::Key);

impl ArtifactKey {
    /// Makes a key from at least 32 random bytes.
    ///
    /// # Errors
    ///
    /// The secret is shorter.
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

/// An artefact that this key signed.
pub(super) struct Opened {
    /// The component's digest.
    pub(super) digest: String,
    artifact: Vec<u8>,
    /// The position of the code in the artefact.
    code: Range<usize>,
}

/// Makes an artefact of a compiled component.
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

/// Checks that this key signed the artefact. Blocks while it reads some megabytes.
pub(super) fn open(artifact: Vec<u8>, key: &ArtifactKey) -> Result<Opened, Error> {
    let none = || broken("it is none, or has another format".to_owned());
    let (signed, tag) = artifact.split_last_chunk::<TAG_BYTES>().ok_or_else(none)?;
    let content = signed.strip_prefix(MAGIC).ok_or_else(none)?;
    hmac::verify(&key.0, signed, tag)
        .map_err(|_| broken("another key made it, or it was changed afterwards".to_owned()))?;
    // From here on, the content is what `seal` wrote.
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
    /// Makes the code ready to run. Blocks.
    pub(super) fn link(&self, engine: &Engine) -> Result<NodePre, Error> {
        let code = self.artifact.get(self.code.clone()).unwrap_or_default();
        #[expect(
            unsafe_code,
            reason = "the bytes are those that `Component::serialize` gave: `open` checked a keyed digest of all of them, and nobody \
                      else has had them since"
        )]
        // SAFETY: see the reason. Code of another Wasmtime version, of other settings or for another machine gives an
        // error.
        let component = unsafe { wasmtime::component::Component::deserialize(engine.wasmtime(), code) };
        compile::link(engine, &component.map_err(|error| broken(format!("{error:#}")))?)
    }
}

fn broken(problem: String) -> Error {
    Error::Artifact { problem }
}
