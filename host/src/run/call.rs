//! One call of `execute`, and the results of its items: each item gets exactly one result, whatever the node does.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::events;
use crate::gate::pipeline::{Pipeline, Scope};
use crate::run::item::Item;
use crate::run::runner::{BoundOperation, Inner};
use crate::runtime::bindings::{execution, types};
use crate::runtime::clock_and_rng::ClockAndRng;
use crate::runtime::instance::Stop;
use crate::runtime::session::Session;
use nodule_core::failure::Failure;
use nodule_core::outcome::{self, ItemResult, OnFailure};

impl Stop {
    /// What the item is told.
    pub(crate) fn into_failure(self) -> Failure {
        match self {
            Stop::Limit(limit) => Failure::Limit(limit),
            Stop::Trap(_) => Failure::Other {
                kind: "trap".into(),
                message: self.to_string(),
                detail: None,
            },
        }
    }
}

/// Runs a chunk of items, in one call if the node behaves.
///
/// - Items whose session was refused run again, once, with a new session.
/// - A call that traps, reaches a limit or returns the wrong number of results yields none. Its items run again, one
///   per call, so that only the one that traps fails. An item of a `write` operation is always alone in its call, and
///   never runs again.
pub(crate) async fn run_chunk(
    inner: &Inner,
    operation: &BoundOperation,
    items: &[&Item],
    on_failure: OnFailure,
    in_flight: u32,
) -> Vec<ItemResult> {
    let clock_and_rng = match items {
        [item] => inner.clock_and_rng(item.index),
        _ => ClockAndRng::Real,
    };
    let chunk = Chunk {
        inner,
        operation,
        clock_and_rng,
        on_failure,
    };
    let results = chunk.with_session(items, in_flight).await;
    if let [item] = items
        && let Some(result) = results.first()
    {
        inner.keep(item.index, &item.parameters, clock_and_rng, result);
    }
    results
}

/// Results of more bytes than this are looked through on a thread that nobody else waits for: at most `output-bytes`, which takes a
/// tenth of a second, and costs a hostile node hardly anything.
const READ_HERE: usize = 1024 * 1024;
/// An output item costs as much as so many bytes.
const OUTPUT_COST: usize = 64;

/// What all calls for a chunk have in common.
struct Chunk<'a> {
    inner: &'a Inner,
    operation: &'a BoundOperation,
    clock_and_rng: ClockAndRng,
    on_failure: OnFailure,
}

