//! A rule: which requests fail, and how.

use http::Method;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::action::Action;

/// One rule. Rules are checked in the order in which they were added. The first that fires decides, except that
/// [`Action::Latency`] adds up and lets later rules decide as well.
///
/// ```json
/// {"when": {"method": "POST", "path": "/v1/points/", "after": 1, "every": 2, "times": 3, "probability": 0.5},
///  "action": {"status": {"code": 429, "retryAfter": "2"}}, "act": false}
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The requests that it applies to; by default every API request.
    #[serde(default)]
    pub when: When,
    /// The fault.
    pub action: Action,
    /// Whether the request is executed before the fault; by default as the action says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<bool>,
}

impl Rule {
    /// A rule for every API request.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self {
            when: When::default(),
            action,
            act: None,
        }
    }

    /// Applies only to requests with this method.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.when.method = Some(method.into());
        self
    }

    /// Applies only to requests whose path, without `/openapi-prod`, starts with this text.
    #[must_use]
    pub fn path(mut self, prefix: impl Into<String>) -> Self {
        self.when.path = Some(prefix.into());
        self
    }

    /// Excludes requests whose path starts with this text, such as `/v1/auth/`.
    #[must_use]
    pub fn except(mut self, prefix: impl Into<String>) -> Self {
        self.when.except = Some(prefix.into());
        self
    }

    /// Skips the first `count` matching requests.
    #[must_use]
    pub fn after(mut self, count: u64) -> Self {
        self.when.after = count;
        self
    }

    /// After the skipped requests, fires on the first one and then on every `n`th.
    #[must_use]
    pub fn every(mut self, n: u64) -> Self {
        self.when.every = n;
        self
    }

    /// Fires at most this many times.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.when.times = Some(count);
        self
    }

    /// Fires with this probability, from the simulator's seed.
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.when.probability = Some(probability);
        self
    }

    /// Sets whether the request is executed before the fault.
    #[must_use]
    pub fn act(mut self, act: bool) -> Self {
        self.act = Some(act);
        self
    }

    pub(super) fn validate(&self) -> Result<(), RuleError> {
        let When {
            method,
            path,
            except,
            every,
            probability,
            ..
        } = &self.when;
        if self.action.is_about_connections() && (method.is_some() || path.is_some() || except.is_some()) {
            return Err(RuleError::BeforeReading);
        }
        if self.act.is_some() && self.action.act_is_fixed() {
            return Err(RuleError::ActIsFixed);
        }
        if *every == 0 {
            return Err(RuleError::Value {
                field: "every",
                expected: "1 or more",
            });
        }
        if probability.is_some_and(|probability| !(0.0..=1.0).contains(&probability)) {
            return Err(RuleError::Value {
                field: "probability",
                expected: "0 to 1",
            });
        }
        if method
            .as_deref()
            .is_some_and(|method| method.parse::<Method>().is_err())
        {
            return Err(RuleError::Value {
                field: "method",
                expected: "an HTTP method",
            });
        }
        self.action.validate()
    }
}

/// The requests that a rule applies to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// The method; absent for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The start of the path, without `/openapi-prod`; absent for any path, including the token exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A start of the path that excludes a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub except: Option<String>,
    /// How many matching requests to skip.
    pub after: u64,
    /// After these, the rule fires on the first request and then on each `every`th.
    pub every: u64,
    /// The most times that the rule fires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// The probability of firing, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

impl Default for When {
    fn default() -> Self {
        Self {
            method: None,
            path: None,
            except: None,
            after: 0,
            every: 1,
            times: None,
            probability: None,
        }
    }
}

impl When {
    pub(super) fn matches(&self, method: &Method, path: &str) -> bool {
        self.method
            .as_deref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method.as_str()))
            && self.path.as_deref().is_none_or(|prefix| path.starts_with(prefix))
            && !self
                .except
                .as_deref()
                .is_some_and(|prefix| path.starts_with(prefix))
    }
}

/// A rule that makes no sense.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuleError {
    /// The action happens before a request is read, so it cannot depend on one.
    #[error("`when`: expected no `method`, `path` or `except`, since this action is about connections")]
    BeforeReading,
    /// The action's name already says whether the request is executed.
    #[error("`act`: expected nothing, since the action itself says whether the request is carried out")]
    ActIsFixed,
    /// A field is out of bounds.
    #[error("`{field}`: expected {expected}")]
    Value {
        /// The field's name.
        field: &'static str,
        /// The values that it accepts.
        expected: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_rules_that_cannot_be_meant() {
        let wrong = [
            Rule::new(Action::ResetBeforeReading).path("/v1/"),
            Rule::new(Action::ResetAfterActing).act(false),
            Rule::new(Action::EmptyBody).every(0),
            Rule::new(Action::EmptyBody).probability(1.5),
            Rule::new(Action::EmptyBody).method("GE T"),
            Rule::new(Action::Latency { ms: 600_001 }),
            Rule::new(Action::Html { status: 100 }),
            Rule::new(Action::Redirect {
                location: "/\n".to_owned(),
                status: 302,
            }),
            Rule::new(Action::Redirect {
                location: "/".to_owned(),
                status: 200,
            }),
        ];
        for rule in wrong {
            assert!(rule.validate().is_err(), "{rule:?}");
        }
    }

    #[test]
    fn reads_the_documented_json() {
        let rule: Rule = serde_json::from_str(
            r#"{"when": {"method": "POST", "path": "/v1/points/", "after": 1, "every": 2, "times": 3,
                         "probability": 0.5},
                "action": {"status": {"code": 429, "retryAfter": "2"}}, "act": false}"#,
        )
        .unwrap();
        let status = Action::Status {
            code: 429,
            retry_after: Some("2".to_owned()),
            body: None,
        };
        let built = Rule::new(status)
            .method("POST")
            .path("/v1/points/")
            .after(1)
            .every(2)
            .times(3);
        assert_eq!(rule, built.probability(0.5).act(false));
        for json in [
            r#"{"action": "reset-mid-answer"}"#,
            r#"{"action": {"latency": {"ms": 50}}}"#,
            r#"{"action": {"wrong-content-length": {"by": -3}}}"#,
            r#"{"action": {"envelope-spelling": {"spelling": "resultCode"}}}"#,
        ] {
            serde_json::from_str::<Rule>(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        }
        for json in [
            r#"{"action": "unknown"}"#,
            r#"{"action": "empty-body", "wen": {}}"#,
        ] {
            assert!(serde_json::from_str::<Rule>(json).is_err(), "{json}");
        }
    }
}
