//! The requests of an instance that have no answer yet, and what the node holds of each.
//!
//! They are carried out where the node waits: in the task of its call, without one of their own. So an answer wakes one task
//! and not two, what is ready together is seen together, and a call that is dropped takes its requests along.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::StreamExt as _;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::FuturesUnordered;
use tokio::task::coop::unconstrained;
use wasmtime_wasi_http::Error as HttpError;
use wasmtime_wasi_io::poll::Pollable;

use super::Whole;

type Outcome = Result<Whole, HttpError>;

/// The requests of one instance.
#[derive(Default)]
pub(crate) struct UnderWay(FuturesUnordered<Abortable<Carried>>);

type Carried = Pin<Box<dyn Future<Output = ()> + Send>>;

impl UnderWay {
    /// Take in a request that has not begun.
    pub(super) fn begin(&mut self, exchange: impl Future<Output = Outcome> + Send + 'static) -> Awaited {
        let answer = Arc::new(Mutex::new(Answer::Pending));
        let (abort, registration) = AbortHandle::new_pair();
        let place = Arc::clone(&answer);
        let carried: Carried = Box::pin(async move {
            let outcome = exchange.await;
            *lock(&place) = Answer::Ready(outcome);
        });
        self.0.push(Abortable::new(carried, registration));
        Awaited {
            answer,
            abort: Some(abort),
        }
    }

    /// Go on with every request that can go on.
    ///
    /// Whoever waits for one calls this whenever it is polled, and looks at [`Pollable::ready`] afterwards.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) {
        // Each is one of many things that this task waits for: a budget for one would let the last of them go hungry.
        let all = unconstrained(async { while self.0.next().await.is_some() {} });
        let _ = pin!(all).poll(context);
    }

    /// As [`UnderWay::drive`], for one who does not wait.
    pub(super) fn nudge(&mut self) {
        self.drive(&mut Context::from_waker(Waker::noop()));
    }

    /// Whether nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
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

fn lock(answer: &Mutex<Answer>) -> MutexGuard<'_, Answer> {
    answer.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Wakes nobody: see [`UnderWay::drive`].
    async fn ready(&mut self) {
        std::future::poll_fn(|_| {
            if self.is_pending() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }
}
