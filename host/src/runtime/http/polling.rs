//! `wasi:io/poll`, where a node waits.
//!
//! Each call of `poll` costs in proportion to the number of pollables, not of ready ones. With 64 requests in flight
//! and a wake-up for each response, this took a fifth of all time. So an instance that waits for many pollables first
//! yields to the other tasks of its thread; meanwhile many pollables become ready.

use tokio::task::yield_now;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_io::IoView as _;
use wasmtime_wasi_io::bindings::wasi::io::poll::{Host as _, HostPollable as _};
use wasmtime_wasi_io::poll::DynPollable;

use super::resource::Store;
use crate::runtime::state::State;

/// The name in wasmtime-wasi-io. A component built with another 0.2 version finds it too.
const INTERFACE: &str = "wasi:io/poll@0.2.12";
/// Fewer pollables are cheap, and yielding would only add latency.
const MANY: usize = 8;

/// Replaces wasmtime-wasi-io's functions, which the linker must have already.
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
                // A node that asks repeatedly without waiting has to get its responses too.
                yield_now().await;
                Ok((store.data_mut().table().ready(pollable).await?,))
            })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}
