//! `wasi:io/poll`, where a node waits.
//!
//! Each call of `poll` costs in proportion to what is waited for, and not to what is ready. With sixty-four requests under way
//! and an instance that is woken by each answer by itself, that was a fifth of all time. So an instance that waits for many
//! things lets the other tasks of its thread go first: by its turn, many of them are ready.

use tokio::task::yield_now;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_io::IoView as _;
use wasmtime_wasi_io::bindings::wasi::io::poll::{Host as _, HostPollable as _};
use wasmtime_wasi_io::poll::DynPollable;

use super::resource::Store;
use crate::runtime::state::State;

/// As wasmtime-wasi-io names it; a component that was built with another 0.2 finds it too.
const INTERFACE: &str = "wasi:io/poll@0.2.12";
/// Waiting for fewer is cheap, and the wait for their turn would be what is felt.
const MANY: usize = 8;

/// Put it in the place of wasmtime-wasi-io's, which the linker has already.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut poll = linker.instance(INTERFACE)?;
    poll.func_wrap_async(
        "poll",
        |mut store: Store<'_>, (pollables,): (Vec<Resource<DynPollable>>,)| {
            Box::new(async move {
                if pollables.len() >= MANY {
                    yield_now().await;
                }
                Ok((store.data_mut().table().poll(pollables).await?,))
            })
        },
    )?;
    poll.func_wrap_async(
        "[method]pollable.ready",
        |mut store: Store<'_>, (pollable,): (Resource<DynPollable>,)| {
            Box::new(async move {
                // A node that asks again and again, and never waits, gets its answers too.
                yield_now().await;
                Ok((store.data_mut().table().ready(pollable).await?,))
            })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}
