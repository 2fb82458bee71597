//! Whether a service keeps connections open, as far as the host has observed.
//!
//! Some services close a connection after each response, or soon after it, without announcing it. A request sent at
//! that moment is lost, and if it is a plain write, nobody knows whether it was done. A plain write therefore reuses a
//! connection only if the service has left one open for longer than any reused connection was idle. Until then one
//! connection is tried, by leaving it idle after its response, and all other requests use new connections.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A connection that is left open for so long by the service is kept by it; one that is closed sooner was not to be used again.
pub(super) const KEPT: Duration = Duration::from_secs(1);

/// On which connection a request goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// On one that is kept, or on a new one that will be.
    Kept,
    /// On a new one, which is left alone afterwards to see what becomes of it.
    Tried,
    /// On a new one, which is closed afterwards.
    New,
}

/// What is known of a service.
#[derive(Debug)]
pub(super) struct Keeping {
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// It does not matter: what is lost is sent again.
    Indifferent,
    /// Nothing.
    Unknown,
    /// A connection is tried.
    Trying {
        begun: Instant,
        /// When there was something on it last.
        answered: Option<Instant>,
    },
    /// It keeps them.
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

    /// On which connection the next request goes.
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
            // It was never made, or takes its time to answer.
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

    /// Whether requests wait for connections to become free.
    pub(super) fn is_kept(&self) -> bool {
        matches!(*self.state(), State::Indifferent | State::Keeps)
    }

    /// There was something on the connection that is tried.
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
