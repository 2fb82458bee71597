//! The credential scheme `oauth2` without its requests: what a description and a credential say together, which tokens
//! are stored, when they are renewed, and what a redirected URL may be.
//!
//! A description is untrusted, so that it must not send a client's secret or a user's tokens where nobody agreed to.
//! Stored tokens name what they were granted for ([`TokenBinding`]): with another base URL, token URL or client they are
//! not used, and not renewed. [`Policy::decide_token_endpoint`](crate::policy::Policy::decide_token_endpoint) says which
//! token endpoint may be asked.

mod redirected;
mod tokens;

use std::time::Duration;

use jiff::Timestamp;

use crate::canonical::CanonicalUrl;
use crate::credential::{Credential, CredentialError};
use crate::description::{Grant, Node, Oauth2, Pair, Scheme, UrlTemplate};
use crate::secret::Secret;

pub use redirected::{RedirectProblem, Redirected, told};
pub use tokens::{StoredTokens, StoredTokensError, TokenBinding};

/// A token is renewed this long before it ends, so that no request meets the service with one that has just ended.
const EARLY: Duration = Duration::from_mins(1);

/// When to renew a token: a minute before it ends, or after half of its time if that is later.
#[must_use]
pub fn renew_at(now: Timestamp, ends: Timestamp) -> Timestamp {
    let left = Duration::try_from(ends.duration_since(now)).unwrap_or_default();
    let early = EARLY.min(left / 2);
    ends.checked_sub(early).unwrap_or(ends)
}

/// What the scheme `oauth2` of a description says with a credential's fields filled in.
#[derive(Debug, Clone)]
pub struct OauthClient {
    /// The description's name of the credential.
    pub credential: String,
    /// What is exchanged for a token.
    pub grant: Grant,
    /// Where the user consents. Only [`Grant::AuthorizationCode`] has it.
    pub authorization_url: Option<CanonicalUrl>,
    /// Where tokens come from.
    pub token_url: CanonicalUrl,
    /// The credential's base URL, below which the access token is sent.
    pub base_url: CanonicalUrl,
    /// The client's ID.
    pub id: String,
    /// The client's secret, if it has one.
    pub secret: Option<Secret>,
    /// Whether ID and secret go into the body of a token request.
    pub is_in_body: bool,
    /// Whether the code is bound to whoever asked for it (RFC 7636).
    pub pkce: bool,
    /// The scopes as they are sent; `None` without scopes.
    pub scope: Option<String>,
    /// Added to the authorization request.
    pub authorization_query: Vec<Pair>,
    /// Added to each token request.
    pub token_body: Vec<Pair>,
}

impl OauthClient {
    /// Fills a credential's fields in. `None` if its scheme is not `oauth2`.
    ///
    /// # Errors
    ///
    /// A field has no value, or one that cannot be a part of a URL. The error names the field, without the value.
    pub fn new(node: &Node, credential: &Credential) -> Result<Option<Self>, CredentialError> {
        let described = node.credential(credential.name());
        let Some(Scheme::Oauth2(oauth2)) = described.map(|described| &described.scheme) else {
            return Ok(None);
        };
        let Oauth2 {
            grant,
            authorization_url,
            token_url,
            scopes,
            scope_separator,
            client_in_body,
            pkce,
            authorization_query,
            token_body,
            client_id,
            client_secret,
        } = &**oauth2;
        let id = value(node, credential, client_id).ok_or_else(|| missing(node, client_id))?;
        let secret = client_secret.as_ref().and_then(|id| value(node, credential, id));
        if let (Grant::ClientCredentials, None, Some(id)) = (grant, secret, client_secret) {
            return Err(missing(node, id));
        }
        let authorization_url = authorization_url.as_deref();
        Ok(Some(Self {
            credential: credential.name().to_owned(),
            grant: *grant,
            authorization_url: authorization_url
                .map(|text| url(credential, "authorization URL", text))
                .transpose()?,
            token_url: url(credential, "token URL", token_url)?,
            base_url: credential.base_url().clone(),
            id: id.expose().to_owned(),
            secret: secret.cloned(),
            is_in_body: *client_in_body,
            pkce: *pkce,
            scope: (!scopes.is_empty()).then(|| scopes.join(scope_separator)),
            authorization_query: authorization_query.clone(),
            token_body: token_body.clone(),
        }))
    }

    /// What tokens are granted for.
    #[must_use]
    pub fn binding(&self) -> TokenBinding {
        TokenBinding {
            credential: self.credential.clone(),
            base_url: self.base_url.to_string(),
            token_url: self.token_url.to_string(),
            client_id: self.id.clone(),
        }
    }
}

fn url(credential: &Credential, what: &str, text: &str) -> Result<CanonicalUrl, CredentialError> {
    let wrong = |problem: &dyn std::fmt::Display| CredentialError {
        message: format!("the {what}: {problem}"),
    };
    let template = UrlTemplate::parse(text).map_err(|error| wrong(&error))?;
    let resolved = template.resolve(|name| credential.value(name).map(Secret::expose));
    resolved.map_err(|error| wrong(&error))
}

/// The value of the field with this ID.
fn value<'c>(node: &Node, credential: &'c Credential, id: &String) -> Option<&'c Secret> {
    let mut field = node.parameters_by_id(std::slice::from_ref(id));
    credential.value(&field.next()?.name)
}

fn missing(node: &Node, id: &String) -> CredentialError {
    let mut field = node.parameters_by_id(std::slice::from_ref(id));
    let message = match field.next() {
        Some(field) => format!("{} (`{}`) is missing", field.display_name, field.name),
        None => "the client's ID is missing".to_owned(),
    };
    CredentialError { message }
}

#[cfg(test)]
mod tests;
