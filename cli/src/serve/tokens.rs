//! Access tokens of a client that logs in by itself: it hands one over with a run, and another one when the run asks.
//!
//! The server neither stores nor renews such a token. It asks by a line of the run's response, and waits for
//! `POST /v1/runs/{id}/token`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nodule::jiff::Timestamp;
use nodule::oauth2::{AccessToken, Need, TokenSource};
use nodule::secret::Secret;
use nodule::{Answer, Failure};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use utoipa::ToSchema;

use super::problem::Answered;

/// How long a run waits for a token that it asked for. A client that lets its user's provider renew one needs seconds.
const WAIT: Duration = Duration::from_mins(1);

/// An access token that the client has.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GivenToken {
    /// The token, without `Bearer`.
    #[schema(value_type = String)]
    access_token: Secret,
    /// When it ends: `2026-01-31T12:00:00Z`. The run asks for another one a minute before.
    expires_at: Option<String>,
}

/// Why a run needs a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It ends within a minute.
    Ending,
    /// The service refused it.
    Refused,
}

/// A run needs another access token.
#[derive(Serialize, ToSchema)]
pub struct WantedToken {
    /// Why.
    pub why: Why,
}

/// The tokens of one run, or of a request that cannot ask for another one.
#[derive(Debug, Clone)]
pub struct ClientTokens(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    given: Mutex<AccessToken>,
    /// How many were given.
    count: watch::Sender<u64>,
    /// `None` where nobody can be asked.
    wanted: Option<mpsc::Sender<Why>>,
}

impl GivenToken {
    fn read(self) -> Result<AccessToken, Answered> {
        let ends = self.expires_at.map(|at| at.parse::<Timestamp>()).transpose();
        let ends = ends.map_err(|_| {
            Answered::request(
                "`expiresAt`: expected a time such as `2026-01-31T12:00:00Z`, found another text",
            )
        })?;
        Ok(AccessToken::new(self.access_token, ends))
    }
}

impl ClientTokens {
    /// A token, and nobody to ask for another one.
    pub fn single(given: GivenToken) -> Result<Self, Answered> {
        Self::new(given, None)
    }

    /// A token, and what a run asks for another one by.
    pub fn asking(given: GivenToken) -> Result<(Self, mpsc::Receiver<Why>), Answered> {
        let (wanted, receiver) = mpsc::channel(1);
        Ok((Self::new(given, Some(wanted))?, receiver))
    }

    fn new(given: GivenToken, wanted: Option<mpsc::Sender<Why>>) -> Result<Self, Answered> {
        Ok(Self(Arc::new(Shared {
            given: Mutex::new(given.read()?),
            count: watch::Sender::new(0),
            wanted,
        })))
    }

    /// Takes another token.
    pub fn give(&self, given: GivenToken) -> Result<(), Answered> {
        let token = given.read()?;
        *self.0.given.lock().unwrap_or_else(PoisonError::into_inner) = token;
        self.0.count.send_modify(|count| *count += 1);
        Ok(())
    }

    fn given(&self) -> AccessToken {
        self.0
            .given
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait::async_trait]
impl TokenSource for ClientTokens {
    async fn token(&self, need: Need<'_>) -> Result<AccessToken, Failure> {
        // Before it is looked at, so that one that comes meanwhile is not missed.
        let mut count = self.0.count.subscribe();
        let given = self.given();
        let has_ended = given.renew_at.is_some_and(|at| at <= Timestamp::now());
        let why = match need {
            Need::First if !has_ended => return Ok(given),
            // One that came meanwhile.
            Need::Ending(last) | Need::Refused(last) if given.token.expose() != last.expose() => {
                return Ok(given);
            }
            Need::First | Need::Ending(_) => Why::Ending,
            Need::Refused(_) => Why::Refused,
        };
        let asked = self.0.wanted.as_ref().map(|wanted| wanted.try_send(why));
        match (asked, why) {
            // Somebody waits for the answer to the same question.
            (Some(Ok(()) | Err(mpsc::error::TrySendError::Full(_))), _) => {}
            (_, Why::Ending) => {
                return Ok(AccessToken {
                    renew_at: None,
                    ..given
                });
            }
            (_, Why::Refused) => return Err(unauthenticated("the service refused the access token")),
        }
        match tokio::time::timeout(WAIT, count.changed()).await {
            Ok(Ok(())) => Ok(self.given()),
            _ => Err(unauthenticated(&format!(
                "the client gave no other access token within {} seconds",
                WAIT.as_secs()
            ))),
        }
    }
}

fn unauthenticated(message: &str) -> Failure {
    Failure::Unauthenticated(Answer {
        message: message.to_owned(),
        ..Answer::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(token: &str) -> GivenToken {
        GivenToken {
            access_token: Secret::new(token.to_owned()),
            expires_at: None,
        }
    }

    async fn token(tokens: &ClientTokens, need: Need<'_>) -> Result<String, Failure> {
        tokens
            .token(need)
            .await
            .map(|token| token.token.expose().to_owned())
    }

    #[tokio::test]
    async fn a_run_asks_once_and_goes_on_with_what_it_is_given() {
        let (tokens, mut wanted) = ClientTokens::asking(given("one")).unwrap();
        let one = Secret::new("one".to_owned());
        assert_eq!(token(&tokens, Need::First).await.unwrap(), "one");
        let waits = tokens.clone();
        let refused = one.clone();
        let waiting = tokio::spawn(async move { token(&waits, Need::Refused(&refused)).await });
        assert_eq!(wanted.recv().await, Some(Why::Refused));
        tokens.give(given("two")).unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), "two");
        // One that came unasked is taken without a question.
        assert_eq!(token(&tokens, Need::Ending(&one)).await.unwrap(), "two");
        assert!(wanted.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_answer_is_not_waited_for_for_ever() {
        let (tokens, _wanted) = ClientTokens::asking(given("one")).unwrap();
        let one = Secret::new("one".to_owned());
        let failure = token(&tokens, Need::Ending(&one)).await.unwrap_err();
        assert_eq!(failure.kind(), "unauthenticated");
        let single = ClientTokens::single(given("one")).unwrap();
        assert!(token(&single, Need::Refused(&one)).await.is_err());
        assert_eq!(token(&single, Need::Ending(&one)).await.unwrap(), "one");
    }

    #[test]
    fn a_token_is_read_without_being_shown() {
        let text = r#"{"accessToken": "s3cr3t", "expiresAt": "tomorrow"}"#;
        let given: GivenToken = serde_json::from_str(text).unwrap();
        assert!(ClientTokens::single(given).is_err());
        let text = r#"{"accessToken": "s3cr3t", "expiresAt": "2099-01-01T00:00:00Z"}"#;
        let tokens = ClientTokens::single(serde_json::from_str(text).unwrap()).unwrap();
        assert!(!format!("{tokens:?}").contains("s3cr3t"));
        assert!(tokens.given().renew_at.is_some());
    }
}
