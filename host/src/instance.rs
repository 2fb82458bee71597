//! One instance of a node: what it is given, what it may use up, and how a call on it ends.
//!
//! An instance lives for one call. It has a clock, a source of randomness, outgoing HTTP through the
//! [pipeline](crate::pipeline), and nothing else.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Store, Trap};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmtime_wasi_io::IoView;

use crate::bindings::{Node, NodePre, authentication, description, execution, types};
use crate::engine::Engine;
use crate::limits::Limits;
use crate::pipeline::{Hooks, Pipeline};

/// Where an instance's time and randomness come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Environs {
    /// The machine's.
    Real,
    /// A clock that stands still and a seeded generator, so that a recorded call can be made again to the byte.
    Virtual(Moment),
}

/// The time and the seed of one recorded call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) clock_ms: u64,
    /// Of the random bytes.
    pub(crate) seed: u64,
}

/// What Wasmtime keeps for an instance.
pub(crate) struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    budget: Budget,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl IoView for State {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.hooks,
        }
    }
}

/// Why a call gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The node did what WebAssembly does not allow, or gave up.
    Trap(String),
    /// The node used up its share; says of what.
    Limit(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Trap(reason) => write!(f, "the node stopped: {reason}"),
            Stop::Limit(limit) => f.write_str(limit),
        }
    }
}

/// A store for one call, and the bounds of that call.
pub(crate) struct Guard {
    store: Store<State>,
    run_timeout: Duration,
}

impl Guard {
    /// An instance that may send requests through this pipeline.
    pub(crate) fn new(engine: &Engine, pipeline: Arc<Pipeline>, environs: Environs) -> Self {
        let limits = pipeline.limits().clone();
        Self::build(engine, &limits, Some(pipeline), environs)
    }

    /// An instance whose every request is denied.
    pub(crate) fn offline(engine: &Engine, limits: &Limits) -> Self {
        Self::build(engine, limits, None, Environs::Real)
    }

    fn build(engine: &Engine, limits: &Limits, pipeline: Option<Arc<Pipeline>>, environs: Environs) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.host_resources);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(limits.header_bytes.saturating_add(FIELD_OVERHEAD));
        let state = State {
            table,
            wasi: wasi(environs),
            http,
            hooks: Hooks::new(pipeline),
            budget: Budget::new(limits),
        };
        let mut store = Store::new(engine.wasmtime(), state);
        store.limiter(|state| &mut state.budget);
        store.set_hostcall_fuel(limits.output_bytes);
        store.set_max_component_handles(limits.host_resources);
        // At every tick the call gives way to the other tasks of its thread; that is also where a deadline is noticed,
        // by dropping the call.
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        Self {
            store,
            run_timeout: limits.run_timeout,
        }
    }

    /// Call `describe`.
    pub(crate) async fn describe(&mut self, pre: &NodePre<State>) -> Result<description::Node, Stop> {
        let store = &mut self.store;
        let result = bounded(self.run_timeout, async {
            let node = instantiate(store, pre).await?;
            node.workflow_node_description().call_describe(store).await
        })
        .await;
        self.settle(result)
    }

    /// Call `authenticate`.
    pub(crate) async fn authenticate(
        &mut self,
        pre: &NodePre<State>,
        credential: &String,
        renew: Option<&authentication::Session>,
    ) -> Result<Result<authentication::Session, types::Failure>, Stop> {
        let store = &mut self.store;
        let result = bounded(self.run_timeout, async {
            let node = instantiate(store, pre).await?;
            node.workflow_node_authentication()
                .call_authenticate(store, credential, renew)
                .await
        })
        .await;
        self.settle(result)
    }

    /// Call `execute`.
    pub(crate) async fn execute(
        &mut self,
        pre: &NodePre<State>,
        call: &execution::Call,
    ) -> Result<Result<Vec<execution::ItemResult>, types::Failure>, Stop> {
        let store = &mut self.store;
        let result = bounded(self.run_timeout, async {
            let node = instantiate(store, pre).await?;
            node.workflow_node_execution().call_execute(store, call).await
        })
        .await;
        self.settle(result)
    }

    /// Tell a limit from a trap.
    fn settle<T>(&self, result: Option<wasmtime::Result<T>>) -> Result<T, Stop> {
        let error = match result {
            Some(Ok(value)) => return Ok(value),
            Some(Err(error)) => error,
            None => {
                let seconds = self.run_timeout.as_secs_f64();
                return Err(Stop::Limit(format!(
                    "the call took longer than {seconds} seconds (`run-timeout-ms`)"
                )));
            }
        };
        if let Some(reached) = &self.store.data().budget.reached {
            return Err(Stop::Limit(reached.clone()));
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => Err(Stop::Limit(
                "the node's calls nest too deep (`stack-bytes`)".into(),
            )),
            Some(trap) => Err(Stop::Trap(trap.to_string())),
            None => Err(Stop::Trap(error.root_cause().to_string())),
        }
    }
}

