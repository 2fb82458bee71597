//! How many requests of a call are under way at once: no more than the call allows (`call.in-flight`), whatever its node
//! does, and whether its node ever has several.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// The requests of one call that are under way, or wait until they may be.
#[derive(Debug)]
pub(crate) struct Overlap {
    /// `None`: any number may be under way.
    permits: Option<Semaphore>,
    now: AtomicU32,
    most: AtomicU32,
}

impl Overlap {
    /// For instances that are given no number.
    pub(crate) fn unlimited() -> Self {
        Self {
            permits: None,
            now: AtomicU32::new(0),
            most: AtomicU32::new(0),
        }
    }

    /// For a call with this `in-flight`; 0 is 1.
    pub(crate) fn at_most(in_flight: u32) -> Self {
        Self {
            permits: Some(Semaphore::new(usize::try_from(in_flight.max(1)).unwrap_or(1))),
            ..Self::unlimited()
        }
    }

    /// Counts a request, and waits until it may be sent. It counts until the result is dropped.
    pub(super) async fn enter(&self) -> (Counted<'_>, Option<SemaphorePermit<'_>>) {
        let counted = Counted::new(self);
        // Only a closed semaphore fails, and this one is never closed.
        let permit = match &self.permits {
            Some(permits) => permits.acquire().await.ok(),
            None => None,
        };
        (counted, permit)
    }

    /// The most requests that the node had at once. Those that waited count: the node did not.
    pub(crate) fn most(&self) -> u32 {
        self.most.load(Ordering::Relaxed)
    }
}

/// A request that has not ended.
pub(super) struct Counted<'a>(&'a Overlap);

impl<'a> Counted<'a> {
    fn new(overlap: &'a Overlap) -> Self {
        let now = overlap.now.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        overlap.most.fetch_max(now, Ordering::Relaxed);
        Self(overlap)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_request_beyond_the_number_waits_for_another_to_end() {
        for (in_flight, most) in [(0, 1), (1, 1), (2, 2)] {
            let overlap = Overlap::at_most(in_flight);
            let mut entered: Vec<_> = (0..most)
                .map(|_| overlap.enter().now_or_never().unwrap())
                .collect();
            let mut waiting = std::pin::pin!(overlap.enter());
            assert!(waiting.as_mut().now_or_never().is_none(), "{in_flight}");
            entered.pop();
            assert!(waiting.now_or_never().is_some(), "{in_flight}");
        }
        let unlimited = Overlap::unlimited();
        let entered: Vec<_> = (0..100)
            .map(|_| unlimited.enter().now_or_never().unwrap())
            .collect();
        assert_eq!(entered.len(), 100);
    }

    #[test]
    fn requests_that_wait_are_the_nodes_at_once_and_those_that_ended_are_not() {
        let overlap = Overlap::at_most(1);
        for _ in 0..3 {
            drop(overlap.enter().now_or_never().unwrap());
        }
        assert_eq!(overlap.most(), 1);
        let _first = overlap.enter().now_or_never();
        assert!(overlap.enter().now_or_never().is_none());
        assert_eq!(overlap.most(), 2);
        // The one that gave up waiting has left.
        assert!(overlap.enter().now_or_never().is_none());
        assert_eq!(overlap.most(), 2);
    }
}
