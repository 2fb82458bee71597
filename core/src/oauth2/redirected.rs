//! The URL that the provider redirects the user's browser to (RFC 6749, section 4.1.2).
//!
//! Anybody can make a browser open a URL of this machine. So nothing of it is believed, not even an error, unless its
//! `state` is the one that this log-in began with.

use ring::hmac;
use url::Url;

use crate::canonical::CanonicalUrl;
use crate::secret::Secret;
use crate::text::shown;

/// As much as people read of a provider's error.
const SHOWN_CHARS: usize = 300;
/// The longest code. Providers' codes have some hundred characters; a signed one may have a few thousand.
const CODE_BYTES: usize = 16 * 1024;

/// Why a redirected URL gives no code. `Display` shows no value of the URL but a provider's error, escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectProblem {
    /// It is no URL, or does not lead to where this log-in waits.
    #[error("expected the URL that the provider redirected to, found something else")]
    NotRedirected,
    /// A parameter is there several times: the provider and the host may take different ones.
    #[error("`{0}` is there more than once")]
    Repeated(&'static str),
    /// It belongs to another log-in, or to somebody else's.
    #[error("`state` is missing or of another log-in")]
    State,
    /// Another provider sent it: its code would be sent to this one (RFC 9207).
    #[error(
        "it is from the provider `{}`, and the log-in is at `{expected}`",
        shown(found, SHOWN_CHARS)
    )]
    Issuer {
        /// The origin at which the user was asked.
        expected: String,
        /// `iss`.
        found: String,
    },
    /// The provider or the user refused.
    #[error("the provider refused the log-in: {0}")]
    Refused(String),
    /// It has neither a code nor an error.
    #[error("expected a code, found none")]
    NoCode,
}

impl RedirectProblem {
    /// Whether it may be a stranger's, so that the log-in goes on waiting for its own.
    #[must_use]
    pub fn is_of_a_stranger(&self) -> bool {
        matches!(self, Self::NotRedirected | Self::Repeated(_) | Self::State)
    }
}

/// What a log-in waits for.
#[derive(Debug, Clone, Copy)]
pub struct Redirected<'a> {
    /// Where the provider was told to redirect to.
    pub redirect_url: &'a Url,
    /// Where the user was asked.
    pub authorization_url: &'a CanonicalUrl,
    /// The state of the authorization request.
    pub state: &'a Secret,
}

impl Redirected<'_> {
    /// Takes the code out of a redirected URL.
    ///
    /// # Errors
    ///
    /// It is not this log-in's, or the provider refused.
    pub fn code(&self, text: &str) -> Result<Secret, RedirectProblem> {
        let url = Url::parse(text.trim()).map_err(|_| RedirectProblem::NotRedirected)?;
        let same = |part: fn(&Url) -> Option<String>| part(&url) == part(self.redirect_url);
        let leads_here = same(|url| Some(url.origin().ascii_serialization()))
            && same(|url| Some(url.path().to_owned()))
            && url.username().is_empty()
            && url.password().is_none();
        if !leads_here {
            return Err(RedirectProblem::NotRedirected);
        }
        let state = one(&url, "state")?;
        if !state.is_some_and(|state| is_same(&state, self.state)) {
            return Err(RedirectProblem::State);
        }
        if let Some(issuer) = one(&url, "iss")? {
            let expected = self.authorization_url.origin();
            let origin = CanonicalUrl::parse(issuer.expose()).map(|issuer| issuer.origin());
            if origin.as_ref() != Ok(&expected) {
                let found = issuer.expose().to_owned();
                return Err(RedirectProblem::Issuer { expected, found });
            }
        }
        if let Some(error) = one(&url, "error")? {
            let description = one(&url, "error_description")?;
            return Err(RedirectProblem::Refused(told(
                error.expose(),
                description.as_ref().map(Secret::expose),
            )));
        }
        let code = one(&url, "code")?;
        code.filter(|code| !code.is_empty() && code.expose().len() <= CODE_BYTES)
            .ok_or(RedirectProblem::NoCode)
    }
}

/// A provider's error and its description, bounded and safe for a terminal.
#[must_use]
pub fn told(error: &str, description: Option<&str>) -> String {
    let error = format!("`{}`", shown(error, SHOWN_CHARS));
    match description {
        Some(description) if !description.trim().is_empty() => {
            format!("{error}: {}", shown(description, SHOWN_CHARS))
        }
        _ => error,
    }
}

/// The value of a parameter that is there once, or not at all.
fn one(url: &Url, name: &'static str) -> Result<Option<Secret>, RedirectProblem> {
    let mut values = url.query_pairs().filter(|(found, _)| found == name);
    let value = values.next().map(|(_, value)| Secret::new(value.into_owned()));
    match values.next() {
        Some(_) => Err(RedirectProblem::Repeated(name)),
        None => Ok(value),
    }
}

/// Whether two texts are the same, in a time that says nothing about where they differ.
fn is_same(one: &Secret, other: &Secret) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, other.expose().as_bytes());
    let tag = hmac::sign(&key, other.expose().as_bytes());
    hmac::verify(&key, one.expose().as_bytes(), tag.as_ref()).is_ok()
}
