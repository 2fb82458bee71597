//! Headers that an instance may not set. The lists and their reasons are in [`nodule_core::header`].

use http::HeaderName;
use nodule_core::header::is_cookie;
pub(super) use nodule_core::header::is_respelled;
pub(crate) use nodule_core::header::{is_forbidden_in_session, is_of_connection};

use super::Scope;

/// Whether an instance may not set this header on a request. `Cookie` authenticates, so an executing instance may not
/// set it.
pub(super) fn is_forbidden(scope: Scope, name: &HeaderName) -> bool {
    is_forbidden_in_session(name) || scope == Scope::Operation && is_cookie(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HeaderName {
        HeaderName::from_bytes(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_wasi_forbids_is_forbidden() {
        for header in &wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS {
            assert!(is_of_connection(header), "{header}");
            assert!(is_forbidden(Scope::Authentication, header), "{header}");
        }
    }

    #[test]
    fn a_session_may_be_a_cookie_and_an_executing_node_sets_none() {
        for text in ["Cookie", "Cookie2"] {
            assert!(is_forbidden(Scope::Operation, &name(text)), "{text}");
            assert!(!is_forbidden(Scope::Authentication, &name(text)), "{text}");
            assert!(!is_forbidden_in_session(&name(text)), "{text}");
        }
        assert!(!is_forbidden(Scope::Operation, &name("Authorization")));
    }
}