impl Chunk<'_> {
    async fn with_session(&self, items: &[&Item], in_flight: u32) -> Vec<ItemResult> {
        let Self {
            inner,
            operation,
            clock_and_rng,
            ..
        } = *self;
        let session = match inner.session(None, clock_and_rng, operation.run()).await {
            Ok(session) => session,
            Err(failure) => return items.iter().map(|_| Err(failure.clone())).collect(),
        };
        let mut results = self.isolated(items, session.clone(), in_flight).await;
        let Some(session) = session else { return results };
        operation.stats.session(session.generation());
        let refused: Vec<usize> = results
            .iter()
            .enumerate()
            .filter(|(_, result)| matches!(result, Err(Failure::Unauthenticated(_))))
            .map(|(position, _)| position)
            .collect();
        if refused.is_empty() {
            return results;
        }
        events::retry(&operation.label, refused.len(), "unauthenticated");
        let renewed = match inner
            .session(Some(session.generation()), clock_and_rng, operation.run())
            .await
        {
            Ok(renewed) => renewed,
            // The refusal stands; why there is no new session is what its owner has to know.
            Err(failure) => {
                for position in refused {
                    set(&mut results, position, Err(failure.clone()));
                }
                return results;
            }
        };
        if let Some(renewed) = &renewed {
            operation.stats.session(renewed.generation());
        }
        // With `stop`, the items after the refused one were not run because of it: they get their turn now.
        let again: Vec<usize> = results
            .iter()
            .enumerate()
            .filter(|(_, result)| matches!(result, Err(Failure::Unauthenticated(_) | Failure::NotRun)))
            .map(|(position, _)| position)
            .collect();
        let chosen: Vec<&Item> = again
            .iter()
            .filter_map(|position| items.get(*position).copied())
            .collect();
        let second = self.isolated(&chosen, renewed, in_flight).await;
        for (position, result) in again.into_iter().zip(second) {
            set(&mut results, position, result);
        }
        results
    }

    /// All items in one call, or, when that call breaks, each in one of its own.
    async fn isolated(
        &self,
        items: &[&Item],
        session: Option<Arc<Session>>,
        in_flight: u32,
    ) -> Vec<ItemResult> {
        match self.once(items, session.clone(), in_flight).await {
            Ok(results) => results,
            Err(stop) if items.len() == 1 => vec![Err(stop.into_failure())],
            Err(_) => {
                events::retry(&self.operation.label, items.len(), "one-by-one");
                let mut results = Vec::with_capacity(items.len());
                let mut stopped = false;
                for item in items {
                    if stopped {
                        results.push(Err(Failure::NotRun));
                        continue;
                    }
                    let alone = std::slice::from_ref(item);
                    let result = match self.once(alone, session.clone(), 1).await {
                        Ok(mut results) => results.pop().unwrap_or(Err(Failure::NotRun)),
                        Err(stop) => Err(stop.into_failure()),
                    };
                    stopped = result.is_err() && self.on_failure == OnFailure::Stop;
                    results.push(result);
                }
                results
            }
        }
    }

    /// One call. The results are as many as the items.
    async fn once(
        &self,
        items: &[&Item],
        session: Option<Arc<Session>>,
        in_flight: u32,
    ) -> Result<Vec<ItemResult>, Stop> {
        let Self { inner, operation, .. } = *self;
        let item = match items {
            [item] => Some(item.index),
            _ => None,
        };
        let pipeline = inner.pipeline(Scope::Operation, session, Some(operation), item);
        let texts: Vec<&String> = items.iter().map(|item| &item.parameters).collect();
        let results = self.execute(&pipeline, &texts, in_flight).await;
        let observed = pipeline.observed();
        operation.stats.requests(&observed);
        if !operation.is_write() || items.len() != 1 {
            return results;
        }
        // A plain write is alone in its call, so what the host saw is about this item.
        let results = results.unwrap_or_else(|stop| vec![Err(stop.into_failure())]);
        Ok(results
            .into_iter()
            .map(|result| outcome::of_write(result, observed.changing))
            .collect())
    }

    /// Call the node, and read its answer with suspicion.
    async fn execute(
        &self,
        pipeline: &Arc<Pipeline>,
        items: &[&String],
        in_flight: u32,
    ) -> Result<Vec<ItemResult>, Stop> {
        let Self {
            inner,
            operation,
            clock_and_rng,
            on_failure,
        } = *self;
        let count = items.len();
        let base_url = inner.base_text();
        let call = execution::Call {
            group: &operation.group,
            operation: &operation.name,
            items,
            on_failure: match on_failure {
                OnFailure::Stop => execution::OnFailure::Stop,
                OnFailure::Continue => execution::OnFailure::Continue,
            },
            in_flight,
            base_url: &base_url,
            // The host adds it, outside of the sandbox.
            access: None,
        };
        let component = &inner.component;
        let mut guard = operation.idle.take(
            component.engine(),
            &inner.account,
            Arc::clone(pipeline),
            clock_and_rng,
        );
        let answer = guard.execute(component.pre(), call).await?;
        operation.idle.put(guard);
        match answer {
            Ok(results) if results.len() == count => {
                let limit = inner.limits().output_bytes;
                let outputs = || results.iter().flatten().flatten();
                let bytes: usize = outputs().map(String::len).sum();
                if bytes > limit {
                    return Err(Stop::Limit(format!(
                        "results of more than {limit} bytes (`output-bytes`)"
                    )));
                }
                let is_long = bytes + outputs().count() * OUTPUT_COST > READ_HERE;
                let pipeline = Arc::clone(pipeline);
                let read = move || {
                    let results = results.into_iter().map(|result| read(&pipeline, result));
                    results.collect()
                };
                if !is_long {
                    return Ok(read());
                }
                let read = tokio::task::spawn_blocking(read).await;
                read.map_err(|_| Stop::Trap("its results could not be read".to_owned()))
            }
            Ok(results) => Err(Stop::Trap(format!(
                "expected {count} results, found {}",
                results.len()
            ))),
            Err(failure) => {
                let failure = told(pipeline, failure);
                Ok((0..count).map(|_| Err(failure.clone())).collect())
            }
        }
    }
}

fn set(results: &mut [ItemResult], position: usize, result: ItemResult) {
    if let Some(place) = results.get_mut(position) {
        *place = result;
    }
}

/// One call by itself, without a session, through a pipeline that the caller looks at.
pub(crate) async fn alone(
    inner: &Inner,
    operation: &BoundOperation,
    pipeline: &Arc<Pipeline>,
    items: &[&String],
) -> Result<Vec<ItemResult>, Stop> {
    let chunk = Chunk {
        inner,
        operation,
        clock_and_rng: ClockAndRng::Real,
        on_failure: OnFailure::Continue,
    };
    chunk.execute(pipeline, items, 1).await
}

fn read(pipeline: &Pipeline, result: execution::ItemResult) -> ItemResult {
    match result {
        Ok(output) => output.into_iter().map(output_item).collect(),
        Err(failure) => Err(told(pipeline, failure)),
    }
}

/// An output item is one JSON document, on one line. It is not parsed into values, only looked through: one pass without
/// recursion.
fn output_item(text: String) -> Result<Box<RawValue>, Failure> {
    // Outside of strings, where they are not allowed, line ends are only white space.
    let text = if memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_some() {
        text.replace(['\n', '\r'], " ")
    } else {
        text
    };
    RawValue::from_string(text).map_err(|error| Failure::Other {
        kind: "bad-output".into(),
        message: format!("the node returned an output item that is not JSON: {error}"),
        detail: None,
    })
}

/// A node's failure, bounded, and in the host's words where the host knows more.
fn told(pipeline: &Pipeline, failure: types::Failure) -> Failure {
    pipeline.explain(failure.into())
}
