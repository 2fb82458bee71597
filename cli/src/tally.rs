//! Counts a run's failures, and tells what to do about them.

use std::path::Path;

use nodule::{Failure, text};

use crate::exit::{Exit, hint, is_refusal, line, remedy, warning};

/// Number of items that a message lists.
const NAMED: usize = 20;

/// The failures, as far as the exit status and the hints need them.
#[derive(Default)]
pub struct Tally {
    is_write: bool,
    failures: u64,
    refusals: u64,
    hint: Option<String>,
    unknown: u64,
    /// The first items whose write may have taken effect.
    unknown_items: Vec<String>,
}

impl Tally {
    /// `is_write`: running the operation twice may do harm.
    pub fn new(is_write: bool) -> Self {
        Self {
            is_write,
            ..Self::default()
        }
    }

    pub fn count(&mut self, item: u64, failure: &Failure) {
        self.failures += 1;
        self.refusals += u64::from(is_refusal(failure));
        if self.hint.is_none() {
            self.hint = remedy(failure);
        }
        if self.is_unknown(failure) {
            self.unknown += 1;
            if self.unknown_items.len() < NAMED {
                self.unknown_items.push(item.to_string());
            }
        }
    }

    /// Whether a plain write may have taken effect: running it again might do it twice.
    pub fn is_unknown(&self, failure: &Failure) -> bool {
        self.is_write && failure.is_unknown()
    }

    /// Prints what to do about the failures.
    pub fn explain(&self, failed: Option<&Path>, has_journal: bool) {
        if let Some(text) = &self.hint {
            line("");
            hint(text);
        }
        if self.unknown > 0 {
            let more = self.unknown - self.unknown_items.len() as u64;
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let items = self.unknown_items.join(", ");
            line("");
            warning(&if self.unknown == 1 {
                format!("item {items}: nobody knows whether it was done, so it was not tried again")
            } else {
                format!(
                    "items {items}{more}: nobody knows whether they were done, so they were not tried again"
                )
            });
            hint(if has_journal {
                "look there; then `--unknown retry` runs what was not done again, and `--unknown skip` leaves it out"
            } else {
                "look there, and run what was not done again; with `--journal FILE` a run keeps account of such items"
            });
        }
        if let (true, Some(path)) = (self.failures > self.unknown, failed) {
            line("");
            hint(&format!("the items that failed are in {}", text::path(path)));
        }
    }

    /// `Refused` if every failure is a refusal, otherwise `ItemFailed`.
    pub fn exit(&self) -> Exit {
        match (self.failures, self.refusals) {
            (0, _) => Exit::Done,
            (failures, refusals) if failures == refusals => Exit::Refused,
            _ => Exit::ItemFailed,
        }
    }
}
