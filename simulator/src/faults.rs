//! Faults on demand: the active rules, and what they decide about each request.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use serde::Serialize;

use crate::clock::scramble;

mod action;
mod rule;

pub use action::{Action, LONGEST_WAIT};
pub use rule::{Rule, RuleError, When};

/// A rule, and how often it has matched and fired.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleState {
    /// The rule.
    pub rule: Rule,
    /// Requests, or connections, that matched.
    pub matched: u64,
    /// How often it fired.
    pub fired: u64,
}

/// What to do with a request.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    pub(crate) before: Duration,
    pub(crate) after: Duration,
    pub(crate) action: Option<Action>,
    pub(crate) act: bool,
}

pub(crate) struct Faults {
    seed: u64,
    /// Saves requests the lock while there are no rules.
    any: AtomicBool,
    rules: Mutex<Vec<RuleState>>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            any: AtomicBool::new(false),
            rules: Mutex::default(),
        }
    }

    /// Adds all of these rules, or none if one of them is invalid.
    pub(crate) fn add(&self, rules: Vec<Rule>) -> Result<(), RuleError> {
        rules.iter().try_for_each(Rule::validate)?;
        let mut active = self.lock();
        active.extend(rules.into_iter().map(|rule| RuleState {
            rule,
            matched: 0,
            fired: 0,
        }));
        self.any.store(!active.is_empty(), Ordering::Release);
        Ok(())
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
        self.any.store(false, Ordering::Release);
    }

    pub(crate) fn state(&self) -> Vec<RuleState> {
        self.lock().clone()
    }

    /// Decides about a connection that was just accepted.
    pub(crate) fn decide_connection(&self) -> Option<Action> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut rules = self.lock();
        let mut connection = rules
            .iter_mut()
            .enumerate()
            .filter(|(_, state)| state.rule.action.is_about_connections());
        connection.find_map(|(index, state)| state.fires(self.seed, index).then(|| state.rule.action.clone()))
    }

    /// Decides about a request; `path` has no prefix.
    pub(crate) fn decide(&self, method: &Method, path: &str) -> Decision {
        let mut decision = Decision {
            act: true,
            ..Decision::default()
        };
        if !self.any.load(Ordering::Acquire) {
            return decision;
        }
        let mut rules = self.lock();
        for (index, state) in rules.iter_mut().enumerate() {
            let about_requests = !state.rule.action.is_about_connections();
            if !(about_requests && state.rule.when.matches(method, path) && state.fires(self.seed, index)) {
                continue;
            }
            if let Action::Latency { ms } = state.rule.action {
                let wait = Duration::from_millis(ms);
                let sum = if state.rule.act == Some(true) {
                    &mut decision.after
                } else {
                    &mut decision.before
                };
                *sum = (*sum + wait).min(LONGEST_WAIT);
                continue;
            }
            decision.act = state.rule.act.unwrap_or_else(|| state.rule.action.acts());
            decision.action = Some(state.rule.action.clone());
            break;
        }
        decision
    }

    fn lock(&self) -> MutexGuard<'_, Vec<RuleState>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RuleState {
    /// Counts a request that matches the rule, and returns whether the rule fires.
    fn fires(&mut self, seed: u64, index: usize) -> bool {
        let When {
            after,
            every,
            times,
            probability,
            ..
        } = self.rule.when;
        let Some(since) = self.matched.checked_sub(after) else {
            self.matched += 1;
            return false;
        };
        self.matched += 1;
        let lucky = || {
            let rule_seed = seed ^ scramble(0x_FA17, u64::try_from(index).unwrap_or_default());
            probability.is_none_or(|probability| unit(scramble(rule_seed, self.matched)) < probability)
        };
        let fires = since % every == 0 && times.is_none_or(|times| self.fired < times) && lucky();
        self.fired += u64::from(fires);
        fires
    }
}

/// A number in the range 0 to 1, excluding 1, from the upper 32 of 64 random bits.
fn unit(bits: u64) -> f64 {
    let upper = u32::try_from(bits >> 32).unwrap_or_default();
    f64::from(upper) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fired(rule: Rule, requests: u64) -> Vec<u64> {
        let faults = Faults::new(7);
        faults.add(vec![rule]).unwrap();
        (1..=requests)
            .filter(|_| faults.decide(&Method::GET, "/v1/member/M1").action.is_some())
            .collect()
    }

    #[test]
    fn counts_after_every_and_times() {
        let rule = || Rule::new(Action::EmptyBody);
        assert_eq!(fired(rule(), 3), [1, 2, 3]);
        assert_eq!(fired(rule().after(2), 4), [3, 4]);
        assert_eq!(fired(rule().every(3), 7), [1, 4, 7]);
        assert_eq!(fired(rule().after(1).every(2).times(2), 9), [2, 4]);
        assert_eq!(fired(rule().method("POST"), 3), [0; 0]);
        assert_eq!(fired(rule().path("/v1/member/"), 1), [1]);
        assert_eq!(fired(rule().except("/v1/member/"), 3), [0; 0]);
    }

    #[test]
    fn chance_follows_the_seed() {
        let rule = || Rule::new(Action::EmptyBody).probability(0.25);
        let first = fired(rule(), 4000);
        assert_eq!(first, fired(rule(), 4000));
        assert!((800..1200).contains(&first.len()), "{}", first.len());
        assert_eq!(fired(Rule::new(Action::EmptyBody).probability(0.0), 100), [0; 0]);
        assert_eq!(fired(Rule::new(Action::EmptyBody).probability(1.0), 3), [1, 2, 3]);
    }

    #[test]
    fn latency_adds_up_and_lets_the_next_rule_decide() {
        let faults = Faults::new(0);
        faults
            .add(vec![
                Rule::new(Action::Latency { ms: 5 }),
                Rule::new(Action::Latency { ms: 7 }).act(true),
                Rule::new(Action::Latency { ms: 6 }),
                Rule::new(Action::NoContent).act(false),
                Rule::new(Action::EmptyBody),
            ])
            .unwrap();
        let decision = faults.decide(&Method::GET, "/v1/x");
        assert_eq!((decision.before.as_millis(), decision.after.as_millis()), (11, 7));
        assert_eq!((decision.action, decision.act), (Some(Action::NoContent), false));
        assert_eq!(faults.state().last().unwrap().matched, 0);
    }

    #[test]
    fn one_wrong_rule_keeps_the_others_out() {
        let faults = Faults::new(0);
        assert!(
            faults
                .add(vec![
                    Rule::new(Action::EmptyBody),
                    Rule::new(Action::EmptyBody).every(0)
                ])
                .is_err()
        );
        assert_eq!(faults.state(), []);
    }
}
