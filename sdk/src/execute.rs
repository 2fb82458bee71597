//! One call: its items become requests, their answers results, in the items' order.
//!
//! Items overlap as far as `in-flight` says, inside this one instance. Nothing is tried again here: what may be, the host
//! knows from effect, failure and certainty.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;

use crate::bindings::exports::workflow::node::execution::{Call, ItemResult, OnFailure};
use crate::bindings::exports::workflow::node::types::Failure;
use crate::client::Client;
use crate::item::Item;
use crate::table::Service;
use crate::table::plan::Plan;
use crate::table::validate::validate;
use crate::transport::Requests;

/// More requests than this at once help nobody, and each costs memory.
const MAX_IN_FLIGHT: u32 = 1_024;

/// Run a call; its only item goes on behind rows that it gave before, if there is a cursor. The failure of the whole means that the call could not be read.
pub(crate) async fn execute(
    service: &'static Service,
    requests: &Requests,
    call: Call,
    behind: Option<String>,
) -> Result<Vec<ItemResult>, Failure> {
    let operation = service.operation(&call.group, &call.operation)?;
    #[cfg(feature = "files")]
    if operation.moves_files() && requests.is_plain() {
        return Err(Failure::InvalidInput(
            "the operation moves files: call `files-by-streams` or `files-by-turns`".to_owned(),
        ));
    }
    #[cfg_attr(
        not(feature = "origins"),
        expect(unused_mut, reason = "nothing goes elsewhere")
    )]
    let mut client = Client::of(requests, service, &call.service)?;
    #[cfg(feature = "origins")]
    if let Some((origin, go_to)) = operation.request.elsewhere {
        go_to(&mut client, origin)?;
    }
    let plan = Plan::new(operation);
    let stops = matches!(call.on_failure, OnFailure::Stop);
    let is_stopped = Cell::new(false);
    let mut results: Vec<ItemResult> = call.items.iter().map(|_| Err(Failure::NotRun)).collect();
    let behind = behind.as_deref();
    let started = (0..)
        .zip(&call.items)
        .zip(&mut results)
        .map(async |((index, item), result)| {
            // Asked when the item would start, not when it was queued: a failure in between stops it.
            if !is_stopped.get() {
                *result = run(&client, &plan, &item.parameters, index, behind).await;
                is_stopped.set(is_stopped.get() || stops && result.is_err());
            }
        });
    let in_flight = call.in_flight.clamp(1, MAX_IN_FLIGHT) as usize;
    requests.spare.set(in_flight.saturating_sub(call.items.len()));
    overlap(started, in_flight).await;
    Ok(results)
}

async fn run(
    client: &Client<'_>,
    plan: &Plan,
    parameters: &str,
    index: u32,
    behind: Option<&str>,
) -> ItemResult {
    let fields = validate(plan, parameters)?;
    let item = Item {
        client,
        plan,
        fields,
        index,
        behind,
    };
    #[cfg(feature = "files")]
    item.refuse_missing_files()?;
    let outputs = match plan.operation.output.run {
        Some(run) => run(&item).await,
        None => item.answer().await,
    }?;
    Ok(client.requests.with_emitted(index, outputs))
}

/// All of them, so many at a time, begun in their order. All that have begun are polled together, which costs less here than
/// to be told by a waker which of them can go on.
pub(crate) async fn overlap(mut all: impl Iterator<Item: Future<Output = ()>>, most: usize) {
    let mut begun: Vec<_> = all.by_ref().take(most).map(Box::pin).collect();
    poll_fn(|context| {
        let mut place = 0;
        while let Some(one) = begun.get_mut(place) {
            if one.as_mut().poll(context).is_pending() {
                place += 1;
            } else if let Some(next) = all.next() {
                one.set(next);
            } else {
                begun.swap_remove(place);
            }
        }
        if begun.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
