//! The interface `files-by-streams`. Wasmtime's macro would give its bodies the type of wasmtime-wasi-http, in whose place the
//! host has [one of its own](Body).

use wasmtime::Store;
use wasmtime::component::{ComponentType, Func, Lift, Lower, Resource};
use wasmtime_wasi_io::streams::DynInputStream;

use super::incoming::Body;
use crate::runtime::bindings::{execution, types};
use crate::runtime::state::State;

/// One item of an operation.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Call<'a> {
    pub(crate) group: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) parameters: &'a str,
    pub(crate) files: Vec<File<'a>>,
    #[component(name = "in-flight")]
    pub(crate) in_flight: u32,
    pub(crate) service: execution::Service<'a>,
}

/// A file that goes with the item.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct File<'a> {
    pub(crate) key: &'a str,
    #[component(name = "file-name")]
    pub(crate) name: Option<&'a str>,
    #[component(name = "media-type")]
    pub(crate) media_type: Option<&'a str>,
    pub(crate) size: Option<u64>,
    pub(crate) content: Content,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum Content {
    #[component(name = "bytes")]
    #[expect(dead_code, reason = "this host has streams")]
    Bytes(Vec<u8>),
    #[component(name = "streamed")]
    Streamed(Resource<DynInputStream>),
}

/// What comes out, with its files.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Output {
    pub(crate) json: String,
    pub(crate) files: Vec<Given>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Given {
    pub(crate) key: String,
    #[component(name = "file-name")]
    pub(crate) name: Option<String>,
    #[component(name = "media-type")]
    pub(crate) media_type: Option<String>,
    pub(crate) content: GivenContent,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum GivenContent {
    #[component(name = "bytes")]
    Bytes(Vec<u8>),
    #[component(name = "body")]
    Body(Resource<Body>),
}

/// Calls `transfer`.
pub(crate) async fn transfer(
    store: &mut Store<State>,
    function: &Func,
    call: Call<'_>,
) -> wasmtime::Result<Result<Vec<Output>, types::Failure>> {
    let transfer = function.typed::<(Call<'_>,), (Result<Vec<Output>, types::Failure>,)>(&*store)?;
    let (result,) = transfer.call_async(store, (call,)).await?;
    Ok(result)
}
