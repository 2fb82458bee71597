//! Headers that an embedder adds to requests, such as `traceparent`.

use std::fmt;

use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HOST};
use http::{HeaderName, HeaderValue, Method};
use wasmtime_wasi_http::Error as HttpError;

use super::header::{is_forbidden, is_respelled};
use super::{Pipeline, Scope, ValidatedRequest};
use crate::events::Source;

/// A request about to be sent, as a [`RequestHook`] sees it: without the path's values, its body, and what a session
/// adds.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct HookedRequest<'a> {
    /// What the request belongs to. Requests that make a session have the operation `authenticate`.
    pub source: Source<'a>,
    /// The method.
    pub method: &'a Method,
    /// Scheme, host and port.
    pub origin: &'a str,
    /// The path that the operation declares, `/v1/things/{code}`, or `…`.
    pub path: &'a str,
}

/// Adds headers to requests that the policy allowed.
///
/// A hook's header replaces the node's header of that name, and a session's header replaces the hook's. A hook may not
/// set the headers that a node may not set, because they override the method, path, host or client, or belong to the
/// connection: such a request is refused by the rule `request-hook`. All headers together must stay within
/// `header-count` and `header-bytes`. Recordings and plans of a dry run do not contain a hook's headers, and a node
/// sees them only if a service repeats them: do not put a secret into one.
///
/// The hook is called in the task of the request, in the caller's span, and should return at once.
pub trait RequestHook: fmt::Debug + Send + Sync {
    /// Returns the headers to add to this request.
    fn headers(&self, request: HookedRequest<'_>) -> Vec<(HeaderName, HeaderValue)>;
}

impl Pipeline {
    /// Adds the embedder's headers.
    pub(super) fn add_hooked(&self, request: &mut ValidatedRequest) -> Result<(), HttpError> {
        let Some(hook) = &self.hook else { return Ok(()) };
        let origin = request.url.origin();
        let added = hook.headers(HookedRequest {
            source: self.label.source(),
            method: &request.method,
            origin: &origin,
            path: self.shown_path(request),
        });
        let is_the_clients = |name: &HeaderName| [HOST, CONTENT_LENGTH, ACCEPT_ENCODING].contains(name);
        for (name, _) in &added {
            if is_forbidden(Scope::Operation, name) || is_the_clients(name) {
                let message = format!("the header `{name}` is not for a request hook to set");
                return Err(self.deny(request.line(), "request-hook", message, None));
            }
            let own = request.headers.keys();
            let replaced: Vec<HeaderName> = own
                .filter(|own| *own == name || is_respelled(own, name))
                .cloned()
                .collect();
            for own in replaced {
                request.headers.remove(own);
            }
        }
        for (name, value) in added {
            request.headers.append(name, value);
        }
        self.check_headers(&request.headers)
    }
}
