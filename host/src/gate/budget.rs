//! A rate and a number of requests in flight that several runs share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant as Clock, sleep_until};

use nodule_core::rate::{Bucket, Rate};
use nodule_core::retry::countable;

/// A rate and a number of requests in flight, shared by all runs of all runners that get it. Use one for each tenant or
/// credential: a service counts requests by client, not by run. Requests that make a session count too. Clones share
/// the budget, so configure it before you clone it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let budget = nodule::Budget::new().rate("20/s".parse()?).requests_in_flight(8);
/// let (one, other) = (budget.clone(), budget);
/// # Ok(())
/// # }
/// ```
///
/// A budget applies in addition to the rate of a run and the limits of a runner. A request waits for it inside its
/// call, so the wait counts towards the call's deadline (`run-timeout-ms`). Runs therefore start only as many items as
/// their share of the rate soon serves, and as the budget allows in flight. Runs that are recorded count as well;
/// replays and dry runs send nothing.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    rate: Option<(Rate, Arc<Bucket>)>,
    in_flight: Option<Arc<InFlight>>,
    /// The number of current runs with this budget.
    runs: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct InFlight {
    most: usize,
    places: Arc<Semaphore>,
    /// Requests that wait for a permit, and so have not reserved their time in the rate yet.
    waiting: Arc<AtomicUsize>,
}

impl Budget {
    /// A budget without bounds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum rate of the requests of all runs together.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some((rate, Arc::new(Bucket::new(rate, Instant::now()))));
        self
    }

    /// Sets the maximum number of requests in flight, of all runs together; 0 means 1.
    #[must_use]
    pub fn requests_in_flight(mut self, requests: usize) -> Self {
        let most = requests.clamp(1, Semaphore::MAX_PERMITS);
        self.in_flight = Some(Arc::new(InFlight {
            most,
            places: Arc::new(Semaphore::new(most)),
            waiting: Arc::default(),
        }));
        self
    }

    /// The maximum number of requests in flight.
    pub(crate) fn most_in_flight(&self) -> usize {
        self.in_flight
            .as_ref()
            .map_or(usize::MAX, |in_flight| in_flight.most)
    }

    /// How many items a run may have in calls, so that none waits longer than this for the rate.
    fn count_in(&self, wait: Duration) -> usize {
        let runs = self.runs.load(Ordering::Relaxed).max(1);
        self.rate
            .as_ref()
            .map_or(usize::MAX, |(_, bucket)| bucket.count_in(wait) / runs)
    }

    /// The earliest time that no request has reserved or will reserve.
    fn next(&self) -> Option<Instant> {
        let (rate, bucket) = self.rate.as_ref()?;
        let waiting = self
            .in_flight
            .as_ref()
            .map_or(0, |in_flight| in_flight.waiting.load(Ordering::Relaxed));
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        Some(bucket.next() + countable(rate.interval().saturating_mul(waiting)))
    }

    /// Waits for a permit and then for the rate, in this order: permits that become free together must not cause a
    /// burst.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let place = match &self.in_flight {
            Some(in_flight) => in_flight.place().await,
            None => None,
        };
        if let Some((_, bucket)) = &self.rate {
            wait_for_turn(bucket).await;
        }
        place
    }
}

impl InFlight {
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        let places = Arc::clone(&self.places);
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            return Some(place);
        }
        let _waiting = Counted::new(&self.waiting);
        // Only a closed semaphore fails, and this one is never closed.
        places.acquire_owned().await.ok()
    }
}

/// Counts one more until it is dropped.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn wait_for_turn(bucket: &Bucket) {
    sleep_until(bucket.take(Clock::now().into_std()).into()).await;
}

/// Limits how fast a run's requests may leave: by the run's own rate and by the shared budget.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    pub(crate) own: Option<Bucket>,
    budget: Option<Budget>,
    /// Counts the run among those of the budget.
    _run: Option<Counted>,
}

impl Pace {
    /// The pace of a run; `None` if nothing limits it.
    pub(crate) fn of_run(rate: Option<Rate>, budget: Option<&Budget>) -> Option<Arc<Self>> {
        if rate.is_none() && budget.is_none() {
            return None;
        }
        Some(Arc::new(Self {
            own: rate.map(|rate| Bucket::new(rate, Instant::now())),
            budget: budget.cloned(),
            _run: budget.map(|budget| Counted::new(&budget.runs)),
        }))
    }

    /// The pace of requests that make a session, which belong to no run.
    pub(crate) fn of_session(budget: Option<&Budget>) -> Option<Arc<Self>> {
        budget.map(|budget| {
            Arc::new(Self {
                budget: Some(budget.clone()),
                ..Self::default()
            })
        })
    }

    #[cfg(test)]
    pub(crate) fn of(own: Bucket) -> Self {
        Self {
            own: Some(own),
            ..Self::default()
        }
    }

