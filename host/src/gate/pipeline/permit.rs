//! Step 2: whether a request may be sent, and which addresses its connection may reach. Also reports refusals, from any
//! step.

use http::Method;
use nodule_core::address::Permit;
use nodule_core::canonical::CanonicalUrl;
use nodule_core::policy::{BaseUrl, Policy, WriteBound};
use wasmtime_wasi_http::Error as HttpError;

use super::{Pipeline, RequestLine, SIGNING, Scope, ValidatedRequest, is_safe};
use crate::events;

/// Rules that may refuse a request below the base URL independently of what the node chose.
const OF_THE_BASE: [&str; 3] = ["address", "authentication-requests", "request-hook"];

/// How many requests one `authenticate` may send. A handshake takes up to five or six: discovery, a nonce, a token, a
/// token exchange, a failed renewal before. Without a limit, a node could store the secret anywhere on the service.
pub(crate) const AUTHENTICATION_REQUESTS: u32 = 16;

/// Why a request was refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The rule's stable name, for events.
    pub(super) rule: &'static str,
    /// The message for the item's failure.
    pub(super) message: String,
    /// The lines for the policy file that would allow it.
    pub(super) hint: Option<String>,
}

/// Decides on a request by itself, from the policy and the credential, regardless of earlier requests.
pub(super) fn decide(policy: &Policy, scope: Scope, request: &ValidatedRequest) -> Result<Permit, Refusal> {
    let ValidatedRequest {
        method,
        url,
        below_base,
        declaration,
        ..
    } = request;
    let decided = match (scope, below_base) {
        (Scope::Signing, _) => {
            return Err(Refusal {
                rule: SIGNING,
                message: "a signing node may not send requests".to_owned(),
                hint: None,
            });
        }
        (Scope::Authentication, false) if !declaration.has_access => {
            return Err(Refusal {
                rule: "authentication",
                message: format!(
                    "an authenticating node may not send requests to `{}`",
                    url.origin()
                ),
                hint: None,
            });
        }
        // Allowed by a rule, or because the credential was given and the policy does not say otherwise.
        (_, true) => policy.decide_below_base(method, url),
        (_, false) => policy.decide_beside_base(method, url, declaration),
    };
    match decided {
        Ok(permit) => Ok(permit),
        Err(denial) => Err(Refusal {
            rule: match scope {
                Scope::Operation => denial.why.rule(),
                // The node could encode the secret in which rule it breaks.
                Scope::Authentication => "authentication",
                Scope::Signing => SIGNING,
            },
            message: denial.to_string(),
            hint: denial.hint(),
        }),
    }
}

/// Refuses a request that changes something after as many as the call may send.
fn too_many_writes(bound: WriteBound, operation: &str) -> Refusal {
    let WriteBound { most, is_of_policy } = bound;
    let requests = match most {
        1 => "1 request".to_owned(),
        most => format!("{most} requests"),
    };
    let whose = if is_of_policy {
        "the policy"
    } else {
        "the operation's description"
    };
    Refusal {
        rule: "write-requests",
        message: format!(
            "the items of this call may send {requests} other than GET and HEAD, as {whose} says (`write-requests`)"
        ),
        hint: is_of_policy.then(|| {
            let more = most.saturating_add(1);
            format!("in the policy file:\n[operations.\"{operation}\"]\nwrite-requests = {more}")
        }),
    }
}

impl Pipeline {
    /// Decides on a request, counts it, and returns which addresses its connection may reach.
    pub(super) fn permit(&self, request: &ValidatedRequest) -> Result<Permit, HttpError> {
        decide(&self.policy, self.scope, request)
            .and_then(|permit| self.may_ask(&request.method).map(|()| permit))
            .and_then(|permit| self.count(&request.method).map(|()| permit))
            .map_err(|refusal| self.refuse(request.line(), refusal))
    }

    /// Refuses whatever may change something, while a form is filled in: nobody has asked for that yet. The service decides
    /// what a POST means, so that none is let through, not even one that only searches.
    fn may_ask(&self, method: &Method) -> Result<(), Refusal> {
        if !self.reads_only || is_safe(method) {
            return Ok(());
        }
        Err(Refusal {
            rule: "question",
            message: "a question of a form may send GET and HEAD".to_owned(),
            hint: None,
        })
    }

    /// Counts a request that was allowed by itself, and refuses it if that is one too many.
    fn count(&self, method: &Method) -> Result<(), Refusal> {
        let mut notes = self.notes();
        match self.scope {
            Scope::Authentication if !notes.may_authenticate_further() => Err(Refusal {
                rule: "authentication-requests",
                message: format!("an authenticating node may send {AUTHENTICATION_REQUESTS} requests"),
                hint: None,
            }),
            Scope::Operation if !is_safe(method) => match self.bound {
                Some(bound) if !notes.may_change_further(bound.most) => {
                    Err(too_many_writes(bound, &self.label.operation))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Refuses a request: with a failure for the node, an event for the operator, and lines to paste into the policy.
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
            // This node knows the secret and could encode it in where its request goes, so that is not shown.
            Scope::Authentication if self.is_live() && !(below_base && OF_THE_BASE.contains(&rule)) => (
                RequestLine {
                    method: None,
                    url: None,
                },
                self.what_authentication_may(),
                None,
            ),
            Scope::Signing => (
                RequestLine {
                    method: None,
                    url: None,
                },
                message,
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
        let declared = if self.origins.is_empty() {
            ""
        } else {
            " and at granted origins that name its credential"
        };
        format!(
            "an authenticating node may send plain requests below `{base}`{listed}{declared}, and tried another"
        )
    }
}
