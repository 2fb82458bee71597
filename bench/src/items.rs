//! The items that are worked on: the same texts for both sides.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::plain::Operation;

/// How many members the simulator knows.
const MEMBERS: usize = 1_000_000;

impl Operation {
    /// Both, in the order of the table.
    pub const ALL: [Self; 2] = [Self::GetMember, Self::AdjustPoints];

    /// Its group and name in the node.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::GetMember => ("member", "getMember"),
            Self::AdjustPoints => ("points", "adjustPoints"),
        }
    }

    /// Its name alone.
    pub fn name(self) -> &'static str {
        self.names().1
    }

    /// So many items that were never sent before: an operation ID counts once.
    pub fn items(self, count: usize) -> Vec<String> {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        (0..count).map(|n| self.item(run, n)).collect()
    }

    /// Item number `n` of a run.
    pub fn item(self, run: usize, n: usize) -> String {
        let member = n % MEMBERS;
        match self {
            Self::GetMember => format!(r#"{{"cardNo":"M{member}"}}"#),
            Self::AdjustPoints => format!(
                r#"{{"accountCode":"M{member}","operationId":"run{run}-{n}","pointValue":1,"pointDesc":"Welcome","effectiveEndTime":"2030-12-31"}}"#
            ),
        }
    }
}
