//! Moves files as the item says: `{"requests": [{"method", "url", "body": ["text", {"file", "offset", "length"}], "keep"}], "reads":
//! [{"file", "offset", "length"}], "again", "give": [{"output", "key", "name", "type", "kept" or "bytes"}], "outputs"}`.

#[path = "../src/moving.rs"]
mod moving;

use std::cell::RefCell;

use files::{Answer, Answered, Asked, Body, Content, Given, Output, Part, Read, Request, Slice, Step, Turn};
use moving::{Node, down, target, task};
use nodule_sdk::bindings::exports::workflow::node::{self, files_by_turns as files, turns};
use serde_json::{Value, json};

nodule_sdk::__export_interface!(description, Node, "node", NODE);
nodule_sdk::__export_interface!(execution, Node);
nodule_sdk::__export_interface!(turns, Node);
nodule_sdk::__export_interface!(files, Node, "files-by-turns", FILES);

#[derive(Default)]
struct Item {
    task: Value,
    /// What came back, by the IDs.
    answers: Vec<Value>,
    awaited: usize,
}

thread_local! {
    static ITEM: RefCell<Item> = RefCell::default();
}

impl files::Guest for Node {
    fn next(step: Step) -> Turn {
        ITEM.with_borrow_mut(|item| match step {
            Step::Begin(call) => {
                let task = task(&call.parameters);
                let asked = asked(&task);
                *item = Item {
                    awaited: asked.requests.len() + asked.reads.len(),
                    answers: vec![json!({"files": call.files.len(), "sizes": call.files.iter().map(|file| file.size).collect::<Vec<_>>()})],
                    task,
                };
                if item.awaited == 0 { done(item) } else { Turn::Waiting(asked) }
            }
            Step::Resume(answered) => {
                for answered in answered {
                    item.awaited -= 1;
                    item.answers.push(told(&answered));
                }
                if item.awaited > 0 {
                    return Turn::Waiting(Asked { requests: vec![], reads: vec![] });
                }
                if item.task["again"].as_bool().unwrap_or_default() {
                    let asked = asked(&item.task);
                    item.awaited = asked.requests.len() + asked.reads.len();
                    return Turn::Waiting(asked);
                }
                done(item)
            }
        })
    }
}

fn asked(task: &Value) -> Asked {
    let list = |name: &str| task[name].as_array().cloned().unwrap_or_default();
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let reads = list("reads").into_iter().zip(1_000..).map(|(read, id)| Read {
        id,
        file: number(&read["file"]) as u32,
        offset: number(&read["offset"]),
        length: number(&read["length"]) as u32,
    });
    let requests = list("requests").into_iter().zip(0..).map(|(request, id)| {
        let (authority, path_with_query) = target(&request);
        let part = |part: &Value| match part.as_str() {
            Some(text) => Part::Bytes(text.as_bytes().to_vec()),
            None => Part::File(Slice {
                file: number(&part["file"]) as u32,
                offset: number(&part["offset"]),
                length: part["length"].as_u64(),
            }),
        };
        Request {
            id,
            method: match request["method"].as_str() {
                Some("PUT") => turns::Method::Put,
                Some("POST") => turns::Method::Post,
                _ => turns::Method::Get,
            },
            scheme: turns::Scheme::Http,
            authority,
            path_with_query,
            headers: vec![],
            body: request["body"]
                .as_array()
                .map(|parts| parts.iter().map(part).collect()),
            keep: request["keep"].as_bool().unwrap_or_default(),
        }
    });
    let requests: Vec<Request> = requests.collect();
    Asked {
        requests,
        reads: reads.collect(),
    }
}

fn told(answered: &Answered) -> Value {
    match &answered.answer {
        Answer::Response(Ok(response)) => match &response.body {
            Body::Bytes(bytes) => json!({"status": response.status, "body": String::from_utf8_lossy(bytes)}),
            Body::Kept(size) => json!({"status": response.status, "kept": size}),
        },
        Answer::Response(Err(code)) => json!({"error": format!("{code:?}")}),
        Answer::Bytes(Ok(bytes)) => json!({"read": String::from_utf8_lossy(bytes)}),
        Answer::Bytes(Err(why)) => json!({"unread": why}),
    }
}

fn done(item: &Item) -> Turn {
    if let Some(failure) = down(&item.answers) {
        return Turn::Done(Err(failure));
    }
    let gives = item.task["give"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let times = item.task["gives"].as_u64().unwrap_or(1);
    let given = |give: &Value, number: u64| Given {
        key: match times {
            1 => text(&give["key"]).unwrap_or_default(),
            _ => number.to_string(),
        },
        file_name: text(&give["name"]),
        media_type: text(&give["type"]),
        content: match give["kept"].as_u64() {
            Some(id) => Content::Kept(id as u32),
            None => Content::Bytes(text(&give["bytes"]).unwrap_or_default().into_bytes()),
        },
    };
    let files = gives
        .iter()
        .flat_map(|give| (0..times).map(move |number| given(give, number)));
    Turn::Done(Ok(vec![Output {
        json: json!({"answers": item.answers}).to_string(),
        files: files.collect(),
    }]))
}
