//! Where access tokens come from, and the sessions that they become.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use jiff::Timestamp;

use crate::events::{self, Label};
use crate::gate::access::{Access, Query};
use crate::gate::oauth2::is_token;
use crate::runtime::session::{End, MakesSessions, Previous, Session, SessionSlot};
use nodule_core::credential::Credential;
use nodule_core::failure::{Answer, Failure};
use nodule_core::secret::Secret;

/// A token that says that it ends at once would be asked for with every item.
const SHORTEST: Duration = Duration::from_secs(1);

/// What a request to the service carries. Its `Debug` shows no token.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The token, in visible ASCII characters.
    pub token: Secret,
    /// When another one is asked for; `None`: when the service refuses it.
    pub renew_at: Option<Timestamp>,
}

impl AccessToken {
    /// A token that ends at a time, and is renewed a minute before.
    #[must_use]
    pub fn new(token: Secret, ends: Option<Timestamp>) -> Self {
        let now = Timestamp::now();
        Self {
            token,
            renew_at: ends.map(|ends| nodule_core::oauth2::renew_at(now, ends)),
        }
    }
}

/// Why an access token is needed.
#[derive(Debug, Clone, Copy)]
pub enum Need<'a> {
    /// The runner has none.
    First,
    /// This one ends.
    Ending(&'a Secret),
    /// The service refused this one.
    Refused(&'a Secret),
}

/// Where the access tokens of a credential come from. Only one call is in progress at a time for each runner.
#[async_trait]
pub trait TokenSource: fmt::Debug + Send + Sync {
    /// An access token that can be used now.
    ///
    /// # Errors
    ///
    /// Why there is none. It becomes the failure of the items that needed it.
    async fn token(&self, need: Need<'_>) -> Result<AccessToken, Failure>;
}

/// Makes sessions of access tokens.
pub(crate) struct TokenSessions {
    pub(crate) slot: Arc<SessionSlot>,
    pub(crate) source: Arc<dyn TokenSource>,
    /// Whether a token that was granted shows that the credential is right.
    pub(crate) proves_credential: bool,
}

impl TokenSessions {
    /// What a session is made with.
    pub(crate) fn maker<'a>(&'a self, credential: &'a Credential, label: &'a Label) -> TokenSession<'a> {
        TokenSession {
            source: &*self.source,
            credential,
            label,
        }
    }
}

/// Makes one session.
pub(crate) struct TokenSession<'a> {
    source: &'a dyn TokenSource,
    credential: &'a Credential,
    label: &'a Label,
}

impl MakesSessions for TokenSession<'_> {
    async fn make(&self, generation: u64, previous: Previous<'_>) -> Result<Session, Failure> {
        let clock = Instant::now();
        let last = previous.session.and_then(|session| session.renewal.as_ref());
        let need = match last {
            None => Need::First,
            Some(token) if previous.was_refused => Need::Refused(token),
            Some(token) => Need::Ending(token),
        };
        let made = self.source.token(need).await;
        let made = made.and_then(|token| self.session(generation, token));
        let outcome = match &made {
            Ok(_) => "done",
            Err(Failure::Other { .. }) => "other",
            Err(failure) => failure.kind(),
        };
        events::authentication(self.label, last.is_some(), outcome, clock);
        made
    }
}

impl TokenSession<'_> {
    fn session(&self, generation: u64, token: AccessToken) -> Result<Session, Failure> {
        let AccessToken { token, renew_at } = token;
        if !is_token(&token) {
            return Err(Failure::Unintelligible(Answer {
                message: "expected an access token that a header can have, found another text".to_owned(),
                ..Answer::default()
            }));
        }
        let bearer = Secret::new(format!("Bearer {}", token.expose()));
        let headers = vec![(AUTHORIZATION, bearer.clone())];
        let secrets = vec![bearer, token.clone()];
        let further = self.credential.secrets().iter();
        let access = Access::with_secrets(headers, Query::new(Vec::new()), secrets, further);
        Ok(Session {
            generation,
            access: Arc::new(access),
            // The token itself, to tell the source which one has ended or was refused.
            renewal: Some(token),
            // By the real clock: a recording does not have the token, and a replay needs none.
            ends: renew_at.map(|at| {
                let left = Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default();
                End::Real(Instant::now() + left.max(SHORTEST))
            }),
        })
    }
}
