//! `wasi:clocks/monotonic-clock`, where a node waits for a time.
//!
//! An instance that only describes itself has a fixed clock. Its waits finish at once: a real wait would reveal how
//! fast the machine is, and a description must depend only on the node's bytes.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::clocks::WasiClocksView as _;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock::Host as _;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

use super::state::State;

/// The name in wasmtime-wasi. A component built with another 0.2 version finds it too.
const INTERFACE: &str = "wasi:clocks/monotonic-clock@0.2.12";

type Wait = wasmtime::Result<Resource<DynPollable>>;

/// Replaces wasmtime-wasi's functions, which the linker must have already.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut clock = linker.instance(INTERFACE)?;
    clock.func_wrap(
        "subscribe-instant",
        |mut store: StoreContextMut<'_, State>, (when,): (u64,)| {
            wait(store.data_mut(), |state| state.clocks().subscribe_instant(when))
        },
    )?;
    clock.func_wrap(
        "subscribe-duration",
        |mut store: StoreContextMut<'_, State>, (duration,): (u64,)| {
            wait(store.data_mut(), |state| {
                state.clocks().subscribe_duration(duration)
            })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// A wait that is over.
struct Over;

#[async_trait::async_trait]
impl Pollable for Over {
    async fn ready(&mut self) {}
}

/// Begins a wait, or one that is over if the instance only describes itself.
fn wait(
    state: &mut State,
    begin: impl FnOnce(&mut State) -> Wait,
) -> wasmtime::Result<(Resource<DynPollable>,)> {
    let wait = if state.only_describes() {
        over(state)
    } else {
        begin(state)
    };
    Ok((wait?,))
}

fn over(state: &mut State) -> Wait {
    let over = state.table.push(Over)?;
    subscribe(&mut state.table, over)
}
