//! How items are grouped into calls.

use std::time::Duration;

use nodule_core::outcome::ResultOrder;

/// Items per slot in one call. A call has a fixed cost, and slots go idle as it drains, so larger calls are cheaper.
/// More items would not fit into a call's time (`run-timeout-ms`) if each waited as long as it may
/// (`first-byte-timeout-ms`).
pub(super) const ITEMS_PER_SLOT: usize = 4;
/// With more slots than this, items are shared among more calls: slots of a call go idle from its first item without a
/// successor to its last response, which is noticeable when the service is slow. Fewer slots cost more time per item,
/// since fewer responses arrive together.
const MOST_SLOTS: usize = 32;

/// How items are grouped into calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchPlan {
    /// Maximum number of items in one call.
    pub(super) items: usize,
    /// Maximum number of requests that one call may have in flight.
    pub(super) in_flight: usize,
}

impl BatchPlan {
    /// Calls that share this many slots, on a runtime with this many threads.
    pub(super) fn new(slots: usize, threads: usize, one_item_per_call: bool) -> Self {
        if one_item_per_call {
            return Self {
                items: 1,
                in_flight: 1,
            };
        }
        // One instance that overlaps its requests is cheaper than many; one per thread keeps all threads busy.
        Self::one_call(slots.div_ceil(threads.max(1)).min(MOST_SLOTS))
    }

    /// One call with all the slots.
    pub(super) fn one_call(slots: usize) -> Self {
        Self {
            items: slots * ITEMS_PER_SLOT,
            in_flight: slots,
        }
    }
}

/// Nobody notices a delay of this length.
const QUICK: Duration = Duration::from_millis(20);
/// People notice a delay from here on.
const SLOW: Duration = Duration::from_millis(100);

/// The size of the next call. The results of a call arrive together when it finishes, so a large first call would delay
/// the first result. The first calls therefore have one item per slot, and later ones more.
///
/// If results are given in order of completion, a call has a single item, unless calls finish so quickly that larger
/// ones, which cost less per item, delay nothing.
#[derive(Debug)]
pub(super) struct BatchSize {
    shape: BatchPlan,
    order: ResultOrder,
    /// The minimum of `rounds`.
    least: usize,
    /// Items per slot; 0 means that a call has one item and one slot.
    rounds: usize,
}

impl BatchSize {
    /// `is_only` means that one call at a time has all the slots, so it cannot use a single one.
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

    /// Requests that the next call may have in flight.
    pub(super) fn in_flight(&self) -> usize {
        if self.rounds == 0 { 1 } else { self.shape.in_flight }
    }

    /// Items that the next call may have, with this many slots.
    pub(super) fn items(&self, slots: usize) -> usize {
        self.shape.items.min(slots * self.rounds.max(1))
    }

    /// Records that a call finished.
    pub(super) fn note(&mut self, took: Duration) {
        let grows = match self.order {
            ResultOrder::Items => true,
            ResultOrder::Completion => took < QUICK,
        };
        if grows {
            self.rounds = (self.rounds * 2).clamp(1, ITEMS_PER_SLOT);
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
    fn the_first_calls_hold_one_item_for_each_slot_and_then_more() {
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
    fn a_call_gets_a_share_of_the_slots_and_at_least_one() {
        for (slots, threads) in (1..300).flat_map(|slots| [1, 2, 7, 64].map(|threads| (slots, threads))) {
            let shape = BatchPlan::new(slots, threads, false);
            assert!((1..=slots).contains(&shape.in_flight), "{shape:?} of {slots}");
            assert!(shape.in_flight <= MOST_SLOTS, "{shape:?} of {slots}");
            assert!(
                shape.in_flight == MOST_SLOTS || shape.in_flight * threads >= slots,
                "{shape:?} of {slots}"
            );
            let alone = BatchPlan {
                items: 1,
                in_flight: 1,
            };
            assert_eq!(BatchPlan::new(slots, threads, true), alone);
        }
    }
}
