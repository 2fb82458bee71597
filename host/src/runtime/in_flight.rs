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

/// The requests of one instance. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct InFlight(Arc<Mutex<Requests>>);

#[derive(Default)]
struct Requests {
    all: FuturesUnordered<Abortable<Carried>>,
    /// Whether a request was added that has not started.
    has_new: bool,
}

type Carried = Pin<Box<dyn Future<Output = ()> + Send>>;

impl InFlight {
    /// Adds a request. It starts when the node waits or its poll returns.
    pub(super) fn begin(&self, exchange: impl Future<Output = Outcome> + Send + 'static) -> Awaited {
        let answer = Arc::new(Mutex::new(Answer::Pending));
        let (abort, registration) = AbortHandle::new_pair();
        let place = Arc::clone(&answer);
        // An async block would reserve memory for the exchange twice.
        let carried: Carried = Box::pin(exchange.map(move |outcome| *lock(&place) = Answer::Ready(outcome)));
        let mut requests = lock(&self.0);
        requests.all.push(Abortable::new(carried, registration));
        requests.has_new = true;
        Awaited {
            answer,
            abort: Some(abort),
        }
    }

    /// Runs a call of the instance, and its requests whenever the call waits.
    ///
    /// Each poll of this future polls the call exactly once. If a node's requests finish at once, because they are
    /// denied or dropped, polling it again would keep the thread busy and never check the deadline.
    pub(crate) async fn beside<T>(&self, mut call: Pin<&mut impl Future<Output = T>>) -> T {
        poll_fn(|context| {
            self.drive(context);
            if let Poll::Ready(result) = call.as_mut().poll(context) {
                return Poll::Ready(result);
            }
            // Requests that the call has just added start now. Only their responses can be news for it.
            let is_new = std::mem::take(&mut lock(&self.0).has_new);
            if is_new && self.drive(context) {
                context.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
    }

    /// Polls every request that is ready to make progress. Returns whether one finished.
    fn drive(&self, context: &mut Context<'_>) -> bool {
        let mut has_ended = false;
        let all = &mut lock(&self.0).all;
        // This task waits for many requests: with Tokio's budget for a task, the last of them could starve.
        let ended = unconstrained(async {
            while all.next().await.is_some() {
                has_ended = true;
            }
        });
        let _ = pin!(ended).poll(context);
        has_ended
    }

    /// Whether no request is in flight.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).all.is_empty()
    }
}

enum Answer {
    Pending,
    Ready(Outcome),
    /// The node has taken the response.
    Gone,
}

/// The node's handle of a request: `future-incoming-response`. Dropping it cancels the request.
pub(crate) struct Awaited {
    answer: Arc<Mutex<Answer>>,
    /// `None` if the request finished at once.
    abort: Option<AbortHandle>,
}

impl Awaited {
    /// A request that has finished already.
    pub(super) fn answered(outcome: Outcome) -> Self {
        Self {
            answer: Arc::new(Mutex::new(Answer::Ready(outcome))),
            abort: None,
        }
    }

    pub(super) fn is_pending(&self) -> bool {
        matches!(*lock(&self.answer), Answer::Pending)
    }

    /// `None` while there is no response; `Some(Err)` if it was taken before.
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
    /// Registers no waker: [`InFlight::beside`] polls the call whenever its requests make progress.
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
