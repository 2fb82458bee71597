//! The test of a credential: the request that the description names for it, or else `authenticate`.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::runner::Runner;
use crate::gate::pipeline::{BufferedResponse, Content, Keep, Pipeline, RawRequest, Scope};
use crate::runtime::clock_and_rng::ClockAndRng;
use nodule_core::canonical::Base;
use nodule_core::credential::Credential;
use nodule_core::failure::{Answer, Certainty, Failure};

impl Runner {
    /// Tests the credential: makes its session, and sends the test request that the description names, if it names one.
    /// The request is a GET below the base URL with the credential's access, and succeeds with any 2xx.
    ///
    /// # Errors
    ///
    /// Why the service, the policy or the network refused it. A credential whose fields are its access can only be tested
    /// by a request: if the description names none, that is the error. So it is if the node takes no credential.
    pub async fn check_credential(&self) -> Result<(), Failure> {
        let inner = &self.inner;
        if inner.component.node().credentials.is_empty() {
            return Err(Failure::Other {
                kind: "no-test".into(),
                message: "the node takes no credential, so there is none to test".into(),
                detail: None,
            });
        }
        inner.report_insecure(inner.label());
        let session = inner.session(None, ClockAndRng::Real, None).await?;
        let described = inner
            .credential()
            .and_then(|credential| inner.component.node().credential(credential.name()));
        match described.and_then(|described| described.test.as_deref()) {
            Some(path) => {
                let generation = session.as_ref().map(|session| session.generation());
                let once = async |session| {
                    let pipeline = inner.pipeline(Scope::Operation, session, None, None);
                    test(&pipeline, path, inner.credential()).await
                };
                let tested = once(session).await;
                match (&tested, generation) {
                    // A stored token may have been revoked, and its log-in may still be good.
                    (Err(Failure::Unauthenticated(_)), Some(_))
                        if !inner.proves_credential() && inner.renews_sessions() =>
                    {
                        once(inner.session(generation, ClockAndRng::Real, None).await?).await
                    }
                    _ => tested,
                }
            }
            None if !inner.proves_credential() => Err(Failure::Other {
                kind: "no-test".into(),
                message: "the node names no request that tests this credential".into(),
                detail: None,
            }),
            None => Ok(()),
        }
    }
}

/// Sends the test request through the pipeline.
async fn test(pipeline: &Arc<Pipeline>, path: &str, credential: Option<&Credential>) -> Result<(), Failure> {
    let Some(base) = &pipeline.base else { return Ok(()) };
    let exchange = pin!(Arc::clone(pipeline).exchange(request(base, path), None));
    match pipeline.unless_cut(exchange).await? {
        Ok(response) => judge(&response, credential),
        Err(_) => Err(pipeline.refusal().unwrap_or_else(|| {
            let trouble = pipeline.trouble();
            let trouble = trouble.as_deref().unwrap_or("the service could not be reached");
            Failure::Unavailable {
                certainty: Certainty::NotDone,
                message: format!("the test of the credential failed: {trouble}"),
                answer: None,
                retry_after_ms: None,
            }
        })),
    }
}

fn request(base: &Base, path: &str) -> RawRequest {
    let url = base.url();
    RawRequest {
        method: Method::GET,
        scheme: url.scheme().as_str(),
        authority: url.authority(),
        path_and_query: format!("{}{path}", url.path().trim_end_matches('/')),
        headers: HeaderMap::new(),
        body: Content::Whole(Bytes::new()),
        keep: Keep::No,
    }
}

/// What the response says about the credential. Only the status is passed on: a body may repeat what was sent.
fn judge(response: &BufferedResponse, credential: Option<&Credential>) -> Result<(), Failure> {
    let status = response.status;
    let answer = |message: String| Answer {
        status: status.as_u16(),
        code: None,
        message,
        request_id: None,
    };
    let answered = format!(
        "the service answered the test of the credential {}",
        status.as_u16()
    );
    Err(match status {
        _ if status.is_success() => return Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let accept = "the service did not accept the credential";
            Failure::Unauthenticated(answer(match credential.and_then(Credential::oddity) {
                Some(oddity) => format!("{accept}: {oddity}"),
                None => accept.to_owned(),
            }))
        }
        StatusCode::TOO_MANY_REQUESTS => Failure::Throttled {
            answer: answer("the service asks to wait before the credential is tested again".to_owned()),
            retry_after_ms: response.retry_after_ms(),
        },
        _ if status.is_server_error() => Failure::Unavailable {
            certainty: Certainty::NotDone,
            message: answered,
            answer: Some(answer(String::new())),
            retry_after_ms: response.retry_after_ms(),
        },
        _ if status.is_redirection() => Failure::Rejected(answer(format!(
            "{answered}, a redirect, which is not followed; is the base URL right?"
        ))),
        _ => Failure::Rejected(answer(format!("{answered}; is the base URL right?"))),
    })
}
