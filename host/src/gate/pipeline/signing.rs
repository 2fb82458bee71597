//! Step 4, for credentials of the scheme `signed`: an instance of the node that is shown the secret makes the request's
//! signature, and what it returns is checked like a request of the node.
//!
//! The signing instance knows the secret, the executing one must not, and the two may collude. So the second never
//! observes that a signature failed: its call is [cut], whatever the reason, and the host reports the failure in its
//! own words. Of the signed request nothing is shown, recorded or kept: events, errors and recordings have the request
//! as it was before, and [what was added](additions) is redacted in the response.
//!
//! [cut]: Pipeline::unless_cut

mod additions;
mod checked;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use futures_util::future::BoxFuture;
use http::{HeaderMap, Uri};
use nodule_core::address::Permit;
use nodule_core::description::BodyNeed;
use nodule_core::failure::Failure;
use nodule_core::redact::answers::Answers;
use wasmtime_wasi_http::Error as HttpError;

use super::{Pipeline, SIGNING, Scope, ValidatedRequest};
use crate::events;
use crate::gate::sha256::sha256;

pub(crate) use checked::BadSignature;

/// Signs requests outside the gate: an instance of the node, which is made for one signature.
pub(crate) trait Signer: Send + Sync {
    /// How much of a body it has to be shown.
    fn needs(&self) -> BodyNeed;

    /// Signs one request. Its failure says nothing that the node chose, but the kind.
    fn sign<'a>(&'a self, draft: Draft<'a>) -> BoxFuture<'a, Result<SignedRequest, Failure>>;
}

/// A request as it would be sent without a signature.
pub(crate) struct Draft<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'a str, &'a str)>,
    pub(crate) body: DraftBody<'a>,
}

/// As much of a body as the credential's scheme needs.
pub(crate) enum DraftBody<'a> {
    Empty,
    Whole(&'a [u8]),
    Digest {
        /// SHA-256 in lower-case hexadecimal.
        sha256: String,
        size: u64,
    },
    /// `None`: it is not known.
    Size(Option<u64>),
}

/// A request as the signing instance returned it.
pub(crate) struct SignedRequest {
    pub(crate) url: String,
    /// All headers.
    pub(crate) headers: Vec<(String, String)>,
    /// `None`: as it was.
    pub(crate) body: Option<Vec<u8>>,
}

/// What becomes of a request by its signature, beside its headers and its body.
pub(super) struct Signature {
    /// The URL to send.
    pub(super) url: Uri,
    /// The addresses that the policy permits for it.
    pub(super) permit: Permit,
    /// Finds in the response what was added.
    pub(super) additions: Answers,
}

impl Pipeline {
    /// Signs a request below the credential's base URL or at a granted origin that names the credential, and no other.
    /// Headers and body of `request` become those that were signed; its URL stays what the node asked for.
    pub(super) async fn sign(&self, request: &mut ValidatedRequest) -> Result<Option<Signature>, HttpError> {
        let signer = self
            .signer
            .as_ref()
            .filter(|_| self.scope == Scope::Operation && request.may_have_access());
        let Some(signer) = signer else { return Ok(None) };
        let needs = signer.needs();
        if let Some(upload) = &request.upload {
            match needs {
                BodyNeed::Size => {}
                BodyNeed::Digest => {
                    upload
                        .digest()
                        .await
                        .map_err(|trouble| self.unreadable(trouble))?;
                }
                BodyNeed::Whole => return Err(self.cut(BadSignature::File.into())),
            }
        }
        let draft = draft(request, needs);
        let answer = match draft {
            Ok(draft) => signer.sign(draft).await,
            Err(bad) => Err(bad.into()),
        };
        let checked = answer.and_then(|signed| Ok(self.checked_signature(request, signed)?));
        let checked = checked.map_err(|failure| self.cut(failure))?;
        let additions = Answers::new(&additions::of(request, &checked.request));
        self.listen_for(&additions, request).await;
        request.headers = checked.request.headers;
        request.body = checked.request.body;
        request.upload = checked.request.upload;
        Ok(Some(Signature {
            url: checked.request.url.uri().clone(),
            permit: checked.permit,
            additions,
        }))
    }

    /// Ends the call that this request belongs to. The error is only for recordings: the node does not see it.
    pub(super) fn cut(&self, failure: Failure) -> HttpError {
        self.audit(|| events::denied(&self.label, None, None, SIGNING));
        // Of several, the first one counts.
        let _ = self.cut.set(failure);
        HttpError::HttpRequestDenied
    }

    /// Whether a request of this call could not be signed.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.get().is_some()
    }

    /// Runs a call until it ends or one of its requests could not be signed. Those requests must run in the task of the
    /// call.
    ///
    /// # Errors
    ///
    /// Why the request could not be signed, whatever the call has come to.
    pub(crate) async fn unless_cut<T>(
        &self,
        mut call: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, Failure> {
        poll_fn(|context| {
            let polled = call.as_mut().poll(context);
            match self.cut.get() {
                Some(failure) => Poll::Ready(Err(failure.clone())),
                None => polled.map(Ok),
            }
        })
        .await
    }
}

/// What the signing instance is shown.
fn draft(request: &ValidatedRequest, needs: BodyNeed) -> Result<Draft<'_>, BadSignature> {
    let body = &request.body;
    let size = u64::try_from(body.len()).unwrap_or(u64::MAX);
    let of_file = request.upload.as_ref().map(|upload| match upload.known_digest() {
        Some((sha256, size)) if needs == BodyNeed::Digest => DraftBody::Digest {
            sha256: sha256.clone(),
            size: *size,
        },
        _ => DraftBody::Size(upload.size()),
    });
    Ok(Draft {
        method: request.method.as_str(),
        url: request.url.to_string(),
        headers: texts(&request.headers)?,
        body: match needs {
            _ if let Some(of_file) = of_file => of_file,
            _ if body.is_empty() => DraftBody::Empty,
            BodyNeed::Size => DraftBody::Size(Some(size)),
            BodyNeed::Digest => DraftBody::Digest {
                sha256: sha256(body),
                size,
            },
            BodyNeed::Whole => DraftBody::Whole(body),
        },
    })
}

/// The headers as texts, which is what the contract has.
fn texts(headers: &HeaderMap) -> Result<Vec<(&str, &str)>, BadSignature> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = std::str::from_utf8(value.as_bytes()).map_err(|_| BadSignature::NotText)?;
            Ok((name.as_str(), value))
        })
        .collect()
}
