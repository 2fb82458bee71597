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

/// How a node sends the requests of a call's items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Several at once, or one for several items.
    Overlaps,
    /// One after the other: it waits for each response before it asks for the next.
    Blocks,
}

impl Manner {
    /// What a call shows that had this many items and slots, sent this many requests, and had at most this many of them at
    /// once. With one item or one slot a node cannot show anything.
    pub(super) fn of(items: usize, in_flight: u32, sent: u32, most_at_once: u32) -> Option<Self> {
        if items < 2 || in_flight < 2 {
            return None;
        }
        let is_one_by_one = most_at_once < 2 && usize::try_from(sent).is_ok_and(|sent| sent >= items);
        Some(if is_one_by_one {
            Self::Blocks
        } else {
            Self::Overlaps
        })
    }
}

/// What a finished call shows about the next ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub(super) took: Duration,
    /// `None` if it had one item or one slot.
    pub(super) manner: Option<Manner>,
}

/// The items of a call that shows whether its node overlaps requests.
const TRIAL_ITEMS: usize = 2;

/// The size of the next call. The results of a call arrive together when it finishes, so a large first call would delay
/// the first result. The first calls therefore have one item per slot, and later ones more.
///
/// A node that blocks sends one request after the other, however many items a call has, so its calls have one item each,
/// and the run has as many of them as slots. A node shows that in its first calls: until it has, they have two items. One
/// that runs by turns hands its requests out instead of waiting for them, so its first calls are large, and a later one may
/// show that it blocks all the same. Where one call has all the slots, nothing would be gained.
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
    /// Whether one call at a time has all the slots.
    is_only: bool,
    /// `None` until a call has shown it.
    manner: Option<Manner>,
}

impl BatchSize {
    /// `is_only` means that one call at a time has all the slots, so it cannot use a single one.
    pub(super) fn new(shape: BatchPlan, order: ResultOrder, is_only: bool, by_turns: bool) -> Self {
        let least = match order {
            ResultOrder::Completion if !is_only => 0,
            _ => 1,
        };
        Self {
            shape,
            order,
            least,
            rounds: least,
            is_only,
            manner: (is_only || by_turns).then_some(Manner::Overlaps),
        }
    }

    /// Requests that the next call may have in flight.
    pub(super) fn in_flight(&self) -> usize {
        match self.manner {
            _ if self.rounds == 0 => 1,
            Some(Manner::Overlaps) => self.shape.in_flight,
            Some(Manner::Blocks) => 1,
            None => self.shape.in_flight.min(TRIAL_ITEMS),
        }
    }

    /// Items that the next call may have, with this many slots.
    pub(super) fn items(&self, slots: usize) -> usize {
        match self.manner {
            Some(Manner::Overlaps) => self.shape.items.min(slots * self.rounds.max(1)),
            Some(Manner::Blocks) => 1,
            None => self.shape.items.min(slots),
        }
    }

    /// Records that a call finished.
    pub(super) fn note(&mut self, Shown { took, manner }: Shown) {
        if let (Some(manner), false) = (manner, self.is_only)
            && self.manner != Some(Manner::Blocks)
        {
            self.manner = Some(manner);
        }
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
            size.note(Shown {
                took: *took,
                manner: None,
            });
            sizes.push((size.in_flight(), size.items(size.in_flight())));
        }
        sizes
    }

    #[test]
    fn the_first_calls_hold_one_item_for_each_slot_and_then_more() {
        let mut size = BatchSize::new(BatchPlan::one_call(8), ResultOrder::Items, false, true);
        assert_eq!(
            sizes(&mut size, &[SLOW * 9; 4]),
            [(8, 8), (8, 16), (8, 32), (8, 32), (8, 32)]
        );
    }

    #[test]
    fn results_that_are_given_as_they_come_share_a_call_only_while_calls_are_quick() {
        let mut size = BatchSize::new(BatchPlan::one_call(8), ResultOrder::Completion, false, true);
        let (quick, middling, slow) = (QUICK / 2, QUICK * 2, SLOW * 2);
        assert_eq!(
            sizes(&mut size, &[middling, quick, quick, quick, middling, slow, slow]),
            [(1, 1), (1, 1), (8, 8), (8, 16), (8, 32), (8, 32), (1, 1), (1, 1)]
        );
        let mut only = BatchSize::new(BatchPlan::one_call(8), ResultOrder::Completion, true, true);
        assert_eq!(
            sizes(&mut only, &[slow, quick, slow]),
            [(8, 8), (8, 8), (8, 16), (8, 8)]
        );
    }

    /// The slots and items of the next call, after calls that showed this.
    fn after(size: &mut BatchSize, manner: Option<Manner>) -> (usize, usize) {
        size.note(Shown { took: SLOW, manner });
        (size.in_flight(), size.items(size.in_flight()))
    }

    #[test]
    fn calls_have_two_items_until_one_shows_whether_the_node_blocks() {
        use Manner::{Blocks, Overlaps};
        let size = |by_turns| BatchSize::new(BatchPlan::one_call(8), ResultOrder::Items, false, by_turns);
        let mut plain = size(false);
        assert_eq!((plain.in_flight(), plain.items(2), plain.items(1)), (2, 2, 1));
        // A call of one item shows nothing.
        assert_eq!(after(&mut plain, None), (2, 2));
        assert_eq!(after(&mut plain, Some(Overlaps)), (8, 32));
        assert_eq!(after(&mut plain, Some(Blocks)), (1, 1));
        assert_eq!(after(&mut plain, Some(Overlaps)), (1, 1), "it stays so");
        let mut by_turns = size(true);
        assert_eq!((by_turns.in_flight(), by_turns.items(8)), (8, 8));
        assert_eq!(after(&mut by_turns, Some(Blocks)), (1, 1));
    }

    #[test]
    fn a_node_blocks_if_each_item_sent_a_request_and_never_two_were_under_way() {
        use Manner::{Blocks, Overlaps};
        for (items, in_flight, sent, most, shown) in [
            (1, 8, 3, 3, None),
            (8, 1, 8, 1, None),
            (2, 2, 2, 1, Some(Blocks)),
            (8, 4, 20, 1, Some(Blocks)),
            (2, 2, 2, 2, Some(Overlaps)),
            // One request for several items, or none at all: small calls would not be faster.
            (8, 4, 1, 1, Some(Overlaps)),
            (8, 4, 0, 0, Some(Overlaps)),
        ] {
            assert_eq!(
                Manner::of(items, in_flight, sent, most),
                shown,
                "{items} {sent} {most}"
            );
        }
    }

    #[test]
    fn a_single_call_at_a_time_keeps_all_the_slots() {
        let mut only = BatchSize::new(BatchPlan::one_call(8), ResultOrder::Items, true, false);
        assert_eq!((only.in_flight(), only.items(8)), (8, 8));
        assert_eq!(after(&mut only, Some(Manner::Blocks)), (8, 16));
    }

    #[test]
    fn a_call_of_one_item_stays_one() {
        for order in [ResultOrder::Items, ResultOrder::Completion] {
            let mut size = BatchSize::new(BatchPlan::new(64, 2, true), order, false, true);
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
