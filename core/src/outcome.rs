//! The result of an item, and whether a failed write may have taken effect.
//!
//! A call of a `write` operation contains one item, so the host knows whether a request that changes something was
//! sent, and whether a response arrived. It trusts this knowledge over the node's claims. Unless the host knows that
//! nothing was done, the outcome is uncertain: a trap after the request, a timeout, a response that was interrupted or
//! could not be read.

use crate::failure::{Certainty, Failure};

mod mode;
mod output;

pub use mode::{OnFailure, OnUnknown, ResultOrder, UnknownMode};
pub use output::{Output, OutputFile};

/// The output items of one item, or the failure.
pub type ItemResult = Result<Vec<Output>, Failure>;

/// The number of requests of one call that change something, as the host counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changing {
    /// Requests that were sent.
    pub sent: u32,
    /// Those of them that got a response.
    pub answered: u32,
}

/// Corrects the result of a plain write's call by what the host observed.
///
/// # Errors
///
/// The given failure, with the certainty that the host has.
pub fn of_write(result: ItemResult, changing: Changing) -> ItemResult {
    result.map_err(|failure| certain(failure, changing.sent, changing.answered))
}

fn certain(failure: Failure, sent: u32, answered: u32) -> Failure {
    let told = |certainty| match failure.clone() {
        Failure::Unavailable {
            message,
            answer,
            retry_after_ms,
            ..
        } => Failure::Unavailable {
            certainty,
            message,
            answer,
            retry_after_ms,
        },
        failure => failure,
    };
    if sent == 0 {
        // No request was sent that could have changed anything.
        return told(Certainty::NotDone);
    }
    // If there were several requests, an earlier one may have taken effect, whatever the last response said.
    let is_ruled_out = sent == 1
        && answered == 1
        && match &failure {
            // A redirect often points to the result of a write that has taken effect.
            Failure::Rejected(answer) => !matches!(answer.status, 300 | 302 | 303),
            Failure::Throttled { .. } | Failure::Unauthenticated(_) => true,
            Failure::Unavailable { certainty, .. } => *certainty == Certainty::NotDone,
            _ => false,
        };
    if is_ruled_out {
        return failure;
    }
    match &failure {
        Failure::Unavailable { .. } => told(Certainty::Unknown),
        Failure::Uncertain(_) => failure,
        _ => Failure::Uncertain(Box::new(failure)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Answer;

    fn all() -> Vec<Failure> {
        let unavailable = |certainty| Failure::Unavailable {
            certainty,
            message: "gone".into(),
            answer: None,
            retry_after_ms: None,
        };
        vec![
            Failure::InvalidParameters(Vec::new()),
            Failure::InvalidInput("bad".into()),
            Failure::Unauthenticated(Answer::default()),
            Failure::Rejected(Answer::default()),
            Failure::Throttled {
                answer: Answer::default(),
                retry_after_ms: None,
            },
            unavailable(Certainty::NotDone),
            unavailable(Certainty::Unknown),
            Failure::Denied {
                message: "no".into(),
                hint: None,
            },
            Failure::Unintelligible(Answer::default()),
            Failure::Limit("deadline".into()),
            Failure::Other {
                kind: "trap".into(),
                message: "stopped".into(),
                detail: None,
            },
        ]
    }

    #[test]
    fn what_never_left_was_not_done_whatever_the_node_says() {
        for failure in all() {
            let kind = failure.kind().to_owned();
            let told = certain(failure, 0, 0);
            assert!(!told.is_unknown(), "{told:?}");
            assert_eq!(told.kind(), kind);
        }
    }

    #[test]
    fn what_left_and_was_not_answered_is_unknown_whatever_the_node_says() {
        for failure in all() {
            let told = certain(failure, 1, 0);
            assert!(told.is_unknown(), "{told:?}");
            assert_eq!(told.to_json()["certainty"], "unknown");
        }
    }

    #[test]
    fn an_answer_rules_out_what_it_refuses_and_nothing_else() {
        let ruled_out: Vec<String> = all()
            .into_iter()
            .map(|failure| certain(failure, 1, 1))
            .filter(|failure| !failure.is_unknown())
            .map(|failure| failure.kind().to_owned())
            .collect();
        assert_eq!(
            ruled_out,
            ["unauthenticated", "rejected", "throttled", "unavailable"]
        );
    }

    #[test]
    fn a_redirect_may_be_the_result_of_a_write() {
        for (status, is_unknown) in [(301, false), (302, true), (303, true), (307, false), (308, false)] {
            let answer = Answer {
                status,
                ..Answer::default()
            };
            assert_eq!(
                certain(Failure::Rejected(answer), 1, 1).is_unknown(),
                is_unknown,
                "{status}"
            );
        }
    }

    #[test]
    fn the_refusal_of_a_second_request_says_nothing_of_the_first() {
        for failure in all() {
            assert!(certain(failure, 2, 2).is_unknown());
        }
    }
}
