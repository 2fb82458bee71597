//! Whether a service keeps connections open, as far as the host has observed.
//!
//! Some services close a connection after each response, or soon after it, without announcing it. A request sent at
//! that moment is lost, and if it is a plain write, nobody knows whether it was done. A plain write therefore reuses a
//! connection only if the service has left one open for longer than any reused connection was idle. Until then one
//! connection is tried, by leaving it idle after its response, and all other requests use new connections.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// If the service leaves a connection open for this long, it keeps connections. If it closes one sooner, that
/// connection was not meant for reuse.
pub(super) const KEPT: Duration = Duration::from_secs(1);

/// Which connection a request uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// A kept connection, or a new one that is then kept.
    Kept,
    /// A new connection, which is then left idle to see whether the service closes it.
    Tried,
    /// A new connection, which is then closed.
    New,
}

/// What the host knows of a service's connections.
#[derive(Debug)]
pub(super) struct Keeping {
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// It does not matter: a lost request is sent again.
    Indifferent,
    /// Nothing is known.
    Unknown,
    /// One connection is being tried.
    Trying {
        begun: Instant,
        /// When the last bytes arrived on it.
        answered: Option<Instant>,
    },
    /// The service keeps connections.
    Keeps,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            state: Mutex::new(State::Indifferent),
        }
    }
}

impl Keeping {
    /// For requests that must not be lost.
    pub(super) fn unknown() -> Self {
        Self {
            state: Mutex::new(State::Unknown),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which connection the next request uses.
    pub(super) fn choose(&self) -> Choice {
        let mut state = self.state();
        let now = Instant::now();
        match *state {
            State::Indifferent | State::Keeps => Choice::Kept,
            State::Trying {
                answered: Some(since),
                ..
            } if now.duration_since(since) >= KEPT => {
                *state = State::Keeps;
                Choice::Kept
            }
            State::Trying {
                answered: Some(_), ..
            } => Choice::New,
            // The tried connection was never opened, or its response is slow.
            State::Trying {
                begun,
                answered: None,
            } if now.duration_since(begun) < KEPT => Choice::New,
            State::Unknown | State::Trying { .. } => {
                *state = State::Trying {
                    begun: now,
                    answered: None,
                };
                Choice::Tried
            }
        }
    }

    /// Whether requests may wait for a connection to become free.
    pub(super) fn is_kept(&self) -> bool {
        matches!(*self.state(), State::Indifferent | State::Keeps)
    }

    /// Bytes arrived on the tried connection.
    pub(super) fn answered(&self) {
        if let State::Trying { answered, .. } = &mut *self.state() {
            *answered = Some(Instant::now());
        }
    }

    /// The service closed a connection that it was expected to keep.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        if !matches!(*state, State::Indifferent) {
            *state = State::Unknown;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn connections_are_used_again_once_one_was_left_open() {
        let keeping = Keeping::unknown();
        assert_eq!(keeping.choose(), Choice::Tried);
        assert_eq!(keeping.choose(), Choice::New);
        keeping.answered();
        tokio::time::advance(KEPT / 2).await;
        assert_eq!(keeping.choose(), Choice::New);
        tokio::time::advance(KEPT / 2).await;
        assert_eq!(keeping.choose(), Choice::Kept);
        assert!(keeping.is_kept());
        keeping.forget();
        assert_eq!(keeping.choose(), Choice::Tried);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_never_answered_is_tried_again() {
        let keeping = Keeping::unknown();
        assert_eq!(keeping.choose(), Choice::Tried);
        tokio::time::advance(KEPT).await;
        assert_eq!(keeping.choose(), Choice::Tried);
        assert_eq!(keeping.choose(), Choice::New);
    }

    #[test]
    fn what_may_be_sent_again_is_not_held_up() {
        let keeping = Keeping::default();
        keeping.forget();
        assert_eq!(keeping.choose(), Choice::Kept);
    }
}
