//! The data of an instance's store: what the host keeps for one instance.

mod hooks;
mod remaining;

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmtime_wasi_io::IoView;

use super::clock_and_rng::Staged;
use super::in_flight::InFlight;
use super::patience::Patience;
use super::printed::Printed;
use super::share::Account;
use crate::gate::pipeline::{Keep, Pipeline};

pub(super) use hooks::Hooks;
pub(super) use remaining::RemainingResources;

/// The data of an instance's store.
pub(crate) struct State {
    pub(super) table: ResourceTable,
    pub(super) wasi: WasiCtx,
    /// The clock and the randomness in `wasi`, if they are virtual.
    pub(super) staged: Option<Staged>,
    pub(super) http: WasiHttpCtx,
    pub(super) hooks: Hooks,
    /// Without a pipeline every request is denied.
    pub(super) pipeline: Option<Arc<Pipeline>>,
    /// The CPU time of all calls of the runner.
    pub(super) account: Option<Arc<Account>>,
    pub(super) remaining: RemainingResources,
    pub(super) in_flight: InFlight,
    pub(super) printed: Printed,
    /// Set while the instance moves files by streams.
    pub(super) streams: Option<Streams>,
}

/// A call that moves files by streams.
pub(super) struct Streams {
    /// It moves with each piece of a file.
    pub(super) patience: Arc<Patience>,
    /// Whether files come out: then the body of a response may be one.
    pub(super) gives_files: bool,
}

impl State {
    /// The requests without a response.
    pub(crate) fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// Whether the instance only describes itself.
    pub(super) fn only_describes(&self) -> bool {
        self.pipeline.is_none()
    }

    /// What becomes of the bodies of responses.
    pub(super) fn keep(&self) -> Keep {
        match &self.streams {
            Some(streams) if streams.gives_files => Keep::Perhaps,
            _ => Keep::No,
        }
    }

    /// The pipeline for the instance's requests.
    pub(crate) fn pipeline(&self) -> Option<Arc<Pipeline>> {
        self.pipeline.clone()
    }
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
