//! Tokens of credentials of the scheme `oauth2`: where they are kept, and where access tokens come from.
//!
//! Three things make an access token, and a runner has one of them:
//!
//! | a runner has | it is for |
//! | --- | --- |
//! | a [`TokenStore`] | the grant `authorizationCode`: the user logged in ([`Runner::begin_login`](crate::Runner::begin_login)), the tokens are stored, and the host renews them |
//! | a [`TokenSource`] | an embedder that has a log-in of its own and hands out access tokens |
//! | neither | the grant `clientCredentials`: the host asks for a token, and keeps it in memory |
//!
//! The access token is added to requests as a session is, outside the sandbox. No instance of the node sees a token.

mod conformance;
mod file;
mod renewal;
mod source;
mod store;
#[cfg(test)]
mod tests;

pub use conformance::{StoreFault, StoreRule, check_token_store};
pub use file::FileTokenStore;
pub use nodule_core::oauth2::{StoredTokens, StoredTokensError, TokenBinding};
pub use source::{AccessToken, Need, TokenSource};
pub use store::{LockedTokens, TokenStore, TokenStoreError};

pub(crate) use renewal::{ClientCredentials, Renewal};
pub(crate) use source::TokenSessions;
pub(crate) use store::unusable;
