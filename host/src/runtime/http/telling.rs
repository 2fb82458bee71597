//! `fields.from-list`, by which a node tells its operator something (`wit/world.wit`).
//!
//! A text has to leave a node before it traps, and the contract's world has no import for texts. So a list of one header that
//! is called `nodule-log` or `nodule-panic` is no list of headers: its value is shown as what the node [printed](crate::runtime::printed)
//! is, and the node gets empty fields.

use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::bindings::http::types::{Host as _, HostFields as _};
use wasmtime_wasi_http::{FieldMap, WasiHttpView as _};

use super::resource::Store;
use crate::runtime::printed::Stream;
use crate::runtime::state::State;

/// The name in wasmtime-wasi-http. A component built with another 0.2 version finds it too.
const TYPES: &str = "wasi:http/types@0.2.12";

/// Replaces wasmtime-wasi-http's function, which the linker must have already.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.instance(TYPES)?.func_wrap(
        "[static]fields.from-list",
        |mut store: Store<'_>, (mut headers,): (Vec<(String, Vec<u8>)>,)| {
            let state = store.data_mut();
            if let [(name, text)] = &*headers
                && let Some(stream) = told(name)
            {
                state.printed.tell(stream, text);
                headers.clear();
            }
            let mut http = state.http();
            let fields: Result<Resource<FieldMap>, _> = http.from_list(headers);
            Ok((match fields {
                Ok(fields) => Ok(fields),
                Err(error) => Err(http.convert_header_error(error)?),
            },))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

fn told(header: &str) -> Option<Stream> {
    match header {
        "nodule-log" => Some(Stream::Log),
        "nodule-panic" => Some(Stream::Panic),
        _ => None,
    }
}
