//! Digests that identify a component, a tenant or a credential without revealing it.

use ring::hmac;

use crate::error::Error;

/// Reveals nothing about its input to anyone without the key.
pub(crate) type KeyedDigest = [u8; 32];

/// Makes digests with a random key, which lives as long as this.
pub(crate) struct KeyedDigests(hmac::Key);

impl KeyedDigests {
    /// # Errors
    ///
    /// The system provides no randomness.
    pub(crate) fn new() -> Result<Self, Error> {
        let random = ring::rand::SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random).map_err(|_| Error::Engine {
            message: "the system has no random numbers".to_owned(),
        })?;
        Ok(Self(key))
    }

    /// The digest of a list of texts.
    pub(crate) fn of<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> KeyedDigest {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            // Without the lengths, two different lists could give the same text.
            context.update(&part.len().to_le_bytes());
            context.update(part.as_bytes());
        }
        let mut digest = KeyedDigest::default();
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}
