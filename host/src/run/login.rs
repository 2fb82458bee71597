//! The log-in of a user, for a credential of the scheme `oauth2`.

use std::fmt;

use oauth2::PkceCodeVerifier;
use url::Url;

use crate::gate::oauth2::{Asked, NotGranted, denied};
use crate::run::runner::Runner;
use crate::runtime::oauth2::{Renewal, unusable};
use nodule_core::canonical::CanonicalUrl;
use nodule_core::failure::{Answer, Failure};
use nodule_core::oauth2::{RedirectProblem, Redirected};
use nodule_core::secret::Secret;

impl Runner {
    /// Begins a log-in: the user's browser is to be sent to [`Login::url`], and comes back to `redirect_url` with what
    /// [`Login::finish`] takes. `None` if the credential needs no log-in. Nothing is sent yet, and everything that would stop
    /// the log-in at its end is found out here, as far as possible.
    ///
    /// Show the user [`Login::authorization_origin`] and [`Login::token_origin`] before: the node's description names both,
    /// and the log-in is the consent to them.
    ///
    /// # Errors
    ///
    /// The policy does not allow the token endpoint, or the token store cannot be written.
    pub async fn begin_login(&self, redirect_url: &Url) -> Result<Option<Login>, Failure> {
        let Some(renewal) = &self.inner.renewal else {
            return Ok(None);
        };
        let endpoint = &renewal.endpoint;
        let Some(authorization) = &endpoint.client.authorization_url else {
            return Ok(None);
        };
        let decided = endpoint.policy.decide_token_endpoint(&endpoint.client);
        decided.map_err(|denial| denied(&denial))?;
        drop(renewal.store.lock().await.map_err(|error| unusable(&error))?);
        let Asked { url, state, verifier } = endpoint.ask(authorization, redirect_url)?;
        Ok(Some(Login {
            renewal: renewal.clone(),
            authorization: authorization.clone(),
            redirect: redirect_url.clone(),
            url,
            state,
            verifier,
            is_used: false,
        }))
    }
}

/// A log-in that waits for the user's browser. Its `Debug` shows no secret.
pub struct Login {
    renewal: Renewal,
    authorization: CanonicalUrl,
    redirect: Url,
    url: Url,
    state: Secret,
    verifier: Option<PkceCodeVerifier>,
    is_used: bool,
}

/// Why a log-in did not succeed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The redirected URL has no code of this log-in.
    #[error(transparent)]
    Redirect(#[from] RedirectProblem),
    /// A code was exchanged before.
    #[error("the log-in is finished, and takes no second code")]
    Used,
    /// The code could not be exchanged, or its tokens could not be stored.
    #[error("{0}")]
    Failed(Failure),
}

impl LoginError {
    /// Whether the log-in still waits for its own code, since this one may be a stranger's.
    #[must_use]
    pub fn is_of_a_stranger(&self) -> bool {
        matches!(self, Self::Redirect(problem) if problem.is_of_a_stranger())
    }
}

impl Login {
    /// Where the user's browser has to be sent.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where the browser comes back to.
    #[must_use]
    pub fn redirect_url(&self) -> &Url {
        &self.redirect
    }

    /// The origin at which the user consents.
    #[must_use]
    pub fn authorization_origin(&self) -> String {
        self.authorization.origin()
    }

    /// The origin that gets the code, the refresh token and the client's secret.
    #[must_use]
    pub fn token_origin(&self) -> String {
        self.renewal.endpoint.client.token_url.origin()
    }

    /// Takes the URL that the browser came back with, exchanges its code, and stores the tokens.
    ///
    /// # Errors
    ///
    /// It is not of this log-in, a code was exchanged before, or the provider or the store refused.
    pub async fn finish(&mut self, redirected: &str) -> Result<(), LoginError> {
        let wanted = Redirected {
            redirect_url: &self.redirect,
            authorization_url: &self.authorization,
            state: &self.state,
        };
        let code = wanted.code(redirected)?;
        // Whoever comes second may have overheard the first one's URL.
        if std::mem::replace(&mut self.is_used, true) {
            return Err(LoginError::Used);
        }
        let endpoint = &self.renewal.endpoint;
        let granted = endpoint
            .exchange_code(&code, self.verifier.take(), &self.redirect)
            .await;
        let granted = granted.map_err(|not_granted| match not_granted {
            NotGranted::Failed(failure) => LoginError::Failed(failure),
            NotGranted::Grant(told) => LoginError::Failed(Failure::Unauthenticated(Answer {
                message: format!("the provider refused the code: {told}"),
                ..Answer::default()
            })),
        })?;
        self.renewal.keep(granted).await.map_err(LoginError::Failed)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("authorization", &self.authorization.to_string())
            .field("redirect", &self.redirect.as_str())
            .finish_non_exhaustive()
    }
}
