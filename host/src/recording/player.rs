//! Answering requests from a recording. Nothing here can open a socket.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use url::Url;

use super::{
    Recording,
    canonical::{BasePrefix, Canonical, Key, Spelled},
    exchange::{Exchange, Outcome, Request, Role},
    miss::{Miss, Nearest, compare, summary},
};

/// How many recorded exchanges a request that was not recorded is compared with, so that ten thousand misses stay cheap.
const COMPARED: usize = 100;

/// Serves each exchange of a recording once, to any number of tasks.
///
/// Equal exchanges are served in the order in which they were sent when they were recorded.
pub struct Player {
    name: String,
    base_url: Url,
    recorded_base_url: Url,
    exchanges: Vec<Exchange>,
    base: BasePrefix,
    /// Of recorded requests of operations, by how they are written.
    spelled: HashMap<Key, Key>,
    /// The exchanges that share method and path, for what comes nearest to a miss.
    routes: HashMap<Route, Vec<usize>>,
    state: Mutex<State>,
}

#[derive(PartialEq, Eq, Hash)]
struct Route {
    role: Role,
    method: http::Method,
    target: String,
}

struct State {
    waiting: HashMap<Key, VecDeque<usize>>,
    served: Vec<bool>,
}

/// The exchanges that were never asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unused {
    /// Those of operations: the node no longer does what it did.
    pub operation: Vec<UnusedExchange>,
    /// Those of authentication: also unused where a host still had a session.
    pub authentication: Vec<UnusedExchange>,
}

/// An exchange that was never asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`log.entries[{entry}]`: recorded and never sent: `{request}`")]
pub struct UnusedExchange {
    /// Its index in `log.entries`.
    pub entry: usize,
    /// The item that it was recorded for.
    pub item: Option<usize>,
    /// Method, path below the base URL and query, cut.
    pub request: String,
}

impl Player {
    /// Replay `recording` for a run whose service is at `base_url`. Paths are compared below the two base URLs; a HAR of
    /// another tool has none of its own and is taken to be recorded at `base_url`.
    #[must_use]
    pub fn new(recording: Recording, base_url: &Url) -> Self {
        let recorded_base_url = recording
            .view
            .case
            .as_ref()
            .map_or_else(|| base_url.clone(), |case| case.base_url.clone());
        let exchanges = recording.view.exchanges;
        let mut order: Vec<usize> = (0..exchanges.len()).collect();
        order.sort_by_key(|index| exchanges.get(*index).map(|exchange| exchange.started));

        let mut routes: HashMap<Route, Vec<usize>> = HashMap::new();
        let mut waiting: HashMap<Key, VecDeque<usize>> = HashMap::new();
        let mut spelled = HashMap::new();
        let recorded_base = BasePrefix::new(&recorded_base_url);
        for index in order {
            let Some(exchange) = exchanges.get(index) else {
                continue;
            };
            let canonical = Canonical::new(exchange.role, &exchange.request, &recorded_base_url);
            let key = canonical.key();
            if exchange.role == Role::Operation
                && let Some(spelling) = Spelled::recorded(&exchange.request).key(&recorded_base)
            {
                spelled.insert(spelling, key);
            }
            waiting.entry(key).or_default().push_back(index);
            let Canonical {
                role, method, target, ..
            } = canonical;
            routes
                .entry(Route { role, method, target })
                .or_default()
                .push(index);
        }
        let served = vec![false; exchanges.len()];
        Self {
            name: recording.name,
            base_url: base_url.clone(),
            recorded_base_url,
            exchanges,
            base: BasePrefix::new(base_url),
            spelled,
            routes,
            state: Mutex::new(State { waiting, served }),
        }
    }

    /// What came of the request when it was recorded. Of equal exchanges one of `item`, where it is known, comes first,
    /// so that items which overlap do not get each other's answers.
    ///
    /// # Errors
    /// It was not recorded, or less often than it was sent.
    pub fn serve(&self, role: Role, item: Option<usize>, request: &Request) -> Result<&Outcome, Box<Miss>> {
        let sent = Canonical::new(role, request, &self.base_url);
        self.take(&sent.key(), item)
            .ok_or_else(|| Box::new(self.miss(&sent)))
    }

