//! How items become calls.

/// How many items each place in flight gets in one call: a call has a cost of its own, and its end is a time when fewer
/// items are under way. More would not fit into a call's time (`run-timeout-ms`), were each to wait as long as it may
/// (`first-byte-timeout-ms`).
pub(super) const ITEMS_PER_PLACE: usize = 4;
/// More are shared out to more calls: the places of one stand empty from its first item that has no successor to its last
/// answer, and behind latency that is felt. Fewer cost more time for each item, since less is ready at once.
const MOST_PLACES: usize = 32;

/// How items become calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Items in one call, at most.
    pub(super) items: usize,
    /// Requests that one call may overlap.
    pub(super) in_flight: usize,
}

impl Shape {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_gets_a_share_of_the_places_and_at_least_one() {
        for (places, threads) in (1..300).flat_map(|places| [1, 2, 7, 64].map(|threads| (places, threads))) {
            let shape = Shape::new(places, threads, false);
            assert!((1..=places).contains(&shape.in_flight), "{shape:?} of {places}");
            assert!(shape.in_flight <= MOST_PLACES, "{shape:?} of {places}");
            assert!(
                shape.in_flight == MOST_PLACES || shape.in_flight * threads >= places,
                "{shape:?} of {places}"
            );
            let alone = Shape {
                items: 1,
                in_flight: 1,
            };
            assert_eq!(Shape::new(places, threads, true), alone);
        }
    }
}
