//! Which failed items are tried again, when, and how often.
//!
//! The operation's effect and the failure alone decide whether another try is allowed:
//!
//! | failure | `read`, `idempotent`, `keyed` | `write` |
//! | --- | --- | --- |
//! | throttled | retry | retry |
//! | unavailable, certainly not done | retry | retry |
//! | unavailable, perhaps done | retry | never |
//! | anything else | never: somebody has to act first | never |
//!
//! Refused sessions are handled elsewhere: the session is renewed once, immediately, and the item is sent again with
//! the new one.
//!
//! `Retry-After` is honoured if it ends within the item's and the run's time. Otherwise the item fails at once, and its
//! failure contains what the service asked for. Without `Retry-After`, waits grow exponentially, with jitter.
//!
//! Recordings, replays and dry runs never retry: a recording with retries would not replay to the byte, and a replay
//! has nothing to wait for.

mod breaker;

use std::num::NonZeroU32;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use serde::{Deserialize, Serialize};

use crate::description::Effect;
use crate::failure::{Certainty, Failure};

pub use breaker::{Breaker, Change, Gate};

/// Enough to survive a restart or a moment of overload, few enough that an item's failure is known within a minute.
pub const DEFAULT_TRIES: NonZeroU32 = NonZeroU32::new(5).expect("5 is not zero");
/// Short, because a connection that was reset works again at once; long enough not to ask a busy service ten times a
/// second.
pub const DEFAULT_FIRST_WAIT: Duration = Duration::from_millis(200);
/// Longer waits delay the results of later items without benefit.
pub const DEFAULT_LONGEST_WAIT: Duration = Duration::from_secs(30);
/// `Retry-After` is usually at most a minute.
pub const DEFAULT_ITEM_TIME: Duration = Duration::from_mins(2);

/// Longer than any run, and short enough that a clock can represent it.
const LONGEST_TIME: Duration = Duration::from_hours(24 * 365 * 10);

/// Caps a time so that it can be added to an instant, because callers may pass the longest possible time to mean "for
/// ever".
#[must_use]
pub fn countable(time: Duration) -> Duration {
    time.min(LONGEST_TIME)
}

/// How often and how long an item is tried. Serde writes the times in milliseconds, as `firstWaitMs` and so on, and
/// uses the default for absent fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Retry {
    /// Tries of one item, including the first.
    pub tries: NonZeroU32,
    /// The wait before the second try, without jitter; it doubles with each further try.
    #[serde(rename = "firstWaitMs", with = "crate::millis")]
    pub first_wait: Duration,
    /// The longest wait, unless the service asks for a longer one.
    #[serde(rename = "longestWaitMs", with = "crate::millis")]
    pub longest_wait: Duration,
    /// Counted from an item's first try; no try begins later.
    #[serde(rename = "itemTimeMs", with = "crate::millis")]
    pub item_time: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            tries: DEFAULT_TRIES,
            first_wait: DEFAULT_FIRST_WAIT,
            longest_wait: DEFAULT_LONGEST_WAIT,
            item_time: DEFAULT_ITEM_TIME,
        }
    }
}

impl Retry {
    /// Exactly one try, for an engine that retries by itself.
    #[must_use]
    pub fn never() -> Self {
        Self {
            tries: NonZeroU32::MIN,
            ..Self::default()
        }
    }

    /// Sets the tries of one item, including the first; 0 counts as 1.
    #[must_use]
    pub fn tries(mut self, tries: u32) -> Self {
        self.tries = NonZeroU32::new(tries).unwrap_or(NonZeroU32::MIN);
        self
    }

    /// Sets the time from an item's first try after which no try begins.
    #[must_use]
    pub fn item_time(mut self, time: Duration) -> Self {
        self.item_time = time;
        self
    }

    /// Sets the wait before the second try, and the longest of the later waits.
    #[must_use]
    pub fn waits(mut self, first: Duration, longest: Duration) -> Self {
        self.first_wait = first;
        self.longest_wait = longest.max(first);
        self
    }

    /// Caps all times so that they can be added to an instant.
    #[must_use]
    pub fn countable(self) -> Self {
        Self {
            tries: self.tries,
            first_wait: countable(self.first_wait),
            longest_wait: countable(self.longest_wait),
            item_time: countable(self.item_time),
        }
    }

    /// The growing, endless sequence of waits of one item.
    #[must_use]
    pub fn backoff(&self) -> Backoff {
        let builder = ExponentialBuilder::default()
            .with_min_delay(self.first_wait)
            .with_max_delay(self.longest_wait)
            .with_factor(2.0)
            .with_jitter()
            .without_max_times();
        Box::new(builder.build())
    }
}

/// The waits between the tries of one item.
pub type Backoff = Box<dyn Iterator<Item = Duration> + Send>;

/// Whether an item may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No.
    Final,
    /// Yes, after the time that the service asked for, if it did.
    Again(Option<Duration>),
}

