//! Running an operation on a stream of items: lazily, several at once, results in the items' order.

use std::collections::{HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::{FutureExt as _, Stream, StreamExt as _};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::call::{Item, run_chunk};
use crate::description::Effect;
use crate::error::Error;
use crate::failure::Failure;
use crate::instance::Environs;
use crate::runner::{BoundOperation, Inner, Runner};

/// The output items of one item, each a JSON document on one line, or why there are none.
pub type ItemResult = Result<Vec<Box<RawValue>>, Failure>;

/// What a failed item does to those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// They do not start; those under way end.
    Stop,
    /// They run.
    #[default]
    Continue,
}

/// How a stream of items is run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunOptions {
    /// How many items may be under way at once.
    pub concurrency: NonZeroUsize,
    /// What a failed item does to those after it.
    pub on_failure: OnFailure,
}

/// Enough to hide the latency of a service that is near, few enough for one that is small.
pub const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

/// How many results may wait for an earlier one, as a multiple of the concurrency. Beyond it no new item starts, which
/// keeps memory flat; below it one slow item would hold up the others.
const WINDOW: usize = 4;

/// How many items each place in flight gets in one call: a call has a cost of its own, and its end is a time when fewer
/// items are under way.
const ITEMS_PER_PLACE: usize = 4;

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            concurrency: CONCURRENCY,
            on_failure: OnFailure::default(),
        }
    }
}

impl RunOptions {
    /// How many items may be under way at once; 0 is 1.
    #[must_use]
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = NonZeroUsize::new(concurrency).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// What a failed item does to those after it.
    #[must_use]
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }
}

/// The results of a run, in the items' order: the first is that of the first item. Dropping it ends the run.
#[derive(Debug)]
pub struct Results {
    receiver: mpsc::Receiver<ItemResult>,
    driver: tokio::task::JoinHandle<()>,
}

impl Stream for Results {
    type Item = ItemResult;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<ItemResult>> {
        self.receiver.poll_recv(context)
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        // Its tasks are in a set of its own, which ends them; their instances and requests go with them.
        self.driver.abort();
    }
}

impl Runner {
    /// Run an operation on a few items.
    ///
    /// # Errors
    ///
    /// The operation is unknown. What goes wrong with an item is in its result.
    pub async fn execute(
        &self,
        group: &str,
        operation: &str,
        items: Vec<Value>,
        options: &RunOptions,
    ) -> Result<Vec<ItemResult>, Error> {
        let items = futures_util::stream::iter(items.into_iter().map(|item| Ok(item.to_string())));
        Ok(self.run(group, operation, items, options)?.collect().await)
    }

    /// Run an operation on a stream of items, each a JSON object as text, or the failure of one that could not be read.
    /// Items are taken as they are needed: a reader that is slow to take results slows the requests.
    ///
    /// Must be called within a Tokio runtime; with several threads, several instances run at once.
    ///
    /// # Errors
    ///
    /// The operation is unknown. What goes wrong with an item is in its result.
    pub fn run<S>(
        &self,
        group: &str,
        operation: &str,
        items: S,
        options: &RunOptions,
    ) -> Result<Results, Error>
    where
        S: Stream<Item = Result<String, Failure>> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let operation = Arc::new(BoundOperation::new(&inner, group, operation)?);
        let (sender, receiver) = mpsc::channel(1);
        let driver = Driver::new(inner, operation, options, sender);
        let driver = tokio::spawn(async move {
            let mut items = pin!(items.fuse());
            driver.drive(items.as_mut()).await;
        });
        Ok(Results { receiver, driver })
    }
}

/// How items become calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    /// Items in one call, at most.
    items: usize,
    /// Requests that one call may overlap.
    in_flight: usize,
}

impl Shape {
    fn new(concurrency: usize, one_item_per_call: bool) -> Self {
        if one_item_per_call {
            return Self {
                items: 1,
                in_flight: 1,
            };
        }
        // One instance that overlaps its requests is cheaper than many; one per processor keeps them all busy.
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let in_flight = concurrency.div_ceil(processors);
        Self {
            items: in_flight * ITEMS_PER_PLACE,
            in_flight,
        }
    }
}

/// What a call under way holds.
#[derive(Debug)]
struct Held {
    /// The index of its first item.
    first: usize,
    /// What its items change.
    things: Vec<String>,
    /// How many requests it may overlap.
    places: usize,
}

