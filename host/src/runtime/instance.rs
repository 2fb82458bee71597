//! One instance of a node: its imports, its limits, and how a call on it finishes.
//!
//! An instance lives for one run at most. It has a clock, a source of randomness, outgoing HTTP through the
//! [pipeline](crate::gate::pipeline), and nothing else.

mod ask;
mod files;
mod sign;
mod streams;
mod turns;

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wasmtime::component::ResourceTable;
use wasmtime::{Store, Trap};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::WasiHttpCtx;

use crate::events;
use crate::gate::file::InputFile;
use crate::gate::pipeline::Pipeline;
use crate::runtime::bindings::{
    Executing, NodePre, authentication, description, execution, files_by_turns, turns as turns_of_contract,
    types,
};
use crate::runtime::clock_and_rng::ClockAndRng;
use crate::runtime::engine::Engine;
use crate::runtime::in_flight::InFlight;
use crate::runtime::patience::Patience;
use crate::runtime::printed::Printed;
use crate::runtime::reached_limit::ReachedLimit;
use crate::runtime::rows::Rows;
use crate::runtime::share::{self, Account};
use crate::runtime::state::{Hooks, RemainingResources, State};
pub(crate) use files::Transferred;
use nodule_core::failure::Failure;
use nodule_core::limits::Limits;

/// Why a call returned no result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stop {
    /// The node trapped or gave up.
    Trap(String),
    /// The node reached a limit; says which.
    Limit(String),
    /// The host ended the call, because a request of it could not be signed.
    Cut(Box<Failure>),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Trap(reason) => write!(f, "the node stopped: {reason}"),
            Stop::Limit(limit) => f.write_str(limit),
            Stop::Cut(failure) => failure.fmt(f),
        }
    }
}

/// What bounds a call.
struct Bounds {
    patience: Arc<Patience>,
    /// The number of items in the call.
    items: u32,
    pipeline: Option<Arc<Pipeline>>,
    account: Option<Arc<Account>>,
    in_flight: InFlight,
}

/// A store for one call at a time, and the call's timeout.
pub(crate) struct InstanceStore {
    store: Store<State>,
    /// The instance; `None` before the first call.
    node: Option<Executing>,
    run_timeout: Duration,
}

impl InstanceStore {
    /// An instance that may send requests through this pipeline.
    pub(crate) fn new(
        engine: &Engine,
        account: &Arc<Account>,
        pipeline: Arc<Pipeline>,
        clock_and_rng: ClockAndRng,
    ) -> Self {
        let limits = pipeline.limits().clone();
        let account = Arc::clone(account);
        Self::build(engine, &limits, Some(pipeline), Some(account), clock_and_rng)
    }

    /// An instance that only describes itself: all its requests are denied, and its waits finish at once.
    pub(crate) fn offline(engine: &Engine, limits: &Limits, clock_and_rng: ClockAndRng) -> Self {
        Self::build(engine, limits, None, None, clock_and_rng)
    }

