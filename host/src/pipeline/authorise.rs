//! Where a session meets a request: added behind everything that records.

use http::{HeaderName, Uri};
use wasmtime_wasi_http::Error as HttpError;

use super::header::is_respelled;
use super::{Checked, Pipeline, Scope};
use crate::bindings::types;
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
        let query = session.query().fields().iter().map(|(name, value)| types::Field {
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
        // No session that was accepted makes this fail; were it to, the error would have no words.
        session
            .query()
            .added_to(request.url.uri())
            .map_err(|_| HttpError::HttpRequestUriInvalid)
    }
}