/// Takes items, starts calls, and gives results in order.
struct Driver {
    inner: Arc<Inner>,
    operation: Arc<BoundOperation>,
    on_failure: OnFailure,
    shape: Shape,
    window: usize,
    /// How many items may be under way at once.
    places: usize,
    sender: mpsc::Sender<ItemResult>,
    calls: JoinSet<Vec<(usize, ItemResult)>>,
    /// Items that were taken and are not under way yet.
    waiting: VecDeque<Item>,
    /// The next item's index.
    taken: usize,
    /// Results from the first one that was not given yet; `None` where it is still to come.
    results: VecDeque<Option<ItemResult>>,
    given: usize,
    /// The things that items under way change: two items never change the same one at once.
    busy: HashSet<String>,
    /// Which of those each call holds, by the index of its first item.
    held: Vec<Held>,
    ended: bool,
    stopped: bool,
}

impl Driver {
    fn new(
        inner: Arc<Inner>,
        operation: Arc<BoundOperation>,
        options: &RunOptions,
        sender: mpsc::Sender<ItemResult>,
    ) -> Self {
        // Items that are recorded run one after the other.
        let places = if inner.is_sequential() {
            1
        } else {
            options.concurrency.get()
        };
        let one_item_per_call = inner.is_one_item_per_call(&operation);
        let shape = match options.on_failure {
            // A failure stops all items after it, so none of them may be under way in another call. The node itself
            // keeps the promise that nothing starts after a failure, within its call.
            OnFailure::Stop if !one_item_per_call => Shape {
                items: places * ITEMS_PER_PLACE,
                in_flight: places,
            },
            _ => Shape::new(places, one_item_per_call),
        };
        Self {
            inner,
            operation,
            on_failure: options.on_failure,
            shape,
            window: places * WINDOW,
            places,
            sender,
            calls: JoinSet::new(),
            waiting: VecDeque::new(),
            taken: 0,
            results: VecDeque::new(),
            given: 0,
            busy: HashSet::new(),
            held: Vec::new(),
            ended: false,
            stopped: false,
        }
    }

