//! Where a session meets a request and its answer: added behind everything that records, taken out before anything is
//! handed on.

use http::{HeaderName, Uri};
use wasmtime_wasi_http::Error as HttpError;

use super::header::is_respelled;
use super::{Checked, Pipeline, Scope, Whole};
use crate::bindings::types;
use crate::canonical::CanonicalUrl;
use crate::guards::Guard;

impl Pipeline {
    /// The session for the node itself: none, since the host adds it, outside of the sandbox.
    pub(crate) fn handed_over(&self) -> Option<types::Access> {
        let session = self
            .session
            .as_ref()
            .filter(|_| !self.guards.has(Guard::Injection))?;
        let headers = session.headers().filter_map(|(name, value)| {
            Some(types::Field {
                name: name.as_str().to_owned(),
                value: value.to_str().ok()?.to_owned(),
            })
        });
        let query = session.query().iter().map(|(name, value)| types::Field {
            name: name.clone(),
            value: value.expose().to_owned(),
        });
        Some(types::Access {
            headers: headers.collect(),
            query: query.collect(),
        })
    }

    /// Add the session, below the credential's base URL and nowhere else; the URL that is sent.
    pub(super) fn authorise(&self, request: &mut Checked) -> Result<Uri, HttpError> {
        let session = self
            .session
            .as_ref()
            .filter(|_| self.scope == Scope::Operation && request.below_base)
            .filter(|_| self.guards.has(Guard::Injection));
        let Some(session) = session else {
            return Ok(request.url.uri().clone());
        };
        // In another spelling it would be the same header to some servers.
        let own = request.headers.keys();
        let respelled: Vec<HeaderName> = own
            .filter(|own| session.header_names().any(|name| is_respelled(name, own)))
            .cloned()
            .collect();
        for name in respelled {
            request.headers.remove(name);
        }
        for name in session.header_names() {
            request.headers.remove(name);
        }
        for (name, value) in session.headers() {
            request.headers.append(name.clone(), value);
        }
        if session.query().is_empty() {
            return Ok(request.url.uri().clone());
        }
        let mut url = request.url.to_string();
        let mut separator = if request.url.query().is_some() { '&' } else { '?' };
        for (name, value) in session.query() {
            url.push(separator);
            url.extend(percent_encoding::utf8_percent_encode(
                name,
                percent_encoding::NON_ALPHANUMERIC,
            ));
            url.push('=');
            url.extend(percent_encoding::utf8_percent_encode(
                value.expose(),
                percent_encoding::NON_ALPHANUMERIC,
            ));
            separator = '&';
        }
        // The error names the part that is wrong, which may be the secret.
        let message = || "the session's query cannot be added to the URL".to_owned();
        CanonicalUrl::parse(&url)
            .map(|url| url.uri().clone())
            .map_err(|_| self.deny(request.asked(), "session-query", message(), None))
    }

    /// An authenticating instance knows the secrets anyway, and has to read its token.
    pub(super) fn redacted(&self, mut answer: Whole) -> Whole {
        if let (Scope::Operation, Some(session)) = (self.scope, &self.session)
            && self.guards.has(Guard::Redaction)
        {
            let redactor = session.redactor();
            answer.body = redactor.body(answer.body);
            redactor.headers(&mut answer.headers);
        }
        answer
    }
}
