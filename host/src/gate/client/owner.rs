//! Whose connections they are: a component, a tenant and a credential, secret included.

use std::fmt;

use ring::hmac;

use crate::error::Error;
use nodule_core::credential::Credential;

/// A keyed digest of component, tenant and credential: what is kept of them in a pool's key says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Owner([u8; 32]);

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner")
    }
}

/// Tells the owners of one engine apart.
pub(super) struct Owners {
    /// Of this engine alone.
    key: hmac::Key,
}

impl Owners {
    /// # Errors
    ///
    /// The machine has no randomness.
    pub(super) fn new() -> Result<Self, Error> {
        let random = ring::rand::SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random).map_err(|_| Error::Engine {
            message: "the system has no random numbers".to_owned(),
        })?;
        Ok(Self { key })
    }

    /// The owner of what the component of this digest does for a tenant, with a credential or without one.
    pub(super) fn owner(&self, digest: &str, tenant: &str, credential: Option<&Credential>) -> Owner {
        let secret = credential.map(|credential| credential.json().expose());
        let parts = [digest, tenant].into_iter().chain(secret);
        self.digest(parts)
    }

    fn digest<'a>(&self, parts: impl Iterator<Item = &'a str>) -> Owner {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            // Without the lengths, two different lists of parts could be one text.
            context.update(&part.len().to_le_bytes());
            context.update(part.as_bytes());
        }
        let mut owner = Owner([0; 32]);
        owner.0.copy_from_slice(context.sign().as_ref());
        owner
    }

    /// An owner by name.
    #[cfg(test)]
    pub(super) fn named(&self, name: &str) -> Owner {
        self.digest([name].into_iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_a_component_a_tenant_and_a_credential() {
        let owners = Owners::new().unwrap();
        let owner = |parts: &[&str]| owners.digest(parts.iter().copied());
        let mine = owner(&["sha256:1", "tenant", "{\"secret\":\"a\"}"]);
        assert_eq!(mine, owner(&["sha256:1", "tenant", "{\"secret\":\"a\"}"]));
        for other in [
            &["sha256:2", "tenant", "{\"secret\":\"a\"}"][..],
            &["sha256:1", "tenan", "t{\"secret\":\"a\"}"],
            &["sha256:1", "tenant", "{\"secret\":\"b\"}"],
            &["sha256:1", "tenant", ""],
            &["sha256:1", "tenant"],
        ] {
            assert_ne!(mine, owner(other), "{other:?}");
        }
        assert_eq!(format!("{mine:?}"), "Owner");
    }
}
