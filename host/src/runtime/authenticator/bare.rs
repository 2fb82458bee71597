//! What the host passes on of a failed `authenticate`: the kind of failure, and what the host observed itself.
//!
//! The node has seen the secret, so every word, code and number of its failure may be a piece of it. The host passes on
//! only the kind, one of nine, and for `invalid-parameters` one field of the description.

use super::Authenticator;
use crate::gate::pipeline::{LastAnswer, Redirect};
use crate::runtime::bindings::types;
use nodule_core::credential::Credential;
use nodule_core::description::Node;
use nodule_core::failure::{Answer, Certainty, Failure, ParameterProblem};

impl Authenticator<'_> {
    /// Rewrites a node's failure in the host's words.
    pub(super) fn bare(&self, failure: &types::Failure) -> Failure {
        let seen = self.pipeline.last_answer();
        let retry_after_ms = seen.and_then(|seen| seen.retry_after_ms);
        let answer = |message: &str| Answer {
            // 0 if there was no response, as in a recording.
            status: seen.map_or(0, |seen| seen.status),
            code: None,
            message: message.to_owned(),
            request_id: None,
        };
        match failure {
            types::Failure::Denied(_) | types::Failure::Limit(_) => {
                self.pipeline.refusal().unwrap_or_else(unnamed)
            }
            types::Failure::Rejected(_)
                if let Some(why) = seen.and_then(|seen| self.not_of_the_service(seen)) =>
            {
                Failure::Rejected(answer(&why))
            }
            types::Failure::Unauthenticated(_) | types::Failure::Rejected(_) => {
                let accept = "the service did not accept the credential";
                let oddity = self.credential.oddity();
                Failure::Unauthenticated(match oddity {
                    Some(oddity) => answer(&format!("{accept}: {oddity}")),
                    None => answer(accept),
                })
            }
            types::Failure::Throttled(_) => Failure::Throttled {
                answer: answer("the service asks to wait before authenticating again"),
                retry_after_ms,
            },
            types::Failure::Unavailable(_) => Failure::Unavailable {
                // The item's own request has not been sent yet.
                certainty: Certainty::NotDone,
                message: match (seen, self.pipeline.trouble()) {
                    (Some(seen), _) => format!("authentication failed: the service answered {}", seen.status),
                    (None, Some(trouble)) => format!("authentication failed: {trouble}"),
                    (None, None) => "authentication failed: the service could not be reached".to_owned(),
                },
                answer: seen.map(|_| answer("")),
                retry_after_ms,
            },
            types::Failure::Unintelligible(_) => Failure::Unintelligible(self.not_understood(seen)),
            types::Failure::InvalidParameters(problems) => {
                let problem = bare_problem(self.component.node(), self.credential, problems);
                Failure::InvalidParameters(vec![problem])
            }
            types::Failure::InvalidInput(_) | types::Failure::NotRun | types::Failure::Other(_) => unnamed(),
        }
    }

    /// Why a response is probably not the service's: the credential may be right and its base URL wrong. The message
    /// contains the status, the kind of the response, and the kind of a redirect's target; more could repeat what the
    /// node sent.
    fn not_of_the_service(&self, seen: LastAnswer) -> Option<String> {
        let LastAnswer { status, redirect, .. } = seen;
        let base = self.base_url();
        Some(match (status, redirect) {
            (300..=399, redirect) => {
                let (to, remedy) = match redirect {
                    Some(Redirect::Https) => {
                        ("to `https` at the same host", "it has to begin with `https://`")
                    }
                    Some(Redirect::SameHost) => ("to another place at the same host", "is its path right?"),
                    Some(Redirect::OtherHost) => ("to another host", "is it the service's own?"),
                    None => ("that says not where to", "is it the service's own?"),
                };
                format!(
                    "a request below the base URL `{base}` was answered {status}, a redirect {to}, which is not followed; {remedy}"
                )
            }
            (404 | 405 | 410, _) => format!(
                "a request below the base URL `{base}` was answered {status}: there is nothing to authenticate by; is its path right?"
            ),
            (407, _) => format!(
                "a request below the base URL `{base}` was answered {status}, by a proxy on the way that wants to know who asks"
            ),
            (403, _) if seen.is_html => format!(
                "a request below the base URL `{base}` was answered {status} with a page of HTML, as a firewall or a proxy does, and \
                 rather not by the service"
            ),
            _ => return None,
        })
    }

    /// Describes a response that the node did not understand.
    fn not_understood(&self, seen: Option<LastAnswer>) -> Answer {
        let mut status = seen.map_or(0, |seen| seen.status);
        let what = "the service's answer to the authentication could not be understood";
        let message = match seen {
            Some(seen) if seen.is_html => format!(
                "{what}: it is a page of HTML, as a login, a proxy or another service has it; is the base URL `{}` right?",
                self.base_url()
            ),
            Some(_) => what.to_owned(),
            None => match self.pipeline.undecoded() {
                Some((undecoded, words)) => {
                    status = undecoded;
                    format!("{what}: {words}")
                }
                None => what.to_owned(),
            },
        };
        Answer {
            status,
            code: None,
            message,
            request_id: None,
        }
    }

    fn base_url(&self) -> String {
        let base = self.pipeline.base.as_ref();
        base.map(|base| base.url().to_string()).unwrap_or_default()
    }
}

/// The field that is wrong, in the description's words. Only one is reported: a set of wrong fields, or their order, would
/// carry many bits of the node's choice.
pub(crate) fn bare_problem(
    node: &Node,
    credential: &Credential,
    problems: &[types::Problem],
) -> ParameterProblem {
    let described = node.credential(credential.name()).into_iter();
    let mut fields = described.flat_map(|described| node.parameters_by_id(&described.fields));
    let named = fields.find(|field| {
        problems
            .iter()
            .any(|problem| problem.pointer.strip_prefix('/').unwrap_or(&problem.pointer) == field.name)
    });
    match named {
        Some(field) => ParameterProblem {
            pointer: format!("/{}", field.name),
            label: field.display_name.clone(),
            message: "the credential's field cannot be used".to_owned(),
        },
        None => ParameterProblem {
            pointer: String::new(),
            label: "Credential".to_owned(),
            message: "one of its fields cannot be used".to_owned(),
        },
    }
}

/// For failures whose kind is not passed on.
fn unnamed() -> Failure {
    Failure::Other {
        kind: "authentication".into(),
        message: "authentication failed".into(),
        detail: None,
    }
}
