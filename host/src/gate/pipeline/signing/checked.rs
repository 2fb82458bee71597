//! Checks a signed request, which comes out of the sandbox from a node that knows the secret.
//!
//! The same rules apply as to a request of an executing instance: the policy decides again, about the URL as it was
//! signed. Everything else must be as it was, and nothing may be left for the host to correct: what is corrected is not
//! what was signed.

use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use nodule_core::address::Permit;
use nodule_core::canonical::CanonicalUrl;
use nodule_core::failure::Failure;
use nodule_core::header::is_forbidden_in_session;

use super::SignedRequest;
use crate::gate::pipeline::permit::decide;
use crate::gate::pipeline::{Pipeline, SIGNING, Scope, ValidatedRequest};

/// Why a request is not sent, without any of what the node chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSignature {
    #[error("the request has a header that is not UTF-8, which no signature can be made of")]
    NotText,
    #[error("the node could not sign the request")]
    Refused,
    #[error("the request could not be signed when it was recorded")]
    Recorded,
    #[error("the signed request has a URL that cannot be sent as it is written")]
    Url,
    #[error("the signed request goes to another origin")]
    Origin,
    #[error("the signed request goes beyond the base URL and the granted origins that name the credential")]
    Beyond,
    #[error("the policy refuses the path of the signed request")]
    Policy,
    #[error("the signed request has a header that is not for a signature to set")]
    Header,
    #[error("the signed request has a header with a value that is no header value")]
    Value,
    #[error("the signed request has more headers than `header-count` and `header-bytes` allow")]
    Headers,
    /// The signature needs all of a body that has a file.
    #[error("the signature needs the whole body, and a body with a file is not in memory")]
    File,
    #[error("the signed request has a larger body than `request-body-bytes` and `buffered-bytes` allow")]
    Body,
}

impl From<BadSignature> for Failure {
    fn from(bad: BadSignature) -> Self {
        Failure::Other {
            kind: SIGNING.into(),
            message: bad.to_string(),
            detail: None,
        }
    }
}

/// A signed request that may be sent.
pub(super) struct Checked {
    pub(super) request: ValidatedRequest,
    pub(super) permit: Permit,
}

impl Pipeline {
    pub(super) fn checked_signature(
        &self,
        draft: &ValidatedRequest,
        signed: SignedRequest,
    ) -> Result<Checked, BadSignature> {
        let url = CanonicalUrl::parse(&signed.url).map_err(|_| BadSignature::Url)?;
        if url.to_string() != signed.url {
            return Err(BadSignature::Url);
        }
        if !url.same_origin(&draft.url) {
            return Err(BadSignature::Origin);
        }
        let headers = headers(signed.headers)?;
        self.too_many(&headers)
            .map_or(Ok(()), |_| Err(BadSignature::Headers))?;
        let (body, upload) = match signed.body {
            Some(_) if draft.upload.is_some() => return Err(BadSignature::Body),
            Some(body) => (self.held(body.into()).map_err(|_| BadSignature::Body)?, None),
            None => (draft.body.clone(), draft.upload.clone()),
        };
        let (below_base, declaration) = self.place(&url);
        let request = ValidatedRequest {
            method: draft.method.clone(),
            url,
            below_base,
            declaration,
            headers,
            body,
            upload,
            keep: draft.keep,
        };
        if !request.may_have_access() {
            return Err(BadSignature::Beyond);
        }
        let permit = decide(&self.policy, Scope::Operation, &request).map_err(|_| BadSignature::Policy)?;
        Ok(Checked { request, permit })
    }
}

/// The signed headers, marked as sensitive so that nothing prints them.
fn headers(signed: Vec<(String, String)>) -> Result<HeaderMap, BadSignature> {
    let mut headers = HeaderMap::new();
    for (name, value) in signed {
        let name = HeaderName::from_bytes(name.as_bytes())
            .ok()
            .filter(may_be_set)
            .ok_or(BadSignature::Header)?;
        let mut value =
            HeaderValue::from_maybe_shared(bytes::Bytes::from(value)).map_err(|_| BadSignature::Value)?;
        value.set_sensitive(true);
        headers
            .try_append(name, value)
            .map_err(|_| BadSignature::Headers)?;
    }
    Ok(headers)
}

/// The client sets some headers from the URL and the body: a value that was signed would not be the one that is sent.
fn may_be_set(name: &HeaderName) -> bool {
    ![HOST, CONTENT_LENGTH, ACCEPT_ENCODING].contains(name) && !is_forbidden_in_session(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_sets_no_header_that_a_request_must_not_have() {
        let one = |name: &str, value: &str| headers(vec![(name.to_owned(), value.to_owned())]);
        for name in [
            "Host",
            "connection",
            "transfer-encoding",
            "te",
            "content-length",
            "Content_Length",
            "accept-encoding",
            "proxy-authorization",
            "x-http-method-override",
            "x-forwarded-for",
            "x a",
            "",
        ] {
            assert_eq!(one(name, "1").err(), Some(BadSignature::Header), "{name}");
        }
        for name in ["authorization", "X-Amz-Date", "cookie", "content-md5", "digest"] {
            let headers = one(name, "s3cr3t").unwrap();
            assert!(!format!("{headers:?}").contains("s3cr3t"), "{name}");
        }
        for value in ["a\r\nhost: b", "a\0"] {
            assert_eq!(one("x-a", value).err(), Some(BadSignature::Value), "{value:?}");
        }
    }

    #[test]
    fn more_headers_than_a_map_holds_are_refused() {
        let many = (0..1 << 16).map(|index| (format!("x-{index}"), String::new()));
        assert_eq!(headers(many.collect()).err(), Some(BadSignature::Headers));
    }
}
