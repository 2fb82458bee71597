//! The two sources of access tokens that are the host's own.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::source::{AccessToken, Need, TokenSource};
use super::store::{TokenStore, unusable};
use crate::gate::oauth2::{Granted, NotGranted, TokenEndpoint};
use nodule_core::failure::{Answer, Failure, LOGIN_REQUIRED};
use nodule_core::oauth2::StoredTokens;
use nodule_core::secret::Secret;

/// Asks with the client's own secret. The token is kept in memory, as a session.
#[derive(Debug)]
pub(crate) struct ClientCredentials {
    pub(crate) endpoint: Arc<TokenEndpoint>,
}

#[async_trait]
impl TokenSource for ClientCredentials {
    async fn token(&self, _: Need<'_>) -> Result<AccessToken, Failure> {
        match self.endpoint.client_credentials().await {
            Ok(granted) => Ok(AccessToken {
                token: granted.access_token,
                renew_at: granted.renew_at,
            }),
            Err(NotGranted::Failed(failure)) => Err(failure),
            Err(NotGranted::Grant(told)) => Err(Failure::Unauthenticated(Answer {
                message: format!("the provider refused the client: {told}"),
                ..Answer::default()
            })),
        }
    }
}

/// Takes tokens from a store, and renews them there.
#[derive(Debug, Clone)]
pub(crate) struct Renewal {
    pub(crate) endpoint: Arc<TokenEndpoint>,
    pub(crate) store: Arc<dyn TokenStore>,
}

#[async_trait]
impl TokenSource for Renewal {
    async fn token(&self, need: Need<'_>) -> Result<AccessToken, Failure> {
        let useless = match need {
            Need::First => None,
            Need::Ending(token) | Need::Refused(token) => Some(token.clone()),
        };
        let was_refused = matches!(need, Need::Refused(_));
        if useless.is_none() {
            let stored = self.store.load().await.map_err(|error| unusable(&error))?;
            let stored = self.bound(stored)?;
            if !stored.is_ending(Timestamp::now()) {
                return Ok(stored.into());
            }
        }
        // In a task of its own: whoever waits may give up, but a provider's answer must not be lost once it was asked for.
        let renewal = self.clone();
        let renewed = tokio::spawn(async move { renewal.renewed(useless, was_refused).await });
        renewed.await.unwrap_or_else(|_| {
            Err(Failure::Other {
                kind: "authentication".into(),
                message: "the renewal of the log-in broke off".into(),
                detail: None,
            })
        })
    }
}

impl Renewal {
    /// What is stored, if it is for this credential and this token endpoint.
    fn bound(&self, stored: Option<StoredTokens>) -> Result<StoredTokens, Failure> {
        let Some(stored) = stored else {
            return Err(login_required(
                "nobody has logged in with this credential".to_owned(),
            ));
        };
        let binding = self.endpoint.client.binding();
        let differs = [
            ("credential", stored.binding.credential != binding.credential),
            ("base URL", stored.binding.base_url != binding.base_url),
            ("token endpoint", stored.binding.token_url != binding.token_url),
            ("client ID", stored.binding.client_id != binding.client_id),
        ];
        match differs.into_iter().find(|(_, differs)| *differs) {
            None => Ok(stored),
            Some((what, _)) => Err(login_required(format!(
                "the log-in was for another {what}, and its tokens are not used; log in again"
            ))),
        }
    }

    /// The token that somebody else has stored meanwhile, or a new one. `useless` is the one that cannot be used.
    async fn renewed(self, useless: Option<Secret>, was_refused: bool) -> Result<AccessToken, Failure> {
        let unusable = |error| unusable(&error);
        let mut locked = self.store.lock().await.map_err(unusable)?;
        let stored = self.bound(locked.load().await.map_err(unusable)?)?;
        let is_ending = stored.is_ending(Timestamp::now());
        let is_useless = useless.is_some_and(|token| token.expose() == stored.access_token.expose());
        if !is_ending && !is_useless {
            return Ok(stored.into());
        }
        let Some(refresh_token) = &stored.refresh_token else {
            if is_useless && was_refused {
                return Err(login_required(
                    "the service refused the access token, and there is nothing to renew it with; log in again".to_owned(),
                ));
            }
            // Until the service refuses it.
            return Ok(AccessToken {
                token: stored.access_token,
                renew_at: None,
            });
        };
        let granted = match self.endpoint.refresh(refresh_token).await {
            Ok(granted) => granted,
            Err(NotGranted::Failed(failure)) => return Err(failure),
            Err(NotGranted::Grant(told)) => {
                return Err(login_required(format!(
                    "the provider does not renew the log-in ({told}); log in again"
                )));
            }
        };
        let tokens = StoredTokens {
            binding: stored.binding,
            access_token: granted.access_token,
            // A provider that sends none means that the old one stays good.
            refresh_token: granted.refresh_token.or(stored.refresh_token),
            renew_at: granted.renew_at,
        };
        // Before the token is used: a process that ends now leaves what can still be used.
        locked.store(&tokens).await.map_err(unusable)?;
        Ok(tokens.into())
    }

    /// Stores what a log-in was granted.
    pub(crate) async fn keep(&self, granted: Granted) -> Result<(), Failure> {
        let tokens = StoredTokens {
            binding: self.endpoint.client.binding(),
            access_token: granted.access_token,
            refresh_token: granted.refresh_token,
            renew_at: granted.renew_at,
        };
        let mut locked = self.store.lock().await.map_err(|error| unusable(&error))?;
        locked.store(&tokens).await.map_err(|error| unusable(&error))
    }
}

impl From<StoredTokens> for AccessToken {
    fn from(tokens: StoredTokens) -> Self {
        Self {
            token: tokens.access_token,
            renew_at: tokens.renew_at,
        }
    }
}

/// The failure of an item that only a log-in helps.
fn login_required(message: String) -> Failure {
    Failure::Other {
        kind: LOGIN_REQUIRED.into(),
        message,
        detail: None,
    }
}
