//! Nodule inside a web service. `POST /run/{group}/{operation}` takes items as JSON lines, and responds with their
//! results as JSON lines, in the items' order, while items still arrive.
//!
//! ```text
//! cargo run --release -p nodule-host --example axum -- node.wasm credential.json 127.0.0.1:8080
//! curl -N --data-binary @items.jsonl http://127.0.0.1:8080/run/member/getMember
//! ```
//!
//! A million items take no more memory than a thousand: a client that reads slowly slows the node's requests, and a
//! client that disconnects cancels its run, because its results are dropped. The `Runner` contains everything that
//! requests share.

use std::error::Error;
use std::path::Path as File;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use futures_util::{Stream, StreamExt as _};
use nodule::retry::Retry;
use nodule::{Completed, Credential, Engine, EngineConfig, Failure, ItemError, RunOptions, Runner};

/// The maximum length of an item's line.
const LONGEST_LINE: usize = 1024 * 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [component, credential, address] = arguments.as_slice() else {
        return Err("expected COMPONENT CREDENTIAL ADDRESS".into());
    };
    let engine = Engine::new(&EngineConfig::default())?;
    let component = engine.load_file(File::new(component)).await?;
    let credential = Credential::from_json(component.node(), &std::fs::read_to_string(credential)?)?;
    let runner = component.runner().credential(credential).build()?;
    let service = Router::new()
        .route("/run/{group}/{operation}", post(run))
        .with_state(runner);
    axum::serve(tokio::net::TcpListener::bind(address.as_str()).await?, service).await?;
    Ok(())
}

async fn run(
    State(runner): State<Runner>,
    Path((group, operation)): Path<(String, String)>,
    body: Body,
) -> Response {
    let options = RunOptions::default().concurrency(32).retry(Retry::default());
    match runner.run(&group, &operation, items(body), &options).await {
        Ok(results) => {
            // If the run breaks, the response breaks off too, so the client sees that it is incomplete.
            let lines = results.map(|completed| completed.map(|completed| lines(&completed)));
            (
                [(header::CONTENT_TYPE, "application/x-ndjson")],
                Body::from_stream(lines),
            )
                .into_response()
        }
        Err(error) => (StatusCode::NOT_FOUND, format!("{error}\n")).into_response(),
    }
}

/// Splits a request's body into lines as it arrives.
fn items(body: Body) -> impl Stream<Item = Result<String, ItemError>> + Send + 'static {
    let start = (Some(body.into_data_stream()), Vec::new());
    futures_util::stream::unfold(start, |(mut body, mut buffer)| async move {
        loop {
            if let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let rest = buffer.split_off(end + 1);
                let line = std::mem::replace(&mut buffer, rest);
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return Some((item(line), (body, buffer)));
            }
            let next = match body.as_mut() {
                Some(stream) if buffer.len() <= LONGEST_LINE => stream.next().await,
                _ => None,
            };
            match next {
                Some(Ok(piece)) => buffer.extend_from_slice(&piece),
                // The client disconnected within a line; the incomplete line is not an item.
                Some(Err(error)) => {
                    let error = ItemError::Source(error.into());
                    return Some((Err(error), (None, Vec::new())));
                }
                None if buffer.trim_ascii().is_empty() => return None,
                None => return Some((item(std::mem::take(&mut buffer)), (None, Vec::new()))),
            }
        }
    })
}

fn item(line: Vec<u8>) -> Result<String, ItemError> {
    let invalid = |message: String| ItemError::Item(Failure::InvalidInput(message));
    if line.len() > LONGEST_LINE {
        return Err(invalid(format!(
            "the item: expected a line of at most {LONGEST_LINE} bytes"
        )));
    }
    String::from_utf8(line).map_err(|_| invalid("the item: expected UTF-8, found other bytes".to_owned()))
}

/// One line for each output item, or one line for the failure.
#[expect(clippy::format_collect, reason = "an item has few outputs")]
fn lines(completed: &Completed) -> Bytes {
    let item = completed.index;
    match &completed.result {
        Ok(output) => output
            .iter()
            .map(|json| format!("{{\"item\":{item},\"json\":{}}}\n", json.get()))
            .collect::<String>()
            .into(),
        Err(failure) => format!("{{\"item\":{item},\"error\":{}}}\n", failure.to_json()).into(),
    }
}
