//! What a token endpoint answers (RFC 6749, section 5.1), as far as it is needed.

use std::time::Duration;

use jiff::Timestamp;
use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse, helpers};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::Granted;
use nodule_core::oauth2::renew_at;
use nodule_core::secret::Secret;

/// As much as a header of a session may have.
const TOKEN_BYTES: usize = 32 * 1024;

/// A provider's answer. Scopes are not looked at: providers write them in many ways, and the service decides what they
/// allow.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TokenAnswer {
    access_token: AccessToken,
    #[serde(deserialize_with = "helpers::deserialize_untagged_enum_case_insensitive")]
    token_type: BasicTokenType,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    #[serde(default)]
    refresh_token: Option<RefreshToken>,
}

impl TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

impl TokenAnswer {
    /// The tokens, if they can be used. The error says what is wrong without any of it.
    pub(super) fn granted(self, now: Timestamp) -> Result<Granted, &'static str> {
        if self.token_type != BasicTokenType::Bearer {
            return Err("expected a token of the type `bearer`, found another");
        }
        let access_token = Secret::new(self.access_token.into_secret());
        let refresh_token = self.refresh_token.map(|token| Secret::new(token.into_secret()));
        let refresh_token = refresh_token.filter(|token| !token.is_empty());
        if !is_token(&access_token) {
            return Err("expected an access token that a header can have, found another text");
        }
        if refresh_token
            .as_ref()
            .is_some_and(|token| token.expose().len() > TOKEN_BYTES)
        {
            return Err("its refresh token is too large");
        }
        let lasts = self.expires_in.map(Duration::from_secs);
        // One that ends beyond all time does not end.
        let ends = lasts.and_then(|lasts| now.checked_add(lasts).ok());
        Ok(Granted {
            access_token,
            refresh_token,
            renew_at: ends.map(|ends| renew_at(now, ends)),
        })
    }
}

/// Whether a text can be an access token in `Authorization: Bearer` (RFC 6750): visible ASCII.
pub(crate) fn is_token(token: &Secret) -> bool {
    let token = token.expose().as_bytes();
    !token.is_empty() && token.len() <= TOKEN_BYTES && token.iter().all(u8::is_ascii_graphic)
}

/// Whether a body is an error, whatever the status says.
pub(super) fn is_error(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Error {
        #[serde(rename = "error")]
        _error: String,
    }
    serde_json::from_slice::<Error>(body).is_ok()
}

/// A number of seconds; some providers write it as a text.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let wrong = || serde::de::Error::custom("expected a number of seconds");
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Number(number) => number.as_u64().map(Some).ok_or_else(wrong),
        Value::String(text) => text.parse().map(Some).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(text: &str) -> Result<Granted, String> {
        let answer: TokenAnswer = serde_json::from_str(text).map_err(|_| "no answer".to_owned())?;
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        answer.granted(now).map_err(str::to_owned)
    }

    #[test]
    fn usual_answers_are_taken() {
        for (text, renewed) in [
            (r#"{"access_token":"a","token_type":"Bearer"}"#, None),
            (
                r#"{"access_token":"a","token_type":"bearer","expires_in":3600,"scope":["x"],"id_token":"y"}"#,
                Some("2026-01-01T00:59:00Z"),
            ),
            (
                r#"{"access_token":"a","token_type":"BEARER","expires_in":"60","refresh_token":""}"#,
                Some("2026-01-01T00:00:30Z"),
            ),
            (
                r#"{"access_token":"a","token_type":"bearer","expires_in":18446744073709551615}"#,
                None,
            ),
        ] {
            let granted = granted(text).unwrap();
            assert_eq!(granted.access_token.expose(), "a");
            assert!(granted.refresh_token.is_none(), "{text}");
            assert_eq!(
                granted.renew_at.map(|at| at.to_string()).as_deref(),
                renewed,
                "{text}"
            );
        }
    }

    #[test]
    fn what_cannot_be_a_bearer_token_is_refused_without_it() {
        for token in ["", "s3cr3t x", "s3cr3t\\r\\n", "s3cr3t\\u0000", "s3cr3t\u{e9}"] {
            let error =
                granted(&format!(r#"{{"access_token":"{token}","token_type":"bearer"}}"#)).unwrap_err();
            assert!(
                error.contains("a header can have") && !error.contains("s3cr3t"),
                "{error}"
            );
        }
        let long = "x".repeat(TOKEN_BYTES + 1);
        granted(&format!(r#"{{"access_token":"{long}","token_type":"bearer"}}"#)).unwrap_err();
        granted(&format!(
            r#"{{"access_token":"a","token_type":"bearer","refresh_token":"{long}"}}"#
        ))
        .unwrap_err();
        for text in [
            r#"{"access_token":"a"}"#,
            r#"{"access_token":"a","token_type":"mac"}"#,
            r#"{"access_token":"a","token_type":"bearer","expires_in":-1}"#,
            r#"{"token_type":"bearer"}"#,
            r#"["access_token"]"#,
        ] {
            granted(text).unwrap_err();
        }
    }

    #[test]
    fn an_error_is_one_with_any_status() {
        assert!(is_error(br#"{"error":"bad","access_token":"a"}"#));
        for other in ["{}", "[]", "", r#"{"error":{}}"#] {
            assert!(!is_error(other.as_bytes()), "{other}");
        }
    }
}