    /// Waits until a request may leave. The request keeps the permit until its response is complete.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // The own rate comes first: while a request waits for it, it must not occupy a shared permit.
        if let Some(own) = &self.own {
            wait_for_turn(own).await;
        }
        match &self.budget {
            Some(budget) => budget.turn().await,
            None => None,
        }
    }

    /// The earliest time at which a further request may leave; `None` without a rate.
    pub(crate) fn next(&self) -> Option<Instant> {
        let own = self.own.as_ref().map(Bucket::next);
        own.max(self.budget.as_ref().and_then(Budget::next))
    }

    /// How many requests the run may send within this time.
    pub(crate) fn count_in(&self, time: Duration) -> usize {
        let own = self.own.as_ref().map_or(usize::MAX, |rate| rate.count_in(time));
        let shared = self
            .budget
            .as_ref()
            .map_or(usize::MAX, |budget| budget.count_in(time));
        own.min(shared)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn paces(budget: &Budget, own: Option<&str>) -> [Arc<Pace>; 2] {
        [(); 2].map(|()| Pace::of_run(own.map(|rate| rate.parse().unwrap()), Some(budget)).unwrap())
    }

    /// Sends `requests` of two runs, each of which takes `takes`. Returns when they left and the maximum that was in
    /// flight.
    async fn left(paces: [Arc<Pace>; 2], requests: usize, takes: Duration) -> (Vec<Clock>, usize) {
        let left = Mutex::new(Vec::new());
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let requests = (0..requests).map(|request| {
            let pace = &paces[request % 2];
            let (left, now, most) = (&left, &now, &most);
            async move {
                let _place = pace.turn().await;
                left.lock().unwrap().push(Clock::now());
                most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                tokio::time::sleep(takes).await;
                now.fetch_sub(1, Ordering::Relaxed);
            }
        });
        futures_util::future::join_all(requests).await;
        (left.into_inner().unwrap(), most.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn two_runs_that_share_a_rate_send_as_one_would() {
        let budget = Budget::new().rate("20/s".parse().unwrap());
        for own in [None, Some("1000/s")] {
            let begun = Clock::now();
            let (left, _) = left(paces(&budget, own), 40, Duration::from_secs(1)).await;
            let gaps = left.windows(2).map(|two| two[1] - two[0]);
            assert!(
                gaps.clone().all(|gap| gap >= Duration::from_millis(49)),
                "{gaps:?}"
            );
            // The rate is used fully.
            let all = left[39] - begun;
            assert!(all < Duration::from_secs(3), "{all:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn two_runs_share_the_requests_in_flight_and_a_burst_of_them_keeps_the_rate() {
        let budget = Budget::new().requests_in_flight(3);
        let (_, most) = left(paces(&budget, None), 40, Duration::from_millis(10)).await;
        assert_eq!(most, 3);
        let budget = budget.rate("100/s".parse().unwrap());
        // All permits become free together, again and again.
        let (left, most) = left(paces(&budget, None), 30, Duration::from_millis(500)).await;
        assert_eq!(most, 3);
        let gaps = left.windows(2).map(|two| two[1] - two[0]);
        assert!(
            gaps.clone().all(|gap| gap >= Duration::from_millis(9)),
            "{gaps:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_is_dropped_gives_its_places_back() {
        let budget = Budget::new().requests_in_flight(1);
        let [one, other] = paces(&budget, None);
        let place = one.turn().await;
        let waits = other.turn();
        assert!(tokio::time::timeout(Duration::from_secs(1), waits).await.is_err());
        drop(place);
        assert!(other.turn().await.is_some());
    }

    #[test]
    fn runs_start_no_more_than_their_share_of_the_rate_serves_soon() {
        let (second, wait) = (Duration::from_secs(1), Duration::from_secs(10));
        let budget = Budget::new().rate("2/s".parse().unwrap());
        let alone = Pace::of_run(None, Some(&budget)).unwrap();
        let own = Pace::of_run(Some("1/s".parse().unwrap()), None).unwrap();
        assert_eq!((alone.count_in(wait), own.count_in(wait)), (20, 10));
        {
            let _session = Pace::of_session(Some(&budget));
            let other = Pace::of_run(Some("1/min".parse().unwrap()), Some(&budget.clone())).unwrap();
            assert_eq!((alone.count_in(wait), other.count_in(wait)), (10, 0));
        }
        assert_eq!(alone.count_in(wait), 20);
        // A request that waits for a permit is going to use the rate.
        let now = Instant::now();
        let budget = Budget::new().requests_in_flight(1).rate("1/s".parse().unwrap());
        let pace = Pace::of_run(None, Some(&budget)).unwrap();
        let _waiting = budget
            .in_flight
            .as_ref()
            .map(|in_flight| Counted::new(&in_flight.waiting));
        assert!(pace.next().unwrap() >= now + second);
        assert_eq!(Pace::of_run(None, Some(&Budget::new())).unwrap().next(), None);
        assert!(Pace::of_run(None, None).is_none());
    }
}
