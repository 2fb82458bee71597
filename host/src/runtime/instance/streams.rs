//! Runs an item of an operation that moves files by WASI's streams: the instance reads files and writes them into bodies, and
//! gives bodies out.

use std::collections::HashMap;
use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::Func;

use super::Transferred;
use crate::gate::file::InputFile;
use crate::gate::pipeline::KeptBody;
use crate::runtime::bindings::files_by_turns as by_turns;
use crate::runtime::bindings::types::Failure;
use crate::runtime::http::file;
use crate::runtime::http::incoming::Body;
use crate::runtime::http::transfer::{self as contract, GivenContent};
use crate::runtime::patience::Patience;
use crate::runtime::state::{State, Streams};

/// Runs an item to its result. Files come out only if it `gives_files`.
pub(super) async fn execute(
    store: &mut Store<State>,
    transfer: &Func,
    call: by_turns::Call<'_>,
    gives_files: bool,
    files: &[InputFile],
    patience: &Arc<Patience>,
) -> wasmtime::Result<Result<Transferred, Failure>> {
    let state = store.data_mut();
    state.streams = Some(Streams {
        patience: Arc::clone(patience),
        gives_files,
    });
    let Some(pipeline) = state.pipeline() else {
        wasmtime::bail!("an instance that only describes itself gets no files");
    };
    let mut streamed = Vec::with_capacity(files.len());
    for (about, file) in call.files.iter().zip(files) {
        let stream = file::stream(file, &pipeline, patience);
        streamed.push(contract::File {
            key: about.key,
            name: about.file_name,
            media_type: about.media_type,
            size: about.size,
            content: contract::Content::Streamed(state.table.push(stream)?),
        });
    }
    let call = contract::Call {
        group: call.group,
        operation: call.operation,
        parameters: call.parameters,
        files: streamed,
        in_flight: call.in_flight,
        service: call.service,
    };
    let outputs = contract::transfer(store, transfer, call).await?;
    store.data_mut().streams = None;
    Ok(match outputs {
        Ok(outputs) => Ok(transferred(store.data_mut(), outputs)?),
        Err(failure) => Err(failure),
    })
}

/// What came out, with bodies in the place of the node's handles.
fn transferred(state: &mut State, outputs: Vec<contract::Output>) -> wasmtime::Result<Transferred> {
    let mut kept: HashMap<u32, KeptBody> = HashMap::new();
    let mut given = |given: contract::Given| -> wasmtime::Result<by_turns::Given> {
        Ok(by_turns::Given {
            key: given.key,
            file_name: given.name,
            media_type: given.media_type,
            content: match given.content {
                GivenContent::Bytes(bytes) => by_turns::Content::Bytes(bytes),
                GivenContent::Body(body) => {
                    let id = u32::try_from(kept.len())?;
                    kept.insert(id, Body::give(state, body)?);
                    by_turns::Content::Kept(id)
                }
            },
        })
    };
    let outputs = outputs.into_iter().map(|output| {
        let files: wasmtime::Result<Vec<_>> = output.files.into_iter().map(&mut given).collect();
        Ok(by_turns::Output {
            json: output.json,
            files: files?,
        })
    });
    let outputs = outputs.collect::<wasmtime::Result<Vec<_>>>()?;
    Ok(Transferred { outputs, kept })
}
