//! Sessions that no instance of the node makes: those of the scheme `fixed`, whose fields the host fills in, and of the
//! scheme `signed`, which add nothing to requests and only tell which secrets responses must not show.

use std::sync::Arc;

use super::checked::checked_access;
use crate::error::Error;
use crate::gate::access::{Access, Query};
use crate::runtime::session::Session;
use nodule_core::credential::{Credential, CredentialError};
use nodule_core::description::Node;

/// The session of a credential; `None` if its scheme is not `fixed`. It does not expire, and a service that refuses it
/// refuses the credential.
///
/// # Errors
///
/// A field's value cannot be a part of its header, or the values are larger than a request may get.
pub(crate) fn fixed_session(node: &Node, credential: &Credential) -> Result<Option<Session>, Error> {
    let Some(access) = credential.fixed(node)? else {
        return Ok(None);
    };
    let (headers, query) =
        checked_access(access.headers, access.query).map_err(|problem| CredentialError {
            message: format!("what it adds to requests {problem}"),
        })?;
    let access = Access::with_secrets(headers, query, access.secrets, credential.secrets().iter());
    Ok(Some(Session {
        generation: 0,
        access: Arc::new(access),
        renewal: None,
        ends: None,
    }))
}

/// The session of a credential that signs requests instead of having one.
pub(crate) fn signed_session(credential: &Credential) -> Session {
    let access = Access::new(Vec::new(), Query::new(Vec::new()), credential.secrets().iter());
    Session {
        generation: 0,
        access: Arc::new(access),
        renewal: None,
        ends: None,
    }
}
