//! Runs an item of an operation that moves files: the instance returns requests that name files, and the host sends their bytes
//! and holds those that arrive.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, Either};
use futures_util::stream::FuturesUnordered;
use http::HeaderName;
use tokio::io::AsyncReadExt as _;
use wasmtime::Store;
use wasmtime_wasi_http::Error as HttpError;

use crate::gate::file::InputFile;
use crate::gate::pipeline::{KeptBody, Pipeline};
use crate::gate::upload::{Piece, Upload};
use crate::runtime::bindings::files_by_turns as contract;
use crate::runtime::bindings::types::{Failure, Field};
use crate::runtime::http::handler::code;
use crate::runtime::http::turn::{self, Turn, TurnResponse, bare};
use crate::runtime::patience::Patience;
use crate::runtime::reached_limit::ReachedLimit;
use crate::runtime::state::State;

/// The most that a node gets of a file at once.
const READ_BYTES: u32 = 1024 * 1024;

/// What an item with files came to.
pub(crate) struct Transferred {
    pub(crate) outputs: Vec<contract::Output>,
    /// The responses whose bodies become files, by the IDs of their requests.
    pub(crate) kept: HashMap<u32, KeptBody>,
}

/// What a node waited for.
enum Ended {
    Response(u32, Result<TurnResponse, HttpError>),
    Read(u32, Result<Vec<u8>, String>),
}

/// Runs an item to its result. `looked_at` are the response headers that the node reads.
pub(super) async fn execute(
    store: &mut Store<State>,
    node: &contract::Guest,
    looked_at: &Arc<[HeaderName]>,
    call: contract::Call<'_>,
    files: &[InputFile],
    patience: &Patience,
) -> wasmtime::Result<Result<Transferred, Failure>> {
    let pipeline = store.data().pipeline();
    let most = pipeline
        .as_ref()
        .map_or(0, |pipeline| pipeline.limits().host_resources);
    let mut in_flight: FuturesUnordered<BoxFuture<'_, Ended>> = FuturesUnordered::new();
    let mut kept = HashMap::new();
    let mut turn = node.call_next(&mut *store, contract::Step::Begin(call)).await?;
    loop {
        let contract::Asked { requests, reads } = match turn {
            contract::Turn::Done(Ok(outputs)) => return Ok(Ok(Transferred { outputs, kept })),
            contract::Turn::Done(Err(failure)) => return Ok(Err(failure)),
            contract::Turn::Waiting(asked) => asked,
        };
        if requests.len() + reads.len() + kept.len() > most.saturating_sub(in_flight.len()) {
            return Err(ReachedLimit::HostResources.into());
        }
        for request in requests {
            kept.remove(&request.id);
            in_flight.push(Box::pin(send(
                pipeline.clone(),
                Arc::clone(looked_at),
                files,
                request,
            )));
        }
        for read in reads {
            in_flight.push(Box::pin(piece(files, read)));
        }
        // Each request has deadlines of its own, which bound how long a file may stand still.
        let Some(ended) = patience.held(in_flight.next()).await else {
            wasmtime::bail!("it waits for an answer, and has asked for nothing");
        };
        let (id, answer) = match ended {
            Ended::Response(id, Ok(mut response)) => {
                let size = response.take_kept().map(|body| {
                    let size = body.size();
                    kept.insert(id, *body);
                    size
                });
                (id, Either::Left(Ok((response, size))))
            }
            Ended::Response(id, Err(error)) => (id, Either::Left(Err(bare(&code(store.data_mut(), error)?)))),
            Ended::Read(id, read) => (id, Either::Right(read)),
        };
        let headers: Vec<&Field> = match &answer {
            Either::Left(Ok((response, _))) => response.headers(),
            _ => Vec::new(),
        };
        let answer = match &answer {
            Either::Left(Ok((response, size))) => contract::Answer::Response(Ok(contract::Response {
                status: response.status(),
                headers: &headers,
                body: match size {
                    Some(size) => contract::Body::Kept(*size),
                    None => contract::Body::Bytes(response.body()),
                },
            })),
            Either::Left(Err(code)) => contract::Answer::Response(Err(*code)),
            Either::Right(Ok(bytes)) => contract::Answer::Bytes(Ok(bytes)),
            Either::Right(Err(why)) => contract::Answer::Bytes(Err(why)),
        };
        let answered = [contract::Answered { id, answer }];
        turn = node
            .call_next(&mut *store, contract::Step::Resume(&answered))
            .await?;
    }
}

async fn send(
    pipeline: Option<Arc<Pipeline>>,
    looked_at: Arc<[HeaderName]>,
    files: &[InputFile],
    request: contract::Request,
) -> Ended {
    let id = request.id;
    // An instance without a pipeline only describes itself.
    let Some(pipeline) = pipeline else {
        return Ended::Response(id, Err(HttpError::HttpRequestDenied));
    };
    let limit = pipeline.limits().file_bytes;
    let body = match request.body.map(|parts| pieces(parts, files)) {
        None => turn::Body::None,
        Some(Ok(pieces)) => match pieces.as_slice() {
            [] => turn::Body::Whole(Vec::new()),
            _ => turn::Body::Upload(Upload::new(pieces, limit)),
        },
        // The item has no such file.
        Some(Err(())) => return Ended::Response(id, Err(HttpError::InternalError(None))),
    };
    let request = turn::Request {
        method: request.method,
        scheme: request.scheme,
        authority: request.authority,
        path_with_query: request.path_with_query,
        headers: request.headers,
        body,
        keep: request.keep,
    };
    let turn = Arc::new(Turn::new(Vec::new(), &looked_at));
    Ended::Response(id, turn::carry_out(pipeline, turn, request).await)
}

fn pieces(parts: Vec<contract::Part>, files: &[InputFile]) -> Result<Vec<Piece>, ()> {
    let piece = |part| match part {
        contract::Part::Bytes(bytes) => Ok(Piece::Bytes(bytes.into())),
        contract::Part::File(contract::Slice { file, offset, length }) => Ok(Piece::File {
            file: find(files, file).ok_or(())?.clone(),
            offset,
            length,
        }),
    };
    parts.into_iter().map(piece).collect()
}

fn find(files: &[InputFile], index: u32) -> Option<&InputFile> {
    files.get(usize::try_from(index).ok()?)
}

async fn piece(files: &[InputFile], read: contract::Read) -> Ended {
    let contract::Read {
        id,
        file,
        offset,
        length,
    } = read;
    let Some(file) = find(files, file) else {
        return Ended::Read(id, Err("the item has no such file".to_owned()));
    };
    let read = async {
        let reader = file.source.open(offset).await?;
        let mut bytes = Vec::new();
        reader
            .take(length.min(READ_BYTES).into())
            .read_to_end(&mut bytes)
            .await?;
        Ok::<_, std::io::Error>(bytes)
    };
    Ended::Read(id, read.await.map_err(|error| error.to_string()))
}
