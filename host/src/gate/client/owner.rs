//! The owner of a connection: a component, a tenant and a credential with its secret.

use std::fmt;

use crate::error::Error;
use crate::gate::keyed_digest::{KeyedDigest, KeyedDigests};
use nodule_core::credential::Credential;

/// A keyed digest of component, tenant and credential, so that a pool's key reveals none of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Owner(KeyedDigest);

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner")
    }
}

/// Distinguishes the owners of one engine.
pub(super) struct Owners(KeyedDigests);

impl Owners {
    /// # Errors
    ///
    /// The system provides no randomness.
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self(KeyedDigests::new()?))
    }

    /// The owner of the connections that a component uses for a tenant and a credential, if any.
    pub(super) fn owner(&self, digest: &str, tenant: &str, credential: Option<&Credential>) -> Owner {
        let bound = credential.map(|credential| [credential.name(), credential.json().expose()]);
        let parts = [digest, tenant].into_iter().chain(bound.into_iter().flatten());
        self.digest(parts)
    }

    fn digest<'a>(&self, parts: impl Iterator<Item = &'a str>) -> Owner {
        Owner(self.0.of(parts))
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