/// A header takes more memory than its bytes; the byte count itself is checked where the request is sent.
const FIELD_OVERHEAD: usize = 64 * 1024;

async fn instantiate(store: &mut Store<State>, pre: &NodePre<State>) -> wasmtime::Result<Node> {
    pre.instantiate_async(store).await
}

/// `None` when the time was up. Dropping the call there ends it, wherever it is, and drops its requests.
async fn bounded<T>(timeout: Duration, call: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(timeout, call).await.ok()
}

fn wasi(environs: Environs) -> WasiCtx {
    let mut builder = WasiCtx::builder();
    if let Environs::Virtual(moment) = environs {
        let clock = Standing(Duration::from_millis(moment.clock_ms));
        builder
            .wall_clock(clock)
            .monotonic_clock(clock)
            .secure_random(ChaCha20Rng::seed_from_u64(moment.seed))
            .insecure_random(ChaCha20Rng::seed_from_u64(moment.seed))
            .insecure_random_seed(u128::from(moment.seed));
    }
    builder.build()
}

/// A clock that stands still.
#[derive(Clone, Copy)]
struct Standing(Duration);

impl HostWallClock for Standing {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

impl HostMonotonicClock for Standing {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        // It starts at zero with every call, as a clock that only measures spans may.
        0
    }
}

/// What is left of an instance's memory, tables and core instances.
struct Budget {
    memory_limit: usize,
    memory_left: usize,
    tables_limit: usize,
    tables_left: usize,
    instances: usize,
    /// The first limit that was hit, for the message; Wasmtime's own error says only that the call trapped.
    reached: Option<String>,
}

impl Budget {
    fn new(limits: &Limits) -> Self {
        Self {
            memory_limit: limits.memory_bytes,
            memory_left: limits.memory_bytes,
            tables_limit: limits.table_elements,
            tables_left: limits.table_elements,
            instances: limits.instances,
            reached: None,
        }
    }

    fn refuse(&mut self, message: String) -> wasmtime::Error {
        let error = wasmtime::Error::msg(message.clone());
        self.reached.get_or_insert(message);
        error
    }
}

impl ResourceLimiter for Budget {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        // An error traps at once, so that the limit is what is reported, not what the guest makes of a failed growth.
        match self.memory_left.checked_sub(desired.saturating_sub(current)) {
            Some(left) => {
                self.memory_left = left;
                Ok(true)
            }
            None => Err(self.refuse(format!(
                "the node wants more than {} bytes of memory (`memory-bytes`)",
                self.memory_limit
            ))),
        }
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        match self.tables_left.checked_sub(desired.saturating_sub(current)) {
            Some(left) => {
                self.tables_left = left;
                Ok(true)
            }
            None => Err(self.refuse(format!(
                "the node wants more than {} table elements (`table-elements`)",
                self.tables_limit
            ))),
        }
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.instances
    }
}
