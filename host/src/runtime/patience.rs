//! How long a call may be silent.
//!
//! A long listing is honest, so what is bounded is the time from one of its parts to the next. While rows wait for their
//! reader, no time passes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The deadline of a call. It moves with each part that the call gives.
pub(crate) struct Patience {
    most: Duration,
    /// When the call was last heard; `None` while its rows wait for their reader.
    heard: Mutex<Option<Instant>>,
}

impl Patience {
    pub(super) fn new(most: Duration) -> Self {
        Self {
            most,
            heard: Mutex::new(Some(Instant::now())),
        }
    }

    /// Waits for the reader of rows.
    pub(super) async fn held<T>(&self, given: impl Future<Output = T>) -> T {
        self.set(None);
        let given = given.await;
        self.heard();
        given
    }

    /// Resolves when the call has been silent for too long.
    pub(super) async fn over(&self) {
        loop {
            let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            let until = heard.unwrap_or_else(Instant::now) + self.most;
            if heard.is_some() && until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// A part of the call has come.
    pub(crate) fn heard(&self) {
        self.set(Some(Instant::now()));
    }

    fn set(&self, heard: Option<Instant>) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = heard;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_deadline_moves_with_each_part_and_stands_while_rows_wait() {
        let second = Duration::from_secs(1);
        let patience = Patience::new(second);
        let mut over = Box::pin(patience.over());
        for _ in 0..5 {
            tokio::time::advance(second / 2).await;
            assert!((&mut over).now_or_never().is_none());
            patience.held(tokio::time::advance(second * 100)).await;
            assert!((&mut over).now_or_never().is_none());
        }
        tokio::time::advance(second * 2).await;
        assert!(over.now_or_never().is_some());
    }
}