    /// [`Self::serve`] for an operation's request that is written as it was recorded. Nothing where it is not, or was served
    /// already: then `serve` knows.
    pub(crate) fn serve_spelled(&self, item: Option<usize>, request: &Spelled<'_>) -> Option<&Outcome> {
        self.take(self.spelled.get(&request.key(&self.base)?)?, item)
    }

    fn take(&self, key: &Key, item: Option<usize>) -> Option<&Outcome> {
        let mut state = self.state();
        let State { waiting, served } = &mut *state;
        let equals = waiting.get_mut(key)?;
        let own = |index: &usize| {
            self.exchanges
                .get(*index)
                .is_some_and(|exchange| exchange.item == item)
        };
        let position = item.and_then(|_| equals.iter().position(own)).unwrap_or(0);
        let index = equals.remove(position)?;
        if let Some(served) = served.get_mut(index) {
            *served = true;
        }
        drop(state);
        self.exchanges.get(index).map(|exchange| &exchange.outcome)
    }

    /// What was never asked for; call it when the run is over.
    #[must_use]
    pub fn unused(&self) -> Unused {
        let mut unused = Unused::default();
        let served = self.state().served.clone();
        for (entry, (exchange, _)) in self
            .exchanges
            .iter()
            .zip(served)
            .enumerate()
            .filter(|(_, (_, served))| !served)
        {
            let request = summary(&self.canonical(exchange));
            let exchange_unused = UnusedExchange {
                entry,
                item: exchange.item,
                request,
            };
            match exchange.role {
                Role::Authentication => unused.authentication.push(exchange_unused),
                Role::Operation => unused.operation.push(exchange_unused),
            }
        }
        unused
    }

    fn miss(&self, sent: &Canonical) -> Miss {
        Miss {
            recording: self.name.clone(),
            role: sent.role,
            request: summary(sent),
            nearest: self.nearest(sent),
        }
    }

    /// Among the exchanges whose path and method come nearest, the one that differs in the fewest places; where that is
    /// undecided one that still waits, then the first.
    fn nearest(&self, sent: &Canonical) -> Option<Nearest> {
        let of_role = self.routes.iter().filter(|(route, _)| route.role == sent.role);
        let ranked = of_role.map(|(route, indices)| {
            let other_method = route.method != sent.method;
            (
                path_distance(&route.target, &sent.target),
                other_method,
                indices.iter().min(),
                indices,
            )
        });
        let (.., indices) = ranked.min()?;
        let served = self.state().served.clone();
        let is_served = |index: usize| served.get(index).copied().unwrap_or(false);
        let waiting = indices.iter().filter(|index| !is_served(**index)).take(COMPARED);
        let gone = indices.iter().filter(|index| is_served(**index)).take(COMPARED);
        let compared = waiting.chain(gone).filter_map(|&entry| {
            let exchange = self.exchanges.get(entry)?;
            let (count, difference) = compare(&self.canonical(exchange), sent);
            let nearest = Nearest {
                entry,
                item: exchange.item,
                served: is_served(entry),
                difference,
            };
            Some((count, nearest))
        });
        compared
            .min_by_key(|(count, nearest)| (*count, nearest.served, nearest.entry))
            .map(|(_, nearest)| nearest)
    }

    fn canonical(&self, exchange: &Exchange) -> Canonical {
        Canonical::new(exchange.role, &exchange.request, &self.recorded_base_url)
    }

    /// Nothing that panics runs under the lock, and a served flag is right at any time.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Player {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Player")
            .field("recording", &self.name)
            .field("exchanges", &self.exchanges.len())
            .finish_non_exhaustive()
    }
}

impl Unused {
    /// Whether everything was used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operation.is_empty() && self.authentication.is_empty()
    }
}

/// In how many segments two paths differ.
fn path_distance(a: &str, b: &str) -> usize {
    let (mut a, mut b) = (a.split('/'), b.split('/'));
    let mut distance = 0;
    loop {
        match (a.next(), b.next()) {
            (None, None) => return distance,
            (a, b) => distance += usize::from(a != b),
        }
    }
}
