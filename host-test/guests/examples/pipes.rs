//! Moves files by streams as the item says: `{"looks": [bytes of the first file], "requests": [{"method", "url", "body": ["text",
//! {"file"}, {"times", "of"}], "length", "unfinished", "read"}], "give": [{"key", "name", "type", "kept" or "bytes", "begun"}], "holds"}`.

#[path = "../src/moving.rs"]
mod moving;

use moving::{Node, down, target, task};
use nodule_sdk::bindings::exports::workflow::node::{self, files_by_streams as files, types};
use nodule_sdk::bindings::wasi::http::outgoing_handler::handle;
use nodule_sdk::bindings::wasi::http::types::{
    Fields, IncomingBody, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use nodule_sdk::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};
use serde_json::{Value, json};

nodule_sdk::__export_interface!(description, Node, "node", NODE);
nodule_sdk::__export_interface!(execution, Node);
nodule_sdk::__export_interface!(turns, Node);
nodule_sdk::__export_interface!(streams, Node, "files-by-streams", STREAMS);

impl files::Guest for Node {
    fn transfer(call: files::Call) -> Result<Vec<files::Output>, types::Failure> {
        let task = task(&call.parameters);
        let list = |name: &str| task[name].as_array().cloned().unwrap_or_default();
        let mut streams: Vec<InputStream> = Vec::new();
        let mut answers = vec![json!({"sizes": call.files.iter().map(|file| file.size).collect::<Vec<_>>()})];
        for file in call.files {
            if let files::Content::Streamed(stream) = file.content {
                streams.push(stream);
            }
        }
        for look in list("looks") {
            let read = streams
                .first()
                .map(|file| file.blocking_read(look.as_u64().unwrap_or_default()));
            answers.push(match read {
                Some(Ok(bytes)) => json!({"looked": String::from_utf8_lossy(&bytes)}),
                Some(Err(StreamError::LastOperationFailed(error))) => {
                    json!({"lost": error.to_debug_string()})
                }
                _ => json!({"looked": null}),
            });
        }
        let mut bodies = Vec::new();
        for request in list("requests") {
            match exchange(&request, &mut streams) {
                Ok((status, length, body)) if request["read"].as_bool().unwrap_or_default() => {
                    answers.push(read(status, &length, &body));
                    bodies.push(None);
                }
                Ok((status, _, body)) => {
                    answers.push(json!({"status": status}));
                    bodies.push(Some(body));
                }
                Err(error) => {
                    answers.push(error);
                    bodies.push(None);
                }
            }
        }
        if let Some(failure) = down(&answers) {
            return Err(failure);
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mut given = Vec::new();
        for give in list("give") {
            let kept = give["kept"].as_u64();
            let content = match kept.and_then(|kept| bodies.get_mut(kept as usize)?.take()) {
                Some(body) => {
                    if give["begun"].as_bool().unwrap_or_default() {
                        drop(body.stream());
                    }
                    files::GivenContent::Body(body)
                }
                None => files::GivenContent::Bytes(text(&give["bytes"]).unwrap_or_default().into_bytes()),
            };
            given.push(files::Given {
                key: text(&give["key"]).unwrap_or_default(),
                file_name: text(&give["name"]),
                media_type: text(&give["type"]),
                content,
            });
        }
        if task["holds"].as_bool().unwrap_or_default() {
            std::mem::forget(streams);
            std::mem::forget(bodies);
        }
        Ok(vec![files::Output {
            json: json!({"answers": answers}).to_string(),
            files: given,
        }])
    }
}

/// Sends a request; its answer's status, length and body.
fn exchange(request: &Value, streams: &mut [InputStream]) -> Result<(u16, Value, IncomingBody), Value> {
    let mut headers = Vec::new();
    if let Some(length) = request["length"].as_u64() {
        headers.push(("content-length".to_owned(), length.to_string().into_bytes()));
    }
    let outgoing = OutgoingRequest::new(Fields::from_list(&headers).map_err(|_| json!("headers"))?);
    let (authority, path) = target(request);
    let method = match request["method"].as_str() {
        Some("PUT") => Method::Put,
        Some("POST") => Method::Post,
        _ => Method::Get,
    };
    let set = outgoing
        .set_method(&method)
        .and_then(|()| outgoing.set_scheme(Some(&Scheme::Http)))
        .and_then(|()| outgoing.set_authority(Some(&authority)))
        .and_then(|()| outgoing.set_path_with_query(Some(&path)));
    set.map_err(|()| json!("unsendable"))?;
    let parts = request["body"].as_array();
    let body = parts.and_then(|_| outgoing.body().ok());
    let exchange = handle(outgoing, None).map_err(|code| json!({"error": format!("{code:?}")}))?;
    if let (Some(parts), Some(body)) = (parts, body) {
        let is_whole = match body.write() {
            Ok(stream) => parts.iter().all(|part| write(part, &stream, streams)),
            Err(()) => false,
        };
        if is_whole && !request["unfinished"].as_bool().unwrap_or_default() {
            let _ = OutgoingBody::finish(body, None);
        }
    }
    loop {
        match exchange.get() {
            Some(Ok(Ok(response))) => {
                let body = response.consume().map_err(|()| json!("no body"))?;
                let lengths = response.headers().get("content-length");
                let length = lengths
                    .first()
                    .map(|length| String::from_utf8_lossy(length).into_owned());
                return Ok((response.status(), json!(length), body));
            }
            Some(Ok(Err(code))) => return Err(json!({"error": format!("{code:?}")})),
            Some(Err(())) => return Err(json!("no answer")),
            None => exchange.subscribe().block(),
        }
    }
}

/// Writes a part of a body; whether all of it went out.
fn write(part: &Value, stream: &OutputStream, streams: &mut [InputStream]) -> bool {
    if let Some(text) = part.as_str() {
        return put(stream, text.as_bytes());
    }
    if let Some(times) = part["times"].as_u64() {
        let piece = part["of"].as_str().unwrap_or("x").repeat(1024);
        return (0..times).all(|_| put(stream, piece.as_bytes()));
    }
    let Some(file) = part["file"]
        .as_u64()
        .and_then(|file| streams.get_mut(file as usize))
    else {
        return false;
    };
    loop {
        match file.blocking_read(64 * 1024) {
            Ok(bytes) if put(stream, &bytes) => {}
            Err(StreamError::Closed) => return true,
            _ => return false,
        }
    }
}

fn put(stream: &OutputStream, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match stream.check_write() {
            Ok(0) => stream.subscribe().block(),
            Ok(permitted) => {
                let (now, later) = bytes.split_at(bytes.len().min(permitted as usize));
                if stream.write(now).is_err() {
                    return false;
                }
                bytes = later;
            }
            Err(_) => return false,
        }
    }
    true
}

fn read(status: u16, length: &Value, body: &IncomingBody) -> Value {
    let Ok(stream) = body.stream() else {
        return json!({"status": status, "body": null});
    };
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(piece) => bytes.extend(piece),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                return json!({"status": status, "broken": error.to_debug_string()});
            }
        }
    }
    json!({"status": status, "length": length, "bytes": bytes.len(), "body": String::from_utf8_lossy(&bytes).chars().take(200).collect::<String>()})
}
