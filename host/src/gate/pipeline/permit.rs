//! The second step: whether a request may be sent, and how far its connection may go. And how a refusal is told, whichever step
//! it comes from.

use http::Method;
use nodule_core::address::Permit;
use nodule_core::canonical::CanonicalUrl;
use nodule_core::policy::{BaseUrl, Policy, Rule};
use wasmtime_wasi_http::Error as HttpError;

use super::{Pipeline, RequestLine, Scope, ValidatedRequest, is_safe};
use crate::events;

/// Rules by which a request below the base URL is refused for nothing that the node chose.
const OF_THE_BASE: [&str; 3] = ["address", "authentication-requests", "request-hook"];

/// Requests that one `authenticate` may send. A handshake of several steps takes five or six: finding the endpoints, a nonce,
/// a token, its exchange for another, a renewal that failed before. With no limit it could write the secret to as many places
/// of the service as it likes.
pub(crate) const AUTHENTICATION_REQUESTS: u32 = 16;

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The rule's stable name, for events.
    pub(super) rule: &'static str,
    /// What is wrong, for the failure of the item.
    pub(super) message: String,
    /// The lines that would allow it.
    pub(super) hint: Option<String>,
}

/// What policy and credential say of a request by itself, whatever was sent before it.
pub(super) fn decide(policy: &Policy, scope: Scope, request: &ValidatedRequest) -> Result<Permit, Refusal> {
    let ValidatedRequest {
        method,
        url,
        below_base,
        ..
    } = request;
    let decided = match (scope, below_base) {
        (Scope::Authentication, false) => {
            return Err(Refusal {
                rule: "authentication",
                message: format!(
                    "an authenticating node may not send requests to `{}`",
                    url.origin()
                ),
                hint: None,
            });
        }
        // By a rule, or by having given the credential, where the policy does not say otherwise.
        (_, true) => policy.decide_below_base(method, url),
        (Scope::Operation, false) => policy.decide(method, url).map(Rule::permit),
    };
    match decided {
        Ok(permit) => Ok(permit),
        Err(denial) => Err(Refusal {
            rule: match scope {
                Scope::Operation => denial.why.rule(),
                // Which of the rules it was is this node's choice.
                Scope::Authentication => "authentication",
            },
            message: denial.to_string(),
            hint: denial.hint(),
        }),
    }
}

impl Pipeline {
    /// The policy's word, and how far the connection may go.
    pub(super) fn permit(&self, request: &ValidatedRequest) -> Result<Permit, HttpError> {
        decide(&self.policy, self.scope, request)
            .and_then(|permit| self.count(&request.method).map(|()| permit))
            .map_err(|refusal| self.refuse(request.line(), refusal))
    }

    /// Count a request that may be sent by itself; refuse one too many of them.
    fn count(&self, method: &Method) -> Result<(), Refusal> {
        let mut notes = self.notes();
        match self.scope {
            Scope::Authentication if !notes.may_authenticate_further() => Err(Refusal {
                rule: "authentication-requests",
                message: format!("an authenticating node may send {AUTHENTICATION_REQUESTS} requests"),
                hint: None,
            }),
            Scope::Operation if self.write && !is_safe(method) => {
                let most = self.policy.write_requests();
                if notes.may_change_further(most) {
                    return Ok(());
                }
                let requests = match most {
                    1 => "1 request that is not a GET".to_owned(),
                    most => format!("{most} requests that are not a GET"),
                };
                Err(Refusal {
                    rule: "write-requests",
                    message: format!("a call of a `write` operation may send {requests}"),
                    hint: Some(format!("in the policy file:\nwrite-requests = {}", most + 1)),
                })
            }
            _ => Ok(()),
        }
    }

    /// Refuse a request: a failure for the node, an event for the operator, and the lines to paste for whoever has to act.
    pub(crate) fn deny(
        &self,
        line: RequestLine<'_>,
        rule: &'static str,
        message: String,
        hint: Option<String>,
    ) -> HttpError {
        self.refuse(line, Refusal { rule, message, hint })
    }

    fn refuse(&self, line: RequestLine<'_>, refusal: Refusal) -> HttpError {
        let Refusal { rule, message, hint } = refusal;
        let below_base = line
            .url
            .is_some_and(|url| self.base.as_ref().is_some_and(|base| base.covers(url)));
        let (line, message, hint) = match self.scope {
            // This node knows the secret: where it wanted to go, in whatever words, may be the secret.
            Scope::Authentication if self.is_live() && !(below_base && OF_THE_BASE.contains(&rule)) => (
                RequestLine {
                    method: None,
                    url: None,
                },
                self.what_authentication_may(),
                None,
            ),
            _ => (line, message, hint),
        };
        let origin = line.url.map(CanonicalUrl::origin);
        self.audit(|| events::denied(&self.label, line.method, origin.as_deref(), rule));
        self.notes().denial.get_or_insert((message, hint));
        HttpError::HttpRequestDenied
    }

    fn what_authentication_may(&self) -> String {
        let base = self
            .base
            .as_ref()
            .map(|base| base.url().to_string())
            .unwrap_or_default();
        let listed = match self.policy.base_url() {
            BaseUrl::Granted => "",
            BaseUrl::Listed => " that the policy lists (`base-url = \"listed\"`)",
        };
        format!("an authenticating node may send plain requests below `{base}`{listed}, and tried another")
    }
}
