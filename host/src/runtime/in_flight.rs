//! The requests of an instance that have no response yet, and the handles that the node has to them.
//!
//! They run in the task of the node's call, without tasks of their own. A response thus wakes one task instead of two,
//! responses that are ready together are seen together, and dropping a call drops its requests. They are polled beside
//! the call, on the task's own stack, so the instance's stack need not grow for them.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::task::coop::unconstrained;
use wasmtime_wasi_http::Error as HttpError;
use wasmtime_wasi_io::poll::Pollable;

use crate::gate::pipeline::BufferedResponse;

type Outcome = Result<BufferedResponse, HttpError>;

/// The requests of one instance; its clones are the same.
#[derive(Clone, Default)]
pub(crate) struct InFlight(Arc<Mutex<Requests>>);

#[derive(Default)]
struct Requests {
    all: FuturesUnordered<Abortable<Carried>>,
    /// Whether one was taken in that has not begun.
    has_new: bool,
}

type Carried = Pin<Box<dyn Future<Output = ()> + Send>>;

impl InFlight {
    /// Take in a request. It begins when the node waits, or has had its turn.
    pub(super) fn begin(&self, exchange: impl Future<Output = Outcome> + Send + 'static) -> Awaited {
        let answer = Arc::new(Mutex::new(Answer::Pending));
        let (abort, registration) = AbortHandle::new_pair();
        let place = Arc::clone(&answer);
        // Not as an async block, which would have room for the exchange twice.
        let carried: Carried = Box::pin(exchange.map(move |outcome| *lock(&place) = Answer::Ready(outcome)));
        let mut requests = lock(&self.0);
        requests.all.push(Abortable::new(carried, registration));
        requests.has_new = true;
        Awaited {
            answer,
            abort: Some(abort),
        }
    }

    /// Runs a call of the instance, with its requests going on whenever it waits.
    ///
    /// Each poll of this polls the call once, whatever the call does: a node whose requests end as soon as they begin, since
    /// they are denied or dropped, would never let go of its thread otherwise, and its deadline would never be looked at.
    pub(crate) async fn beside<T>(&self, mut call: Pin<&mut impl Future<Output = T>>) -> T {
        poll_fn(|context| {
            self.drive(context);
            if let Poll::Ready(result) = call.as_mut().poll(context) {
                return Poll::Ready(result);
            }
            // What it asked for meanwhile leaves now. Only an answer to that is news for it.
            let is_new = std::mem::take(&mut lock(&self.0).has_new);
            if is_new && self.drive(context) {
                context.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
    }

    /// Go on with every request that can go on; whether one ended.
    fn drive(&self, context: &mut Context<'_>) -> bool {
        let mut has_ended = false;
        let all = &mut lock(&self.0).all;
        // Each is one of many things that this task waits for: a budget for one would let the last of them go hungry.
        let ended = unconstrained(async {
            while all.next().await.is_some() {
                has_ended = true;
            }
        });
        let _ = pin!(ended).poll(context);
        has_ended
    }

    /// Whether nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).all.is_empty()
    }
}

enum Answer {
    Pending,
    Ready(Outcome),
    /// The node has taken it.
    Gone,
}

/// What the node holds of a request: `future-incoming-response`. The request ends with it.
pub(crate) struct Awaited {
    answer: Arc<Mutex<Answer>>,
    /// Absent where nothing is under way.
    abort: Option<AbortHandle>,
}

impl Awaited {
    /// A request that is answered already.
    pub(super) fn answered(outcome: Outcome) -> Self {
        Self {
            answer: Arc::new(Mutex::new(Answer::Ready(outcome))),
            abort: None,
        }
    }

    pub(super) fn is_pending(&self) -> bool {
        matches!(*lock(&self.answer), Answer::Pending)
    }

    /// `None` as long as there is no answer; `Err` when it was taken before.
    pub(super) fn take(&self) -> Option<Result<Outcome, ()>> {
        let mut answer = lock(&self.answer);
        match *answer {
            Answer::Pending => None,
            Answer::Gone => Some(Err(())),
            Answer::Ready(_) => match std::mem::replace(&mut *answer, Answer::Gone) {
                Answer::Ready(outcome) => Some(Ok(outcome)),
                _ => Some(Err(())),
            },
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Awaited {
    fn drop(&mut self) {
        if let Some(abort) = &self.abort {
            abort.abort();
        }
    }
}

#[async_trait::async_trait]
impl Pollable for Awaited {
    /// Wakes nobody: the call is looked after when its requests are, see [`InFlight::beside`].
    async fn ready(&mut self) {
        poll_fn(|_| {
            if self.is_pending() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }
}
