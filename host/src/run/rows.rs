//! The rows that an item gives while it goes on: from its call to the run's results.
//!
//! A run that streams rows gives each item of an operation that emits them a call of its own, so an item whose rows wait for
//! their turn holds up no other.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nodule_core::failure::Failure;
use nodule_core::outcome::Output;
use tokio::sync::{mpsc, oneshot};

use super::given::Given;
use super::item::Item;
use super::outputs::{self, cost};
use crate::runtime::bindings::turns::Emitted;
use crate::runtime::bindings::types;
use crate::runtime::instance::Stop;
use crate::runtime::rows::Rows;

/// A cursor is a place in a listing. It is kept, and given to the node again.
const MOST_CURSOR_BYTES: usize = 64 * 1024;

/// Rows of an item that goes on.
pub(crate) struct Part {
    pub(super) item: usize,
    pub(super) rows: Vec<Output>,
    pub(super) cursor: String,
    /// Told when the reader has them.
    pub(super) taken: oneshot::Sender<()>,
}

/// Where the rows of a run's calls go.
#[derive(Clone)]
pub(crate) struct Outlet {
    pub(super) parts: mpsc::Sender<Part>,
    /// The most rows of an item.
    pub(super) limit: u64,
}

/// Takes the rows of one call.
pub(super) struct CallRows<'a> {
    items: &'a [&'a Item],
    stream: Option<&'a Outlet>,
    /// The most bytes of rows that are kept.
    output_bytes: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    /// Rows that are given with their item's result, by its position in the call.
    kept: Vec<Vec<types::Output>>,
    kept_bytes: usize,
    /// Rows to be given at once.
    next: Vec<(Vec<types::Output>, String)>,
    /// How the call ended while its node was going on.
    end: Option<End>,
}

/// How a call ends while its node is going on.
#[derive(Debug)]
pub(super) enum End {
    /// The only item has as many rows as are wanted.
    Enough,
    /// A row is no JSON.
    Failed(Failure),
    Stopped(Stop),
}

impl<'a> CallRows<'a> {
    pub(super) fn new(items: &'a [&'a Item], stream: Option<&'a Outlet>, output_bytes: usize) -> Self {
        Self {
            items,
            stream,
            output_bytes,
            taken: Mutex::default(),
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the call ended, if its node did not end it; and the rows that belong to the results.
    pub(super) fn finish(self) -> (Option<End>, Vec<Vec<types::Output>>) {
        let taken = self.taken.into_inner().unwrap_or_else(PoisonError::into_inner);
        (taken.end, taken.kept)
    }

    /// The only item of the call and its stream, if its rows are given at once.
    fn streaming(&self) -> Option<(&Outlet, &Item, &Arc<Given>)> {
        let [item] = self.items else { return None };
        Some((self.stream?, item, item.given.as_ref()?))
    }
}

fn end(taken: &mut Taken, end: End) -> ControlFlow<()> {
    taken.end.get_or_insert(end);
    ControlFlow::Break(())
}

#[async_trait::async_trait]
impl Rows for CallRows<'_> {
    fn take(&self, emitted: Emitted) -> ControlFlow<()> {
        let Emitted {
            item,
            mut outputs,
            cursor,
        } = emitted;
        let mut taken = self.taken();
        let position = usize::try_from(item).unwrap_or(usize::MAX);
        if position >= self.items.len() {
            let reason = "it gave rows of an item that its call does not have";
            return end(&mut taken, End::Stopped(Stop::Trap(reason.to_owned())));
        }
        if cursor.as_ref().map_or(0, String::len) > MOST_CURSOR_BYTES {
            let reason = format!("it gave a cursor of more than {MOST_CURSOR_BYTES} bytes");
            return end(&mut taken, End::Stopped(Stop::Trap(reason)));
        }
        if let (Some((stream, _, given)), Some(cursor)) = (self.streaming(), &cursor) {
            let rows = |rows: &[types::Output]| u64::try_from(rows.len()).unwrap_or(u64::MAX);
            let waiting: u64 = taken.next.iter().map(|(outputs, _)| rows(outputs)).sum();
            let left = stream.limit.saturating_sub(given.rows()).saturating_sub(waiting);
            let is_enough = rows(&outputs) >= left;
            outputs.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            match taken.next.last_mut() {
                // Nobody waits for a part without rows, so a node may give any number of them.
                Some((_, last)) if outputs.is_empty() => last.clone_from(cursor),
                _ => taken.next.push((outputs, cursor.clone())),
            }
            return if is_enough {
                end(&mut taken, End::Enough)
            } else {
                ControlFlow::Continue(())
            };
        }
        taken.kept_bytes += cost(&outputs);
        if taken.kept_bytes > self.output_bytes {
            return end(&mut taken, End::Stopped(outputs::too_large(self.output_bytes)));
        }
        if taken.kept.is_empty() {
            taken.kept.resize_with(self.items.len(), Vec::new);
        }
        if let Some(kept) = taken.kept.get_mut(position) {
            kept.append(&mut outputs);
        }
        ControlFlow::Continue(())
    }

    async fn give(&self) -> ControlFlow<()> {
        let next = std::mem::take(&mut self.taken().next);
        let Some((stream, item, given)) = self.streaming() else {
            return ControlFlow::Continue(());
        };
        for (outputs, cursor) in next {
            let rows = match outputs::read(outputs).await {
                Ok(rows) => rows,
                Err(failure) => return end(&mut self.taken(), End::Failed(failure)),
            };
            let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
            let (taken, is_taken) = oneshot::channel();
            let part = Part {
                item: item.index,
                rows,
                cursor: cursor.clone(),
                taken,
            };
            // An error means that the run is over, which ends this call too.
            if stream.parts.send(part).await.is_err() || is_taken.await.is_err() {
                return std::future::pending().await;
            }
            given.add(count, cursor);
        }
        ControlFlow::Continue(())
    }
}