    fn build(
        engine: &Engine,
        limits: &Limits,
        pipeline: Option<Arc<Pipeline>>,
        account: Option<Arc<Account>>,
        clock_and_rng: ClockAndRng,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.host_resources);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(limits.header_bytes.saturating_add(FIELD_OVERHEAD));
        let printed = Printed::default();
        printed.begin(pipeline.clone());
        let (wasi, staged) = clock_and_rng.wasi(&printed);
        let state = State {
            table,
            wasi,
            staged,
            http,
            hooks: Hooks,
            pipeline,
            account,
            remaining: RemainingResources::new(limits),
            in_flight: InFlight::default(),
            printed,
            streams: None,
        };
        let mut store = Store::new(engine.wasmtime(), state);
        store.limiter(|state| &mut state.remaining);
        store.set_hostcall_fuel(limits.output_bytes);
        store.set_max_component_handles(limits.host_resources);
        // At every tick the call yields to the other tasks of its thread. There the deadline is checked, too, and drops
        // the call.
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        Self {
            store,
            node: None,
            run_timeout: limits.run_timeout,
        }
    }

    #[cfg(test)]
    pub(super) fn into_inner(self) -> Store<State> {
        self.store
    }

    /// Prepares the instance for another call, with its own requests, time and randomness.
    fn rebind(&mut self, pipeline: Arc<Pipeline>, clock_and_rng: ClockAndRng) {
        let state = self.store.data_mut();
        match (&state.staged, clock_and_rng) {
            (Some(staged), ClockAndRng::Virtual(moment)) => staged.set(moment),
            (None, ClockAndRng::Real) => {}
            _ => (state.wasi, state.staged) = clock_and_rng.wasi(&state.printed),
        }
        state.printed.begin(Some(Arc::clone(&pipeline)));
        state.pipeline = Some(pipeline);
        self.store.set_epoch_deadline(1);
    }

    /// Whether the call left nothing behind: no request in flight, no half-read response, and memory to spare.
    fn is_clean(&self) -> bool {
        let State {
            table,
            remaining,
            in_flight,
            ..
        } = self.store.data();
        self.node.is_some() && table.is_empty() && in_flight.is_empty() && remaining.has_memory_to_spare()
    }

    fn bounds(&self) -> Bounds {
        let state = self.store.data();
        Bounds {
            patience: Arc::new(Patience::new(self.run_timeout)),
            items: 0,
            pipeline: state.pipeline(),
            account: state.account.clone(),
            in_flight: state.in_flight().clone(),
        }
    }

    /// Calls `describe`.
    pub(crate) async fn describe(&mut self, pre: &NodePre) -> Result<description::Node, Stop> {
        let bounds = self.bounds();
        let store = &mut self.store;
        let result = {
            let call = pin!(async { pre.describing(store).await?.call_describe(store).await });
            bounded(bounds, call).await
        };
        self.settle(result)
    }

    /// Calls `headers` of the interface `turns`.
    pub(crate) async fn looked_at(&mut self, pre: &NodePre) -> Result<Vec<String>, Stop> {
        let bounds = self.bounds();
        let result = {
            let call = pin!(pre.looked_at(&mut self.store));
            bounded(bounds, call).await
        };
        self.settle(result)
    }

    /// Calls `authenticate`.
    pub(crate) async fn authenticate(
        &mut self,
        pre: &NodePre,
        credential: authentication::BoundCredential<'_>,
        renew: Option<&authentication::Session>,
    ) -> Result<Result<authentication::Session, types::Failure>, Stop> {
        let bounds = self.bounds();
        let store = &mut self.store;
        let result = {
            let call = pin!(async {
                let node = pre.authenticating(store).await?;
                node.call_authenticate(store, credential, renew).await
            });
            bounded(bounds, call).await
        };
        self.settle(result)
    }

    /// Calls `execute`, or runs the call by turns and passes on the rows that its items give while they go on. Then
    /// there may be no results: if `rows` end the call.
    pub(crate) async fn execute(
        &mut self,
        pre: &NodePre,
        beginning: turns_of_contract::Beginning<'_>,
        rows: &dyn Rows,
    ) -> Result<Result<Vec<execution::ItemResult>, types::Failure>, Stop> {
        let mut bounds = self.bounds();
        bounds.items = u32::try_from(beginning.call.items.len()).unwrap_or(u32::MAX);
        let Self { store, node, .. } = self;
        // Put back only after a successful call: an instance that trapped, or whose call was dropped, is not used
        // again.
        let instance = node.take();
        let patience = Arc::clone(&bounds.patience);
        let result = {
            let call = pin!(async {
                let instance = match instance {
                    Some(instance) => instance,
                    None => pre.executing(store).await?,
                };
                let answer = match &instance {
                    Executing::Plainly(node) => node.call_execute(store, beginning.call).await?,
                    Executing::ByTurns { node, looked_at } => {
                        Ok(turns::execute(store, node, looked_at, beginning, rows, &patience).await?)
                    }
                    Executing::WithFiles { .. } | Executing::WithStreams(_) => {
                        wasmtime::bail!("the instance moves files")
                    }
                };
                *node = Some(instance);
                Ok(answer)
            });
            bounded(bounds, call).await
        };
        self.settle(result)
    }

    /// Runs an item of an operation that moves files.
    pub(crate) async fn transfer(
        &mut self,
        pre: &NodePre,
        call: files_by_turns::Call<'_>,
        gives_files: bool,
        files: &[InputFile],
    ) -> Result<Result<Transferred, types::Failure>, Stop> {
        let mut bounds = self.bounds();
        bounds.items = 1;
        let Self { store, node, .. } = self;
        // As in `execute`.
        let instance = node.take();
        let patience = Arc::clone(&bounds.patience);
        let result = {
            let call = pin!(async {
                let instance = match instance {
                    Some(instance) => instance,
                    None => pre.moving_files(store).await?,
                };
                let answer = match &instance {
                    Executing::WithFiles {
                        node: guest,
                        looked_at,
                    } => files::execute(store, guest, looked_at, call, files, &patience).await?,
                    Executing::WithStreams(transfer) => {
                        streams::execute(store, transfer, call, gives_files, files, &patience).await?
                    }
                    _ => wasmtime::bail!("the instance moves no files"),
                };
                *node = Some(instance);
                Ok(answer)
            });
            bounded(bounds, call).await
        };
        self.settle(result)
    }

    /// Distinguishes limits from traps.
    fn settle<T>(&self, result: Result<wasmtime::Result<T>, Ended>) -> Result<T, Stop> {
        let words = self.store.data().printed.end();
        let error = match result {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(Ended::Late) => return Err(self.limit(&ReachedLimit::Time(self.run_timeout))),
            Err(Ended::Cut(failure)) => return Err(Stop::Cut(failure)),
        };
        if let Some(reached) = ReachedLimit::of(&error) {
            return Err(self.limit(&reached));
        }
        if let Some(pipeline) = &self.store.data().pipeline {
            events::trap(&pipeline.label);
        }
        Err(Stop::Trap(reason(&error, &words)))
    }

    fn limit(&self, reached: &ReachedLimit) -> Stop {
        let Some(pipeline) = &self.store.data().pipeline else {
            // The limits of a description are constants of the host; a policy has no key for them.
            return Stop::Limit(reached.to_string());
        };
        pipeline.note_limit(reached.key());
        Stop::Limit(format!("{reached} (`{}`)", reached.key()))
    }
}

