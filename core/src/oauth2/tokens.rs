//! Tokens as they are stored, bound to what they were granted for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// What tokens were granted for. Whoever changes one of these, a new version of the node included, has to ask the user
/// again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenBinding {
    /// The description's name of the credential.
    pub credential: String,
    /// Where the access token is sent.
    pub base_url: String,
    /// Where the refresh token and the client's secret are sent.
    pub token_url: String,
    /// The client that the user consented to.
    pub client_id: String,
}

/// An access token and how it is renewed. Its `Debug` shows no token.
#[derive(Debug, Clone)]
pub struct StoredTokens {
    /// What they were granted for.
    pub binding: TokenBinding,
    /// What requests to the service carry.
    pub access_token: Secret,
    /// What a new access token is asked for with.
    pub refresh_token: Option<Secret>,
    /// When the access token is to be renewed; `None` if the provider did not say when it ends.
    pub renew_at: Option<Timestamp>,
}

/// A text is not stored tokens. The message shows nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected the tokens of a log-in, a JSON object, found something else at line {line}, column {column}"
)]
pub struct StoredTokensError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    #[serde(flatten)]
    binding: &'a TokenBinding,
    access_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renew_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Read {
    credential: String,
    base_url: String,
    token_url: String,
    client_id: String,
    access_token: Secret,
    refresh_token: Option<Secret>,
    renew_at: Option<String>,
}

impl StoredTokens {
    /// The text to store: a JSON object.
    #[must_use]
    pub fn to_text(&self) -> Secret {
        let written = Written {
            binding: &self.binding,
            access_token: self.access_token.expose(),
            refresh_token: self.refresh_token.as_ref().map(Secret::expose),
            renew_at: self.renew_at.map(|at| at.to_string()),
        };
        // Texts and a map of texts always have a JSON form.
        Secret::new(serde_json::to_string(&written).unwrap_or_default())
    }

    /// Reads what [`to_text`](Self::to_text) wrote.
    ///
    /// # Errors
    ///
    /// It is another text.
    pub fn from_text(text: &str) -> Result<Self, StoredTokensError> {
        let read: Read = serde_json::from_str(text).map_err(|error| StoredTokensError {
            line: error.line(),
            column: error.column(),
        })?;
        let renew_at = read.renew_at.map(|at| at.parse()).transpose();
        Ok(Self {
            binding: TokenBinding {
                credential: read.credential,
                base_url: read.base_url,
                token_url: read.token_url,
                client_id: read.client_id,
            },
            access_token: read.access_token,
            refresh_token: read.refresh_token,
            renew_at: renew_at.map_err(|_| StoredTokensError { line: 1, column: 1 })?,
        })
    }

    /// Whether the access token has to be renewed at this time.
    #[must_use]
    pub fn is_ending(&self, now: Timestamp) -> bool {
        self.renew_at.is_some_and(|at| at <= now)
    }
}
