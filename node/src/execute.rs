//! One call: its items become requests, their answers results, in the items' order.
//!
//! Items overlap as far as `in-flight` says, inside this one instance. Nothing is tried again here: what may be, the host
//! knows from effect, failure and certainty.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;

use crate::answer;
use crate::base_url::BaseUrl;
use crate::bindings::exports::workflow::node::execution::{Call, ItemResult, OnFailure};
use crate::bindings::exports::workflow::node::types::{Access, Failure, Output as OutputItem};
use crate::http::Transport;
use crate::operations::{self, LIMIT_NAME, RETURN_ALL_NAME};
use crate::table::Output;
use crate::table::parameter::Scalar;
use crate::table::plan::Plan;
use crate::table::request::request;
use crate::table::validate::validate;
use crate::table::value::{Field, Value, find};

/// More requests than this at once help nobody, and each costs memory.
const MAX_IN_FLIGHT: u32 = 1_024;
/// A service that still finds rows after so many pages does not turn them: a million rows are a mistake.
const MAX_PAGES: u32 = 10_000;

/// Run a call. The failure of the whole means that the call could not be read.
pub async fn execute<T: Transport>(transport: &T, call: Call) -> Result<Vec<ItemResult>, Failure> {
    let operation = operations::find(&call.group, &call.operation)?;
    let base = BaseUrl::parse(&call.service.base_url)
        .map_err(|why| Failure::InvalidInput(format!("base URL: {why}")))?;
    let run = Run {
        transport,
        plan: &Plan::new(operation),
        base: &base,
        access: call.service.access.as_ref(),
    };
    let stops = matches!(call.on_failure, OnFailure::Stop);
    let is_stopped = Cell::new(false);
    let mut results: Vec<ItemResult> = call.items.iter().map(|_| Err(Failure::NotRun)).collect();
    let started = call.items.iter().zip(&mut results).map(async |(item, result)| {
        // Asked when the item would start, not when it was queued: a failure in between stops it.
        if !is_stopped.get() {
            *result = run.item(&item.parameters).await;
            is_stopped.set(is_stopped.get() || stops && result.is_err());
        }
    });
    let in_flight = call.in_flight.clamp(1, MAX_IN_FLIGHT) as usize;
    overlap(started, in_flight).await;
    Ok(results)
}

/// All of them, so many at a time, begun in their order. All that have begun are polled together, which costs less here than
/// to be told by a waker which of them can go on.
async fn overlap(mut all: impl Iterator<Item: Future<Output = ()>>, most: usize) {
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

struct Run<'a, T> {
    transport: &'a T,
    plan: &'a Plan,
    base: &'a BaseUrl,
    access: Option<&'a Access>,
}

impl<T: Transport> Run<'_, T> {
    async fn item(&self, item: &str) -> ItemResult {
        let fields = validate(self.plan, item)?;
        match self.plan.operation.output {
            Output::Pages(list)
                if find(&fields, RETURN_ALL_NAME).is_some_and(|all| all.is(Scalar::Bool(true))) =>
            {
                self.pages(&fields, list).await
            }
            _ => Ok(vec![OutputItem {
                json: answer::item(self.exchange(&fields, None).await?),
            }]),
        }
    }

    /// Every page, one output item per row. A page with fewer rows than asked for is not the last: a server may cap the
    /// size. The last one is empty, repeats the one before, or reaches the limit.
    async fn pages(&self, fields: &[Field<'_>], list: &str) -> ItemResult {
        let limit = match find(fields, LIMIT_NAME) {
            // A limit too long for a number is none.
            Some(Value::Literal(limit)) => limit.parse().unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        let mut items: Vec<String> = Vec::new();
        let mut before = 0..0;
        for page in 1..=MAX_PAGES {
            let document = self.exchange(fields, Some(page)).await?;
            let rows = answer::rows(&document, list)?;
            let is_repeated = items.get(before).is_some_and(|before| before == rows);
            if rows.is_empty() || is_repeated {
                return Ok(finish(items, limit));
            }
            before = items.len()..items.len() + rows.len();
            items.extend(rows.into_iter().map(str::to_owned));
            if items.len() >= limit {
                return Ok(finish(items, limit));
            }
        }
        Err(Failure::Limit(format!(
            "`{RETURN_ALL_NAME}`: more than {MAX_PAGES} pages, and still rows on the last one"
        )))
    }

    async fn exchange(&self, fields: &[Field<'_>], page: Option<u32>) -> Result<String, Failure> {
        let request = request(self.plan, fields, page, self.access, self.transport);
        let outcome = self.transport.send(self.base, request).await;
        answer::read(outcome, self.base, self.transport)
    }
}

/// The rows as items: an item is an object, so that a row that is none stands under `data`, as a bare answer does.
fn finish(mut rows: Vec<String>, limit: usize) -> Vec<OutputItem> {
    rows.truncate(limit);
    rows.into_iter()
        .map(|row| OutputItem {
            json: answer::item(row),
        })
        .collect()
}
