//! How items become calls.

use std::time::Duration;

use super::ResultOrder;

/// How many items each place in flight gets in one call: a call has a cost of its own, and its end is a time when fewer
/// items are under way. More would not fit into a call's time (`run-timeout-ms`), were each to wait as long as it may
/// (`first-byte-timeout-ms`).
pub(super) const ITEMS_PER_PLACE: usize = 4;
/// More are shared out to more calls: the places of one stand empty from its first item that has no successor to its last
/// answer, and behind latency that is felt. Fewer cost more time for each item, since less is ready at once.
const MOST_PLACES: usize = 32;

/// How items become calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchPlan {
    /// Items in one call, at most.
    pub(super) items: usize,
    /// Requests that one call may overlap.
    pub(super) in_flight: usize,
}

impl BatchPlan {
    /// Calls that share this many places, on a runtime with so many threads.
    pub(super) fn new(places: usize, threads: usize, one_item_per_call: bool) -> Self {
        if one_item_per_call {
            return Self {
                items: 1,
                in_flight: 1,
            };
        }
        // One instance that overlaps its requests is cheaper than many; one per thread keeps them all busy.
        Self::one_call(places.div_ceil(threads.max(1)).min(MOST_PLACES))
    }

    /// A call that has all these places.
    pub(super) fn one_call(places: usize) -> Self {
        Self {
            items: places * ITEMS_PER_PLACE,
            in_flight: places,
        }
    }
}

/// Nobody notices that a result comes so much later.
const QUICK: Duration = Duration::from_millis(20);
/// From here on people do.
const SLOW: Duration = Duration::from_millis(100);

/// How large the next call is: the results of a call come together when it ends, so that the first of a run would wait for
/// every round of requests in it. The first calls hold one item for each place, the next ones more.
///
/// Where results are wanted as they become known, calls hold one item altogether, unless they end so quickly that larger ones,
/// which cost less for each item, hold nothing back.
#[derive(Debug)]
pub(super) struct BatchSize {
    shape: BatchPlan,
    order: ResultOrder,
    /// The smallest that `rounds` may be.
    least: usize,
    /// How many items each place gets; 0: a call has one item and one place.
    rounds: usize,
}

impl BatchSize {
    /// `is_only` says that one call after the other has all the places, so that it may not have one alone.
    pub(super) fn new(shape: BatchPlan, order: ResultOrder, is_only: bool) -> Self {
        let least = match order {
            ResultOrder::Completion if !is_only => 0,
            _ => 1,
        };
        Self {
            shape,
            order,
            least,
            rounds: least,
        }
    }

    /// Requests that the next call may overlap.
    pub(super) fn in_flight(&self) -> usize {
        if self.rounds == 0 { 1 } else { self.shape.in_flight }
    }

    /// Items that it may hold, with so many places.
    pub(super) fn items(&self, places: usize) -> usize {
        self.shape.items.min(places * self.rounds.max(1))
    }

    /// A call has ended.
    pub(super) fn note(&mut self, took: Duration) {
        let grows = match self.order {
            ResultOrder::Items => true,
            ResultOrder::Completion => took < QUICK,
        };
        if grows {
            self.rounds = (self.rounds * 2).clamp(1, ITEMS_PER_PLACE);
        } else if took > SLOW {
            self.rounds = self.least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(size: &mut BatchSize, took: &[Duration]) -> Vec<(usize, usize)> {
        let mut sizes = vec![(size.in_flight(), size.items(size.in_flight()))];
        for took in took {
            size.note(*took);
            sizes.push((size.in_flight(), size.items(size.in_flight())));
        }
        sizes
    }

    #[test]
    fn the_first_calls_hold_one_item_for_each_place_and_then_more() {
        let mut size = BatchSize::new(BatchPlan::one_call(8), ResultOrder::Items, false);
        assert_eq!(
            sizes(&mut size, &[SLOW * 9; 4]),
            [(8, 8), (8, 16), (8, 32), (8, 32), (8, 32)]
        );
    }

    #[test]
    fn results_that_are_given_as_they_come_share_a_call_only_while_calls_are_quick() {
        let mut size = BatchSize::new(BatchPlan::one_call(8), ResultOrder::Completion, false);
        let (quick, middling, slow) = (QUICK / 2, QUICK * 2, SLOW * 2);
        assert_eq!(
            sizes(&mut size, &[middling, quick, quick, quick, middling, slow, slow]),
            [(1, 1), (1, 1), (8, 8), (8, 16), (8, 32), (8, 32), (1, 1), (1, 1)]
        );
        let mut only = BatchSize::new(BatchPlan::one_call(8), ResultOrder::Completion, true);
        assert_eq!(
            sizes(&mut only, &[slow, quick, slow]),
            [(8, 8), (8, 8), (8, 16), (8, 8)]
        );
    }

    #[test]
    fn a_call_of_one_item_stays_one() {
        for order in [ResultOrder::Items, ResultOrder::Completion] {
            let mut size = BatchSize::new(BatchPlan::new(64, 2, true), order, false);
            assert_eq!(sizes(&mut size, &[QUICK / 2; 3]), [(1, 1); 4]);
        }
    }

    #[test]
    fn a_call_gets_a_share_of_the_places_and_at_least_one() {
        for (places, threads) in (1..300).flat_map(|places| [1, 2, 7, 64].map(|threads| (places, threads))) {
            let shape = BatchPlan::new(places, threads, false);
            assert!((1..=places).contains(&shape.in_flight), "{shape:?} of {places}");
            assert!(shape.in_flight <= MOST_PLACES, "{shape:?} of {places}");
            assert!(
                shape.in_flight == MOST_PLACES || shape.in_flight * threads >= places,
                "{shape:?} of {places}"
            );
            let alone = BatchPlan {
                items: 1,
                in_flight: 1,
            };
            assert_eq!(BatchPlan::new(places, threads, true), alone);
        }
    }
}
