//! The items to run: the same texts for both sides.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::plain::Operation;

/// The number of members in the simulator.
const MEMBERS: usize = 1_000_000;

impl Operation {
    /// Both operations, in the table's order.
    pub const ALL: [Self; 2] = [Self::GetMember, Self::AdjustPoints];

    /// The operation's group and name in the node.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::GetMember => ("member", "getMember"),
            Self::AdjustPoints => ("points", "adjustPoints"),
        }
    }

    /// The operation's name.
    pub fn name(self) -> &'static str {
        self.names().1
    }

    /// Makes this many new items: an operation ID counts only once.
    pub fn items(self, count: usize) -> Vec<String> {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        (0..count).map(|n| self.item(run, n)).collect()
    }

    /// The item with index `n` of a run.
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
