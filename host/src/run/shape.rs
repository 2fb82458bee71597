//! How items become calls.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::rate::Rate;

/// How many items each place in flight gets in one call: a call has a cost of its own, and its end is a time when fewer
/// items are under way.
const ITEMS_PER_PLACE: usize = 4;
/// How long the requests of one call may take by the rate alone: well below the deadline of a call.
const PACED_CALL: Duration = Duration::from_secs(10);

/// How items become calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Calls at once, each in an instance of its own.
    pub(super) calls: usize,
    /// Items in one call, at most.
    pub(super) items: usize,
    /// Requests that one call may overlap.
    pub(super) in_flight: usize,
}

impl Shape {
    pub(super) fn new(concurrency: usize, one_item_per_call: bool, sequential: bool) -> Self {
        if sequential {
            Self {
                calls: 1,
                items: 1,
                in_flight: 1,
            }
        } else if one_item_per_call {
            Self {
                calls: concurrency,
                items: 1,
                in_flight: 1,
            }
        } else {
            // One instance that overlaps its requests is cheaper than many; one per processor keeps them all busy.
            let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
            let calls = concurrency.min(processors);
            let in_flight = concurrency / calls;
            Self {
                calls,
                items: in_flight * ITEMS_PER_PLACE,
                in_flight,
            }
        }
    }

    /// Calls so small that waiting for their turn does not use up their time.
    pub(super) fn paced(mut self, rate: Option<Rate>) -> Self {
        if let Some(rate) = rate {
            let within = PACED_CALL.as_nanos() / rate.interval().as_nanos().max(1);
            let each = usize::try_from(within).unwrap_or(usize::MAX) / self.calls;
            self.items = self.items.min(each.max(1));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_flight_are_shared_out_and_never_more_than_asked_for() {
        for concurrency in 1..300 {
            let chunks = Shape::new(concurrency, false, false);
            assert!(
                chunks.calls * chunks.in_flight <= concurrency,
                "{chunks:?} of {concurrency}"
            );
            assert!(chunks.in_flight >= 1);
            assert_eq!(
                Shape::new(concurrency, true, false),
                Shape {
                    calls: concurrency,
                    items: 1,
                    in_flight: 1
                }
            );
            assert_eq!(
                Shape::new(concurrency, true, true),
                Shape {
                    calls: 1,
                    items: 1,
                    in_flight: 1
                }
            );
        }
    }

    #[test]
    fn a_slow_rate_makes_small_calls() {
        let shape = Shape {
            calls: 2,
            items: 128,
            in_flight: 32,
        };
        for (rate, items) in [("10/min", 1), ("2/s", 10), ("50/s", 128), ("100000/s", 128)] {
            assert_eq!(shape.paced(rate.parse().ok()).items, items, "{rate}");
        }
        assert_eq!(shape.paced(None), shape);
    }
}
