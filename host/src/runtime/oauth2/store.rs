//! Where the tokens of one credential are kept between runs.

use std::fmt;

use async_trait::async_trait;

use nodule_core::failure::{Failure, TOKEN_STORE};
use nodule_core::oauth2::StoredTokens;

/// The tokens of one credential, kept by whoever embeds the host.
///
/// Several processes and machines may use the same tokens. A provider may accept a refresh token only once, and may end
/// the whole log-in when it sees one again, so a renewal runs under the store's lock.
#[async_trait]
pub trait TokenStore: fmt::Debug + Send + Sync {
    /// What is stored, read without the lock; `None` if nobody has logged in.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is something else.
    async fn load(&self) -> Result<Option<StoredTokens>, TokenStoreError>;

    /// Waits until nobody else has the lock, and takes it.
    ///
    /// # Errors
    ///
    /// It cannot be taken in time, or what is stored could not be replaced: the provider is not asked then, since its
    /// answer would be lost.
    async fn lock(&self) -> Result<Box<dyn LockedTokens>, TokenStoreError>;
}

/// Stored tokens that nobody else replaces until this is dropped.
#[async_trait]
pub trait LockedTokens: Send {
    /// What is stored by now.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is something else.
    async fn load(&mut self) -> Result<Option<StoredTokens>, TokenStoreError>;

    /// Replaces what is stored, durably and as a whole.
    ///
    /// # Errors
    ///
    /// It could not be written. What was stored before is still there.
    async fn store(&mut self, tokens: &StoredTokens) -> Result<(), TokenStoreError>;
}

/// Tokens could not be loaded or stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the tokens of the log-in: {message}")]
pub struct TokenStoreError {
    /// What went wrong and where, without any token.
    pub message: String,
}

/// The failure of an item whose tokens cannot be used.
pub(crate) fn unusable(error: &TokenStoreError) -> Failure {
    Failure::Other {
        kind: TOKEN_STORE.into(),
        message: error.to_string(),
        detail: None,
    }
}