/// Decides whether an item may be tried again, by its operation's effect and its failure.
#[must_use]
pub fn verdict(effect: &Effect, failure: &Failure) -> Verdict {
    let asked = |ms: &Option<u32>| Verdict::Again(ms.map(|ms| Duration::from_millis(ms.into())));
    match failure {
        Failure::Throttled { retry_after_ms, .. } => asked(retry_after_ms),
        Failure::Unavailable {
            certainty,
            retry_after_ms,
            ..
        } if *certainty == Certainty::NotDone || *effect != Effect::Write => asked(retry_after_ms),
        _ => Verdict::Final,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Answer;

    fn effects() -> [Effect; 4] {
        [
            Effect::Read,
            Effect::Idempotent,
            Effect::Keyed("id".into()),
            Effect::Write,
        ]
    }

    fn unavailable(certainty: Certainty, retry_after_ms: Option<u32>) -> Failure {
        Failure::Unavailable {
            certainty,
            message: String::new(),
            answer: None,
            retry_after_ms,
        }
    }

    #[test]
    fn what_was_not_done_may_be_tried_again_by_everybody() {
        for effect in effects() {
            let throttled = Failure::Throttled {
                answer: Answer::default(),
                retry_after_ms: Some(1_500),
            };
            assert_eq!(
                verdict(&effect, &throttled),
                Verdict::Again(Some(Duration::from_millis(1_500)))
            );
            assert_eq!(
                verdict(&effect, &unavailable(Certainty::NotDone, None)),
                Verdict::Again(None)
            );
        }
    }

    #[test]
    fn what_may_have_been_done_is_tried_again_unless_it_is_a_plain_write() {
        let [effects @ .., write] = effects();
        for effect in effects {
            assert_eq!(
                verdict(&effect, &unavailable(Certainty::Unknown, None)),
                Verdict::Again(None)
            );
        }
        assert_eq!(
            verdict(&write, &unavailable(Certainty::Unknown, Some(0))),
            Verdict::Final
        );
    }

    #[test]
    fn what_somebody_has_to_act_on_is_not_tried_again() {
        for failure in [
            Failure::InvalidParameters(Vec::new()),
            Failure::InvalidInput(String::new()),
            Failure::Unauthenticated(Answer::default()),
            Failure::Rejected(Answer::default()),
            Failure::Denied {
                message: String::new(),
                hint: None,
            },
            Failure::Unintelligible(Answer::default()),
            Failure::Limit(String::new()),
            Failure::NotRun,
            Failure::Uncertain(Box::new(unavailable(Certainty::NotDone, None))),
            Failure::Other {
                kind: "trap".into(),
                message: String::new(),
                detail: None,
            },
        ] {
            for effect in effects() {
                assert_eq!(verdict(&effect, &failure), Verdict::Final, "{failure:?}");
            }
        }
    }

    #[test]
    fn times_without_end_can_be_counted() {
        let retry = Retry::never()
            .item_time(Duration::MAX)
            .waits(Duration::MAX, Duration::MAX);
        let Retry {
            first_wait,
            longest_wait,
            item_time,
            ..
        } = retry.countable();
        for time in [first_wait, longest_wait, item_time, countable(Duration::MAX)] {
            // The jitter may double a wait.
            assert!(
                std::time::Instant::now().checked_add(time * 2).is_some(),
                "{time:?}"
            );
        }
        assert_eq!(countable(DEFAULT_ITEM_TIME), DEFAULT_ITEM_TIME);
    }

    #[test]
    fn waits_grow_to_the_longest_and_differ() {
        let retry = Retry::default();
        let waits: Vec<Duration> = retry.backoff().take(12).collect();
        assert!(
            waits[0] >= DEFAULT_FIRST_WAIT && waits[0] <= DEFAULT_FIRST_WAIT * 2,
            "{waits:?}"
        );
        assert!(
            waits.iter().all(|wait| *wait <= DEFAULT_LONGEST_WAIT * 2),
            "{waits:?}"
        );
        assert!(waits[11] >= DEFAULT_LONGEST_WAIT, "{waits:?}");
        let others: Vec<Duration> = retry.backoff().take(12).collect();
        assert_ne!(waits, others, "waits without jitter bring everybody back at once");
    }

    #[test]
    fn it_is_written_in_milliseconds_and_read_with_defaults() {
        let retry = Retry::default()
            .tries(3)
            .waits(Duration::from_millis(5), Duration::from_secs(1));
        let text = serde_json::to_string(&retry).unwrap();
        assert_eq!(
            text,
            r#"{"tries":3,"firstWaitMs":5,"longestWaitMs":1000,"itemTimeMs":120000}"#
        );
        assert_eq!(serde_json::from_str::<Retry>(&text).unwrap(), retry);
        assert_eq!(serde_json::from_str::<Retry>("{}").unwrap(), Retry::default());
        assert!(serde_json::from_str::<Retry>(r#"{"tries":0}"#).is_err());
        assert!(serde_json::from_str::<Retry>(r#"{"waits":1}"#).is_err());
    }
}
