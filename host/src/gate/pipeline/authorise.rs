//! Step 4: adds the session to a request, after everything that is recorded was fixed.

use http::{HeaderName, Uri};
use wasmtime_wasi_http::Error as HttpError;

use super::header::is_respelled;
use super::{Pipeline, Scope, ValidatedRequest};

impl Pipeline {
    /// Adds the session to a request below the credential's base URL or at a granted origin that names the credential, and
    /// to no other. Returns the URL to send.
    pub(super) fn authorise(&self, request: &mut ValidatedRequest) -> Result<Uri, HttpError> {
        let access = self
            .access
            .as_ref()
            .filter(|_| self.scope == Scope::Operation && request.may_have_access());
        let Some(access) = access else {
            return Ok(request.url.uri().clone());
        };
        // Some servers would take another spelling for the same header.
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
        // No accepted session makes this fail. If one did, the error must not show the URL.
        access
            .query()
            .added_to(request.url.uri())
            .map_err(|_| HttpError::HttpRequestUriInvalid)
    }
}