/// The instances of one run that wait for their next call. An instance is made once and used for many calls, all of the
/// same operation and tenant, and is dropped with the run. The contract says that a node keeps nothing between two
/// calls; whatever it keeps nevertheless stays within its run.
#[derive(Default)]
pub(crate) struct Idle(Mutex<Vec<InstanceStore>>);

impl Idle {
    /// An instance for a call: an idle one if possible, else a new one.
    pub(crate) fn take(
        &self,
        engine: &Engine,
        account: &Arc<Account>,
        pipeline: Arc<Pipeline>,
        clock_and_rng: ClockAndRng,
    ) -> InstanceStore {
        match self.lock().pop() {
            Some(mut guard) => {
                guard.rebind(pipeline, clock_and_rng);
                guard
            }
            None => InstanceStore::new(engine, account, pipeline, clock_and_rng),
        }
    }

    /// Keeps the instance after a successful call, if the call left nothing behind.
    pub(crate) fn put(&self, guard: InstanceStore) {
        if guard.is_clean() {
            self.lock().push(guard);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<InstanceStore>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a call gave up, with what the node said about it.
fn reason(error: &wasmtime::Error, words: &str) -> String {
    let trap = error.downcast_ref::<Trap>().map(ToString::to_string);
    let exit = error
        .downcast_ref::<I32Exit>()
        .map(|I32Exit(status)| format!("it called `exit` with status {status}"));
    let reason = trap.or(exit).unwrap_or_else(|| error.root_cause().to_string());
    if words.is_empty() {
        reason
    } else {
        format!("{reason}; {words}")
    }
}

/// Headers take more memory than their bytes. The pipeline checks the bytes when the request is sent.
const FIELD_OVERHEAD: usize = 64 * 1024;

/// Why the host ended a call.
enum Ended {
    Late,
    Cut(Box<Failure>),
}

/// Runs a call together with its requests. Dropping the future stops the call wherever it is.
async fn bounded<T>(bounds: Bounds, call: Pin<&mut impl Future<Output = T>>) -> Result<T, Ended> {
    let Bounds {
        patience,
        items,
        pipeline,
        account,
        in_flight,
    } = bounds;
    let call = pin!(in_flight.beside(call));
    let call = async {
        match &pipeline {
            Some(pipeline) => {
                let call = pipeline.unless_cut(call).await;
                call.map_err(|failure| Ended::Cut(Box::new(failure)))
            }
            None => Ok(call.await),
        }
    };
    let call = pin!(call);
    tokio::select! {
        biased;
        ended = share::fairly(pipeline.as_deref(), account.as_deref(), items, call) => ended,
        () = patience.over() => Err(Ended::Late),
    }
}
