//! Which token endpoint a client's secret may be sent to.
//!
//! | endpoint | grant |
//! | --- | --- |
//! | at the base URL's origin | as everything below the base URL |
//! | elsewhere, for a user's consent | the user saw it before consenting, and the tokens are bound to it |
//! | elsewhere, for the client's own secret | `declared` in the policy, as for a declared origin |
//!
//! The description names the endpoint, so none of these covers a private address elsewhere: that needs an `[[allow]]` entry
//! that says so. Without TLS, only this machine itself is reached.

use std::net::{IpAddr, Ipv4Addr};

use http::Method;

use super::Policy;
use crate::address::Permit;
use crate::canonical::{CanonicalUrl, Host, Scheme};
use crate::description::{Grant, OriginPattern};
use crate::oauth2::OauthClient;

/// A token endpoint that nothing may be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the token endpoint `{origin}` may not be asked: {why}")]
pub struct EndpointDenial {
    /// Scheme, host and port.
    pub origin: String,
    why: String,
    hint: Option<String>,
}

impl EndpointDenial {
    /// The lines that would allow it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

impl Policy {
    /// Decides whether the token endpoint may be asked, and at which addresses.
    ///
    /// # Errors
    ///
    /// Nobody granted it. The denial has the lines that do.
    pub fn decide_token_endpoint(&self, client: &OauthClient) -> Result<Permit, EndpointDenial> {
        let url = &client.token_url;
        let denied = |why: String, hint: Option<String>| EndpointDenial {
            origin: url.origin(),
            why,
            hint,
        };
        let permit = if url.same_origin(&client.base_url) {
            self.decide_below_base(&Method::POST, url)
                .map_err(|denial| denied(denial.to_string(), denial.hint()))?
        } else if client.grant == Grant::ClientCredentials && !self.grants_origin(url) {
            let why = "only the node's description names it, it is not at the base URL's origin, and nobody granted it";
            let hint = format!(
                "to send the client's secret there, add to the policy, above its first table:\ndeclared = [\"{}\"]",
                url.origin()
            );
            return Err(denied(why.to_owned(), Some(hint)));
        } else {
            self.rule_for(&Method::POST, url)
                .map_or(Permit::PublicOnly, super::Rule::permit)
        };
        match (url.scheme(), permit) {
            (Scheme::Https, permit) => Ok(permit),
            (Scheme::Http, Permit::Literal(address)) if address.is_loopback() => Ok(permit),
            (Scheme::Http, Permit::PrivateAllowed) if matches!(url.host(), Host::Name(_)) => {
                Ok(Permit::Literal(IpAddr::V4(Ipv4Addr::LOCALHOST)))
            }
            (Scheme::Http, _) => Err(denied(
                "without TLS, only this machine itself is asked, and only if the policy says so".to_owned(),
                Some(format!(
                    "if it is meant to be this machine, say so in the policy file:\n[[allow]]\norigin = \"{}\"\nprivate = true",
                    url.origin()
                )),
            )),
        }
    }

    /// Whether `declared` grants this origin.
    fn grants_origin(&self, url: &CanonicalUrl) -> bool {
        OriginPattern::parse(&url.origin()).is_ok_and(|pattern| {
            pattern
                .resolve(|_| None)
                .is_ok_and(|origin| self.declared.include(&pattern, &origin))
        })
    }
}
