//! An item with files, by `files-by-streams`: a file is a stream that is read while the node sends it, and what comes out is the
//! body of an answer, which is read when the node has ended.
//!
//! Wasmtime's macro makes no types of it that can be read from JSON or cloned, as those in `main.rs` are, since they hold handles.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use wasmtime::Result;
use wasmtime::component::{ComponentType, Instance, Lift, Lower, Resource};
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::p2::pipe::AsyncReadStream;
use wasmtime_wasi::p2::{DynInputStream, InputStream as _, Pollable as _, StreamError};
use wasmtime_wasi_http::p2::body::HostIncomingBody;

use crate::exports::workflow::node::execution::Service;
use crate::exports::workflow::node::types::Failure;
use crate::world::World;

/// A call as it is read; files are named by their paths.
#[derive(Deserialize)]
pub struct Transfer {
    group: String,
    operation: String,
    parameters: String,
    files: Vec<Named>,
    in_flight: u32,
    pub service: Service,
}

#[derive(Deserialize)]
struct Named {
    key: String,
    path: PathBuf,
    file_name: Option<String>,
    media_type: Option<String>,
}

/// What comes out.
#[derive(Serialize)]
pub struct Written {
    json: String,
    files: Vec<About>,
}

#[derive(Serialize)]
struct About {
    key: String,
    file_name: Option<String>,
    media_type: Option<String>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct Call {
    group: String,
    operation: String,
    parameters: String,
    files: Vec<File>,
    #[component(name = "in-flight")]
    in_flight: u32,
    service: Service,
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct File {
    key: String,
    #[component(name = "file-name")]
    file_name: Option<String>,
    #[component(name = "media-type")]
    media_type: Option<String>,
    size: Option<u64>,
    content: Content,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
#[expect(dead_code, reason = "this host has streams")]
enum Content {
    #[component(name = "bytes")]
    Bytes(Vec<u8>),
    #[component(name = "streamed")]
    Streamed(Resource<DynInputStream>),
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct Output {
    json: String,
    files: Vec<Given>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct Given {
    key: String,
    #[component(name = "file-name")]
    file_name: Option<String>,
    #[component(name = "media-type")]
    media_type: Option<String>,
    content: GivenContent,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
enum GivenContent {
    #[component(name = "bytes")]
    Bytes(Vec<u8>),
    #[component(name = "body")]
    Body(Resource<HostIncomingBody>),
}

type Store = wasmtime::Store<World>;

/// Runs an item, and writes what comes out to the folder.
pub async fn transfer(
    (mut store, instance): (Store, Instance),
    transfer: Transfer,
    folder: &Path,
) -> Result<Vec<Written>> {
    let mut files = Vec::new();
    for file in transfer.files {
        let opened = tokio::fs::File::open(file.path).await?;
        let size = opened.metadata().await?.len();
        let stream: DynInputStream = Box::new(AsyncReadStream::new(opened));
        files.push(File {
            key: file.key,
            file_name: file.file_name,
            media_type: file.media_type,
            size: Some(size),
            content: Content::Streamed(store.data_mut().ctx().table.push(stream)?),
        });
    }
    let call = Call {
        group: transfer.group,
        operation: transfer.operation,
        parameters: transfer.parameters,
        files,
        in_flight: transfer.in_flight,
        service: transfer.service,
    };
    let interface = instance.get_export_index(&mut store, None, "workflow:node/files-by-streams@0.2.0");
    let function = instance.get_export_index(&mut store, interface.as_ref(), "transfer");
    let function = function.ok_or_else(|| wasmtime::Error::msg("the node moves no files by streams"))?;
    let function =
        instance.get_typed_func::<(Call,), (Result<Vec<Output>, Failure>,)>(&mut store, function)?;
    let (outputs,) = function.call_async(&mut store, (call,)).await?;
    let mut all = Vec::new();
    for output in outputs? {
        let mut files = Vec::new();
        for given in output.files {
            files.push(write(&mut store, given, folder).await?);
        }
        let json = output.json;
        all.push(Written { json, files });
    }
    Ok(all)
}

/// Writes a file that came out. The body owns the connection that its stream reads from.
async fn write(store: &mut Store, given: Given, folder: &Path) -> Result<About> {
    let mut file = tokio::fs::File::create(folder.join(&given.key)).await?;
    match given.content {
        GivenContent::Bytes(bytes) => file.write_all(&bytes).await?,
        GivenContent::Body(body) => {
            let mut body = store.data_mut().ctx().table.delete(body)?;
            let stream = body.take_stream();
            let mut stream = stream.ok_or_else(|| wasmtime::Error::msg("the node has read the body"))?;
            loop {
                stream.ready().await;
                match stream.read(64 * 1024) {
                    Ok(piece) => file.write_all(&piece).await?,
                    Err(StreamError::Closed) => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    file.flush().await?;
    Ok(About {
        key: given.key,
        file_name: given.file_name,
        media_type: given.media_type,
    })
}