    async fn drive<S: Stream<Item = Result<String, Failure>>>(
        mut self,
        mut items: Pin<&mut futures_util::stream::Fuse<S>>,
    ) {
        loop {
            // What is there without waiting; so a fast source makes large calls, and a slow one makes small ones.
            while self.wants_more() {
                match items.next().now_or_never() {
                    Some(Some(item)) => self.take(item),
                    Some(None) => self.ended = true,
                    None => break,
                }
            }
            if self.give().await.is_err() {
                return;
            }
            if self.start() {
                continue;
            }
            if self.ended && self.waiting.is_empty() && self.calls.is_empty() && self.results.is_empty() {
                return;
            }
            let wants_more = self.wants_more();
            tokio::select! {
                Some(done) = self.calls.join_next() => match done {
                    Ok(results) => self.settle(results),
                    // The task cannot panic by the node's doing; if the host's own code does, so does the run.
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        Err(_) => return,
                    },
                },
                item = items.next(), if wants_more => match item {
                    Some(item) => self.take(item),
                    None => self.ended = true,
                },
            }
        }
    }

    fn wants_more(&self) -> bool {
        !self.ended && self.waiting.len() < self.shape.items && self.taken - self.given < self.window
    }

    fn take(&mut self, item: Result<String, Failure>) {
        let index = self.taken;
        self.taken += 1;
        self.results.push_back(None);
        match item.and_then(|parameters| is_object(&parameters).map(|()| parameters)) {
            Ok(parameters) if self.stopped => self.set(index, &parameters, Err(Failure::NotRun)),
            Ok(parameters) => self.waiting.push_back(Item { index, parameters }),
            Err(failure) => self.set(index, "null", Err(failure)),
        }
    }

    /// A result that no call gave.
    fn set(&mut self, index: usize, parameters: &str, result: ItemResult) {
        self.inner.keep(index, parameters, Environs::Real, &result);
        self.put(index, result);
    }

    fn put(&mut self, index: usize, result: ItemResult) {
        if result.is_err() && self.on_failure == OnFailure::Stop {
            self.stopped = true;
        }
        if let Some(place) = self.results.get_mut(index - self.given) {
            *place = Some(result);
        }
    }

    /// Start a call, if there is something to start and a place for it.
    fn start(&mut self) -> bool {
        if self.stopped {
            while let Some(item) = self.waiting.pop_front() {
                self.set(item.index, &item.parameters, Err(Failure::NotRun));
            }
        }
        // A failure of one item must be known before the next starts, where calls hold one item each.
        if self.on_failure == OnFailure::Stop && !self.calls.is_empty() {
            return false;
        }
        // A call takes its share of the places, or those that calls with few items left over.
        let free = self.places - self.held.iter().map(|held| held.places).sum::<usize>();
        let in_flight = self.shape.in_flight.min(free);
        if in_flight == 0 {
            return false;
        }
        let most = self.shape.items.min(in_flight * ITEMS_PER_PLACE);
        let mut items = Vec::new();
        let mut things = Vec::new();
        while items.len() < most
            && let Some(item) = self.waiting.front()
        {
            if let Some(thing) = self.thing(item) {
                if self.busy.contains(&thing) {
                    // Items of the same thing keep their order, so those behind it wait with it.
                    break;
                }
                self.busy.insert(thing.clone());
                things.push(thing);
            }
            items.extend(self.waiting.pop_front());
        }
        let Some(first) = items.first().map(|item| item.index) else {
            return false;
        };
        // Where no other item waits for a place, none is left unused.
        let in_flight = if self.waiting.is_empty() { free } else { in_flight }.min(items.len());
        self.held.push(Held {
            first,
            things,
            places: in_flight,
        });
        let (inner, operation, on_failure) = (
            Arc::clone(&self.inner),
            Arc::clone(&self.operation),
            self.on_failure,
        );
        let in_flight = u32::try_from(in_flight).unwrap_or(u32::MAX);
        self.calls.spawn(async move {
            let results = run_chunk(&inner, &operation, &items, on_failure, in_flight).await;
            items.into_iter().map(|item| item.index).zip(results).collect()
        });
        true
    }

    /// What an item changes: the values of the path's parameters. `None` where it changes nothing, or the path says
    /// nothing.
    fn thing(&self, item: &Item) -> Option<String> {
        if self.operation.effect == Effect::Read || self.operation.path_parameters.is_empty() {
            return None;
        }
        let fields: Map<String, Value> = serde_json::from_str(&item.parameters).ok()?;
        let values = self
            .operation
            .path_parameters
            .iter()
            .map(|name| match fields.get(name) {
                Some(Value::String(text)) => Value::from(text.trim()),
                // A text field takes a number as its digits.
                Some(Value::Number(number)) => Value::from(number.to_string()),
                other => other.cloned().unwrap_or_default(),
            });
        Some(Value::Array(values.collect()).to_string())
    }

    fn settle(&mut self, results: Vec<(usize, ItemResult)>) {
        if let Some((first, _)) = results.first()
            && let Some(position) = self.held.iter().position(|held| held.first == *first)
        {
            for thing in self.held.swap_remove(position).things {
                self.busy.remove(&thing);
            }
        }
        for (index, result) in results {
            self.put(index, result);
        }
    }

    /// Give the results that are next in order. An error says that nobody takes them any more.
    async fn give(&mut self) -> Result<(), mpsc::error::SendError<ItemResult>> {
        while let Some(Some(_)) = self.results.front() {
            if let Some(Some(result)) = self.results.pop_front() {
                self.sender.send(result).await?;
                self.given += 1;
            }
        }
        Ok(())
    }
}

/// A line that is no JSON object is a failed item, not the end.
fn is_object(text: &str) -> Result<(), Failure> {
    let found = match serde_json::from_str::<&RawValue>(text) {
        Ok(value) => match value.get().as_bytes().first() {
            Some(b'{') => return Ok(()),
            Some(b'[') => "a list".to_owned(),
            Some(b'"') => "a text".to_owned(),
            Some(b'n') => "null".to_owned(),
            Some(b't' | b'f') => "a boolean".to_owned(),
            _ => "a number".to_owned(),
        },
        Err(error) => format!("a text that is not JSON: {error}"),
    };
    Err(Failure::InvalidInput(format!(
        "the item: expected a JSON object, found {found}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_gets_a_share_of_the_places_and_at_least_one() {
        for concurrency in 1..300 {
            let shape = Shape::new(concurrency, false);
            assert!(
                (1..=concurrency).contains(&shape.in_flight),
                "{shape:?} of {concurrency}"
            );
            assert_eq!(
                Shape::new(concurrency, true),
                Shape {
                    items: 1,
                    in_flight: 1
                }
            );
        }
    }

    #[test]
    fn only_objects_are_items() {
        assert_eq!(is_object(" {\"a\": 1}"), Ok(()));
        for (text, found) in [
            ("[1]", "a list"),
            ("7", "a number"),
            ("null", "null"),
            ("\"a\"", "a text"),
        ] {
            let Err(Failure::InvalidInput(message)) = is_object(text) else {
                panic!("{text} was taken")
            };
            assert!(message.ends_with(found), "{message}");
        }
        assert!(is_object("{\"a\":").is_err());
        assert!(is_object("").is_err());
    }
}
