//! Reads and writes a failure as engines store it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Answer, Certainty, Failure, ParameterProblem};
use crate::json::Json;

/// The fields that [`Failure::to_json`] writes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    kind: String,
    message: String,
    status: Option<u16>,
    code: Option<String>,
    request_id: Option<String>,
    retry_after_ms: Option<u32>,
    certainty: Option<Certainty>,
    #[serde(default)]
    problems: Vec<ParameterProblem>,
    hint: Option<String>,
    detail: Option<Json>,
}

/// As [`Failure::to_json`].
impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// Reads what [`Failure::to_json`] wrote. The service's message of an outage is not written, so the outage's own
/// message replaces it.
impl<'de> Deserialize<'de> for Failure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Stored::deserialize(deserializer).map(Stored::failure)
    }
}

impl Stored {
    fn failure(self) -> Failure {
        let is_outage = self.kind == "unavailable";
        let is_uncertain = !is_outage && self.certainty == Some(Certainty::Unknown);
        let failure = self.certain();
        if is_uncertain {
            Failure::Uncertain(Box::new(failure))
        } else {
            failure
        }
    }

    fn certain(self) -> Failure {
        let Self {
            kind,
            message,
            retry_after_ms,
            ..
        } = self;
        let answer = self.status.map(|status| Answer {
            status,
            code: self.code,
            message: message.clone(),
            request_id: self.request_id,
        });
        match (kind.as_str(), answer) {
            ("invalid-parameters", _) => Failure::InvalidParameters(self.problems),
            ("invalid-input", _) => Failure::InvalidInput(message),
            ("unauthenticated", Some(answer)) => Failure::Unauthenticated(answer),
            ("rejected", Some(answer)) => Failure::Rejected(answer),
            ("unintelligible", Some(answer)) => Failure::Unintelligible(answer),
            ("throttled", Some(answer)) => Failure::Throttled {
                answer,
                retry_after_ms,
            },
            ("unavailable", answer) => Failure::Unavailable {
                // Without a statement to the contrary, the request may have had its effect.
                certainty: self.certainty.unwrap_or(Certainty::Unknown),
                message,
                answer,
                retry_after_ms,
            },
            ("denied", _) => Failure::Denied {
                message,
                hint: self.hint,
            },
            ("limit", _) => Failure::Limit(message),
            ("not-run", _) => Failure::NotRun,
            _ => Failure::Other {
                kind,
                message,
                detail: self.detail,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn answer(status: u16) -> Answer {
        Answer {
            status,
            code: Some("E1".to_owned()),
            message: "no".to_owned(),
            request_id: Some("r-1".to_owned()),
        }
    }

    #[test]
    fn a_stored_failure_is_read_as_the_one_that_it_was() {
        let problem = ParameterProblem {
            pointer: "/a".to_owned(),
            label: "A".to_owned(),
            message: "expected a text".to_owned(),
        };
        let other = |kind: &str, detail| Failure::Other {
            kind: kind.to_owned(),
            message: "m".to_owned(),
            detail,
        };
        let detail = json!({"exact": [Json::parse("1.50").unwrap(), Json::parse("1e400").unwrap()]});
        for failure in [
            Failure::InvalidParameters(vec![problem]),
            Failure::InvalidInput("bad".to_owned()),
            Failure::Unauthenticated(answer(401)),
            Failure::Rejected(Answer::default()),
            Failure::Throttled {
                answer: answer(429),
                retry_after_ms: Some(7),
            },
            Failure::Unavailable {
                certainty: Certainty::NotDone,
                message: "no".to_owned(),
                answer: Some(answer(503)),
                retry_after_ms: None,
            },
            Failure::Unavailable {
                certainty: Certainty::Unknown,
                message: "gone".to_owned(),
                answer: None,
                retry_after_ms: Some(1),
            },
            Failure::Denied {
                message: "d".to_owned(),
                hint: Some("h".to_owned()),
            },
            Failure::Unintelligible(answer(200)),
            Failure::Limit("memory".to_owned()),
            Failure::NotRun,
            other("trap", None),
            other("odd", Some(detail.clone())),
            Failure::Uncertain(Box::new(Failure::Rejected(answer(302)))),
            Failure::Uncertain(Box::new(other("trap", Some(detail)))),
        ] {
            let text = serde_json::to_string(&failure).unwrap();
            assert_eq!(text, failure.to_json().to_string());
            assert_eq!(serde_json::from_str::<Failure>(&text).unwrap(), failure, "{text}");
        }
    }

    /// An engine's own event with a failure inside.
    #[derive(Deserialize)]
    #[serde(tag = "type")]
    enum Event {
        Failed { why: Failure },
    }

    #[test]
    fn a_failure_inside_of_an_engines_own_event_is_read() {
        let text = r#"{"type":"Failed","why":{"kind":"odd","message":"m","detail":{"n":1.5}}}"#;
        let Event::Failed { why } = serde_json::from_str(text).unwrap();
        assert_eq!(why.to_json()["detail"]["n"].as_f64(), Some(1.5));
    }
}
