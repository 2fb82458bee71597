//! Where a session meets a request: added behind everything that records.

use http::{HeaderName, Uri};
use wasmtime_wasi_http::Error as HttpError;

use super::header::is_respelled;
use super::{Pipeline, Scope, ValidatedRequest};

impl Pipeline {
    /// Add the session, below the credential's base URL and nowhere else; the URL that is sent.
    pub(super) fn authorise(&self, request: &mut ValidatedRequest) -> Result<Uri, HttpError> {
        let access = self
            .access
            .as_ref()
            .filter(|_| self.scope == Scope::Operation && request.below_base);
        let Some(access) = access else {
            return Ok(request.url.uri().clone());
        };
        // In another spelling it would be the same header to some servers.
        let own = request.headers.keys();
        let respelled: Vec<HeaderName> = own
            .filter(|own| access.header_names().any(|name| is_respelled(name, own)))
            .cloned()
            .collect();
        for name in respelled {
            request.headers.remove(name);
        }
        for name in access.header_names() {
            request.headers.remove(name);
        }
        for (name, value) in access.headers() {
            request.headers.append(name.clone(), value);
        }
        // No session that was accepted makes this fail; were it to, the error would have no words.
        access
            .query()
            .added_to(request.url.uri())
            .map_err(|_| HttpError::HttpRequestUriInvalid)
    }
}
