//! Serves requests from a recording. Nothing here can open a socket.

use std::path::PathBuf;
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use url::Url;

use super::{
    Recording,
    entry::Unreadable,
    exchange::{Exchange, Outcome, RecordedFile, Request, Role},
    miss::{Miss, Nearest, compare, summary},
    read::View,
    request_key::{BasePrefix, Canonical, Key, Spelled, target},
};

/// How many recorded exchanges are compared with a request that was not recorded, so that ten thousand misses stay
/// cheap.
const COMPARED: usize = 100;

/// Serves each exchange of a recording once, to any number of tasks.
///
/// Equal exchanges are served in the order in which they were sent during recording. If another tool's recording does
/// not mark authentications, the first exchange with the same method and path is served for one.
pub struct Player {
    name: String,
    /// Where the files beside the recording are.
    files: Option<PathBuf>,
    is_foreign: bool,
    base_url: Url,
    recorded_base_url: Url,
    /// The headers that count.
    headers: Vec<String>,
    exchanges: Vec<Exchange>,
    /// The index in `log.entries` of each exchange.
    places: Vec<usize>,
    unreadable: Vec<Unreadable>,
    base: BasePrefix,
    /// Keys of the recorded operation requests, by their exact spelling.
    spelled: HashMap<Key, Key>,
    /// The exchanges with each method and path, to find the nearest one for a miss.
    routes: HashMap<Route, Vec<usize>>,
    /// The same for entries that could not be read, whatever their role.
    unreadable_routes: HashMap<Route, Vec<usize>>,
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

/// The exchanges that no request used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unused {
    /// Exchanges of operations: the node no longer sends what it sent during recording.
    pub operation: Vec<UnusedExchange>,
    /// Exchanges of authentication, which also stay unused if the host already had a session.
    pub authentication: Vec<UnusedExchange>,
}

/// An exchange that no request used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`log.entries[{entry}]`: recorded and never sent: `{request}`")]
#[non_exhaustive]
pub struct UnusedExchange {
    /// Its index in `log.entries`.
    pub entry: usize,
    /// The item that it was recorded for.
    pub item: Option<usize>,
    /// Method, path below the base URL and query, shortened.
    pub request: String,
}

impl Player {
    /// Where a file beside the recording is.
    #[must_use]
    pub fn file(&self, file: &RecordedFile) -> Option<PathBuf> {
        Some(self.files.as_ref()?.join(&file.sha256))
    }

    /// Prepares the replay of `recording` for a run whose service is at `base_url`. Paths are compared relative to the
    /// two base URLs. A HAR of another tool has no base URL and counts as recorded at `base_url`.
    #[must_use]
    pub fn new(recording: Recording, base_url: &Url) -> Self {
        let recorded_base_url = recording
            .view
            .case
            .as_ref()
            .map_or_else(|| base_url.clone(), |case| case.base_url.clone());
        let View {
            exchanges,
            places,
            unreadable,
            case,
            ..
        } = recording.view;
        let is_foreign = case.is_none();
        let headers = case.map_or_else(Vec::new, |case| case.headers);
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
            let canonical = Canonical::new(exchange.role, &exchange.request, &recorded_base_url, &headers);
            let key = canonical.key();
            // A spelling says nothing of headers.
            if exchange.role == Role::Operation
                && headers.is_empty()
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
        let mut unreadable_routes: HashMap<Route, Vec<usize>> = HashMap::new();
        for (index, entry) in unreadable.iter().enumerate() {
            if let Some((method, url)) = entry.route.as_deref() {
                let route = Route {
                    role: Role::Operation,
                    method: method.clone(),
                    target: target(url, &recorded_base_url),
                };
                unreadable_routes.entry(route).or_default().push(index);
            }
        }
        Self {
            files: recording.files,
            name: recording.name,
            is_foreign,
            base_url: base_url.clone(),
            recorded_base_url,
            headers,
            exchanges,
            places,
            unreadable,
            base: BasePrefix::new(base_url),
            spelled,
            routes,
            unreadable_routes,
            state: Mutex::new(State { waiting, served }),
        }
    }

    /// Whether another tool wrote the recording, which then has no case.
    pub fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// The recorded outcome of a request. Among equal exchanges one of `item`, if known, is preferred, so that
    /// overlapping items do not get each other's responses.
    ///
    /// # Errors
    /// The request was not recorded, or was recorded fewer times than it was sent, or without the response's body.
    pub fn serve(&self, role: Role, item: Option<usize>, request: &Request) -> Result<&Outcome, Box<Miss>> {
        let sent = Canonical::new(role, request, &self.base_url, &self.headers);
        let index = self.take(&sent.key(), item).or_else(|| self.take_unmarked(&sent));
        match index {
            Some(index) => self.outcome(index, || sent),
            None => Err(Box::new(self.miss(&sent))),
        }
    }

