//! How far an item has come with the rows that it gives while it goes on.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How far an item has come with its rows, in all its tries.
#[derive(Debug, Default)]
pub(crate) struct Given(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    rows: u64,
    /// Where it goes on.
    cursor: Option<String>,
}

impl Given {
    /// What an earlier run with the same journal has.
    pub(super) fn before(rows: u64, cursor: String) -> Self {
        Self(Mutex::new(State {
            rows,
            cursor: Some(cursor),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn rows(&self) -> u64 {
        self.state().rows
    }

    pub(super) fn cursor(&self) -> Option<String> {
        self.state().cursor.clone()
    }

    pub(super) fn add(&self, rows: u64, cursor: String) {
        let mut state = self.state();
        state.rows += rows;
        state.cursor = Some(cursor);
    }
}
