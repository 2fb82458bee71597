//! Runs a call by turns: the instance returns its requests, and the next component call passes their responses in.
//!
//! A request needs no component call of its own, and the instance's stack is empty while it is in flight. The
//! [pipeline](crate::gate::pipeline) decides on requests as in a call through `wasi:http`.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::StreamExt as _;
use futures_util::future::join;
use futures_util::stream::FuturesUnordered;
use http::HeaderName;
use tokio::task::coop::unconstrained;
use tokio::task::yield_now;
use wasmtime::Store;
use wasmtime_wasi_http::Error as HttpError;

use crate::gate::pipeline::Pipeline;
use crate::runtime::bindings::types::Field;
use crate::runtime::bindings::{execution, turns};
use crate::runtime::http::handler::code;
use crate::runtime::http::turn::{self, Turn, TurnResponse, bare};
use crate::runtime::patience::Patience;
use crate::runtime::reached_limit::ReachedLimit;
use crate::runtime::rows::Rows;
use crate::runtime::state::State;

/// With fewer requests, waiting longer for several responses gains nothing.
const SEVERAL: usize = 2;

/// A finished request, by its ID.
type Ended = (u32, Result<TurnResponse, HttpError>);

/// Runs a call to its result; there is none if `rows` end it. `looked_at` are the response headers that the node reads.
pub(super) async fn execute(
    store: &mut Store<State>,
    node: &turns::Guest,
    looked_at: &Arc<[HeaderName]>,
    beginning: turns::Beginning<'_>,
    rows: &dyn Rows,
    patience: &Patience,
) -> wasmtime::Result<Vec<execution::ItemResult>> {
    let pipeline = store.data().pipeline();
    let most = pipeline
        .as_ref()
        .map_or(0, |pipeline| pipeline.limits().host_resources);
    let mut in_flight = FuturesUnordered::new();
    let mut turn = node.call_next(&mut *store, turns::Step::Begin(beginning)).await?;
    loop {
        let turns::Asked {
            headers,
            requests,
            emitted,
        } = match turn {
            turns::Turn::Done(results) => return Ok(results),
            turns::Turn::Waiting(asked) => asked,
        };
        // A part without rows is silence.
        let has_rows = emitted.iter().any(|emitted| !emitted.outputs.is_empty());
        if emitted.into_iter().any(|emitted| rows.take(emitted).is_break()) {
            let _ = patience.held(rows.give()).await;
            return Ok(Vec::new());
        }
        if requests.len() > most.saturating_sub(in_flight.len()) {
            return Err(ReachedLimit::HostResources.into());
        }
        if !requests.is_empty() {
            let turn = Arc::new(Turn::new(headers, looked_at));
            in_flight.extend(
                requests
                    .into_iter()
                    .map(|request| carry_out(pipeline.clone(), Arc::clone(&turn), request)),
            );
        }
        if in_flight.is_empty() {
            wasmtime::bail!("it waits for an answer, and has asked for nothing");
        }
        let mut ended = Vec::new();
        let next = next_ended(&mut in_flight);
        // The next page is read while the rows of this one wait for their reader.
        let next = if has_rows {
            let (next, given) = join(next, patience.held(rows.give())).await;
            if given.is_break() {
                return Ok(Vec::new());
            }
            next
        } else {
            next.await
        };
        for (id, outcome) in next {
            let outcome = match outcome {
                Ok(seen) => Ok(seen),
                Err(error) => Err(bare(&code(store.data_mut(), error)?)),
            };
            ended.push((id, outcome));
        }
        let headers: Vec<Vec<&Field>> = ended
            .iter()
            .map(|(_, outcome)| outcome.as_ref().map(TurnResponse::headers).unwrap_or_default())
            .collect();
        let answered = ended.iter().zip(&headers).map(|((id, outcome), headers)| {
            let outcome = outcome.as_ref().map(|seen| seen.response(headers));
            turns::Answered {
                id: *id,
                outcome: outcome.map_err(Clone::clone),
            }
        });
        let answered: Vec<_> = answered.collect();
        // The node copies the responses here. The host frees them then, since the next ones may take long.
        turn = node
            .call_next(&mut *store, turns::Step::Resume(&answered))
            .await?;
    }
}

async fn carry_out(pipeline: Option<Arc<Pipeline>>, turn: Arc<Turn>, request: turns::Request) -> Ended {
    let id = request.id;
    let outcome = match pipeline {
        Some(pipeline) => turn::carry_out(pipeline, turn, request).await,
        // An instance without a pipeline only describes itself.
        None => Err(HttpError::HttpRequestDenied),
    };
    (id, outcome)
}

/// Waits for finished requests, at least one.
async fn next_ended<F: Future<Output = Ended>>(in_flight: &mut FuturesUnordered<F>) -> Vec<Ended> {
    let mut ended = Vec::new();
    poll_fn(|context| {
        take(in_flight, &mut ended, context);
        if ended.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    // A turn costs the same for any number of responses, so those about to arrive get a chance.
    if in_flight.len() >= SEVERAL {
        yield_now().await;
        poll_fn(|context| {
            take(in_flight, &mut ended, context);
            Poll::Ready(())
        })
        .await;
    }
    ended
}

/// Polls every request that is ready to make progress, and collects the finished ones.
fn take<F: Future<Output = Ended>>(
    in_flight: &mut FuturesUnordered<F>,
    ended: &mut Vec<Ended>,
    context: &mut Context<'_>,
) {
    // This task waits for many requests: with Tokio's budget for a task, the last of them could starve.
    let all = unconstrained(async {
        while let Some(one) = in_flight.next().await {
            ended.push(one);
        }
    });
    let _ = pin!(all).poll(context);
}