    /// Like [`Self::serve`], for an operation's request in exactly the recorded spelling. `None` if no unserved
    /// exchange has that spelling; `serve` then decides.
    pub fn serve_spelled(
        &self,
        item: Option<usize>,
        request: &Spelled<'_>,
    ) -> Option<Result<&Outcome, Box<Miss>>> {
        let index = self.take(self.spelled.get(&request.key(&self.base)?)?, item)?;
        let exchange = self.exchanges.get(index)?;
        Some(self.outcome(index, || self.canonical(exchange)))
    }

    fn take(&self, key: &Key, item: Option<usize>) -> Option<usize> {
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
        Some(index)
    }

    /// Finds an authentication in a recording that does not mark its authentications.
    fn take_unmarked(&self, sent: &Canonical) -> Option<usize> {
        if sent.role != Role::Authentication {
            return None;
        }
        let indices = self.routes.get(&Route {
            role: Role::Operation,
            method: sent.method.clone(),
            target: sent.target.clone(),
        })?;
        let is_served = |index: &usize| self.state().served.get(*index).copied().unwrap_or(true);
        let exchange = self
            .exchanges
            .get(*indices.iter().find(|index| !is_served(index))?)?;
        // Equal exchanges are served in order.
        self.take(&self.canonical(exchange).key(), None)
    }

    /// The outcome of an exchange; `sent` is the request, for an error.
    fn outcome(&self, index: usize, sent: impl FnOnce() -> Canonical) -> Result<&Outcome, Box<Miss>> {
        let exchange = self.exchanges.get(index);
        let outcome = exchange.map(|exchange| &exchange.outcome);
        match outcome {
            Some(outcome) if !outcome.lacks_body() => Ok(outcome),
            _ => Err(Box::new(Miss {
                nearest: Some(Nearest {
                    entry: self.place(index),
                    item: exchange.and_then(|exchange| exchange.item),
                    served: false,
                    difference: None,
                }),
                lacks_body: true,
                ..self.miss(&sent())
            })),
        }
    }

    /// The index in `log.entries`.
    fn place(&self, index: usize) -> usize {
        self.places.get(index).copied().unwrap_or(index)
    }

    /// The exchanges that no request used. Call it after the run.
    #[must_use]
    pub fn unused(&self) -> Unused {
        let mut unused = Unused::default();
        let served = self.state().served.clone();
        for (index, (exchange, _)) in self
            .exchanges
            .iter()
            .zip(served)
            .enumerate()
            .filter(|(_, (_, served))| !served)
        {
            let request = summary(&self.canonical(exchange));
            let exchange_unused = UnusedExchange {
                entry: self.place(index),
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
            unreadable: self.unreadable_of(sent),
            lacks_body: false,
        }
    }

    /// The first unreadable entry with the same method and path.
    fn unreadable_of(&self, sent: &Canonical) -> Option<Unreadable> {
        let indices = self.unreadable_routes.get(&Route {
            role: Role::Operation,
            method: sent.method.clone(),
            target: sent.target.clone(),
        })?;
        self.unreadable.get(*indices.first()?).cloned()
    }

    /// Among the exchanges with the nearest method and path, returns the one with the fewest differences. On a tie,
    /// unserved exchanges win, then the first.
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
        let compared = waiting.chain(gone).filter_map(|&index| {
            let exchange = self.exchanges.get(index)?;
            let (count, difference) = compare(&self.canonical(exchange), sent);
            let nearest = Nearest {
                entry: self.place(index),
                item: exchange.item,
                served: is_served(index),
                difference,
            };
            Some((count, nearest))
        });
        compared
            .min_by_key(|(count, nearest)| (*count, nearest.served, nearest.entry))
            .map(|(_, nearest)| nearest)
    }

    fn canonical(&self, exchange: &Exchange) -> Canonical {
        Canonical::new(
            exchange.role,
            &exchange.request,
            &self.recorded_base_url,
            &self.headers,
        )
    }

    /// A poisoned lock is harmless: no code that panics runs under it, and the served flags are always valid.
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

/// Names the first unused exchange of an operation, and how many more there are; writes nothing if there are none.
impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.operation.first() else {
            return Ok(());
        };
        write!(f, "{first}")?;
        match self.operation.len() - 1 {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

impl Unused {
    /// Whether every exchange was used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operation.is_empty() && self.authentication.is_empty()
    }
}

/// The number of segments in which two paths differ.
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
