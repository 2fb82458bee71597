//! Signs requests, each in an instance of its own.
//!
//! The instance has seen the secret. It reaches nothing, since its [`Scope`] refuses every request, and it is dropped
//! with its signature: what it learns of one request, it cannot keep for the next.
//!
//! [`Scope`]: crate::gate::pipeline::Scope::Signing

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use zeroize::Zeroizing;

use crate::gate::pipeline::{BadSignature, Draft, DraftBody, Pipeline, SignedRequest, Signer};
use crate::runtime::authenticator::bare_problem;
use crate::runtime::bindings::{signing, types};
use crate::runtime::component::Component;
use crate::runtime::instance::{InstanceStore, Stop};
use nodule_core::credential::Credential;
use nodule_core::description::BodyNeed;
use nodule_core::failure::Failure;

/// Signs the requests of one call.
pub(crate) struct NodeSigner {
    pub(crate) component: Component,
    pub(crate) credential: Credential,
    pub(crate) needs: BodyNeed,
    /// Reaches nothing.
    pub(crate) pipeline: Arc<Pipeline>,
    /// Locked while a request is signed: a call has one signing instance at most, whose memory is that of one instance
    /// more. They share the task of the call, so that several would not be faster.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

impl Signer for NodeSigner {
    fn needs(&self) -> BodyNeed {
        self.needs
    }

    fn sign<'a>(&'a self, draft: Draft<'a>) -> BoxFuture<'a, Result<SignedRequest, Failure>> {
        async move {
            let _turn = self.turn.lock().await;
            match self.ask(draft).await {
                Ok(Ok(signed)) => Ok(SignedRequest {
                    url: signed.url,
                    headers: signed
                        .headers
                        .into_iter()
                        .map(|field| (field.name, field.value))
                        .collect(),
                    body: signed.body,
                }),
                Ok(Err(failure)) => Err(self.bare(&failure)),
                Err(Stop::Limit(limit)) => Err(Failure::Limit(format!("sign: {limit}"))),
                // A trap's message may contain a number that the node chose, such as an invalid handle.
                Err(Stop::Trap(_) | Stop::Cut(_)) => Err(Failure::Other {
                    kind: "trap".into(),
                    message: "sign: the node stopped".into(),
                    detail: None,
                }),
            }
        }
        .boxed()
    }
}

impl NodeSigner {
    async fn ask(&self, draft: Draft<'_>) -> Result<Result<signing::SignedRequest, types::Failure>, Stop> {
        let headers: Vec<types::Field> = draft
            .headers
            .into_iter()
            .map(|(name, value)| types::Field {
                name: name.to_owned(),
                value: value.to_owned(),
            })
            .collect();
        let headers: Vec<&types::Field> = headers.iter().collect();
        let digest;
        let body = match draft.body {
            DraftBody::Empty => signing::DraftBody::Empty,
            DraftBody::Whole(bytes) => signing::DraftBody::Bytes(bytes),
            DraftBody::Digest { sha256, size } => {
                digest = sha256;
                signing::DraftBody::Digest(signing::Digest {
                    sha256: &digest,
                    size,
                })
            }
            DraftBody::Size(size) => signing::DraftBody::Unread(size),
        };
        let request = signing::Draft {
            method: draft.method,
            url: &draft.url,
            headers: &headers,
            body,
        };
        // The bindings need a `String`. This copy is zeroized; the copies that the bindings make are out of reach.
        let fields = Zeroizing::new(self.credential.json().expose().to_owned());
        let credential = signing::BoundCredential {
            name: self.credential.name(),
            fields: &fields,
        };
        let mut instance = InstanceStore::for_signature(self.component.engine(), Arc::clone(&self.pipeline));
        instance.sign(self.component.pre(), credential, request).await
    }

    /// A node's failure in the host's words: the node has seen the secret, and every word of it may be a piece of that.
    fn bare(&self, failure: &types::Failure) -> Failure {
        match failure {
            types::Failure::InvalidParameters(problems) => {
                let problem = bare_problem(self.component.node(), &self.credential, problems);
                Failure::InvalidParameters(vec![problem])
            }
            _ => BadSignature::Refused.into(),
        }
    }
}
