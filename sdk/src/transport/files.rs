//! Items that files go with or come out of: the host sends the bytes of the ones and holds those of the others.

use std::cell::{Cell, RefCell};

use super::streams::Streams;
use super::{Asked, Requests, Task, broken, usual};
use crate::bindings::exports::workflow::node::execution::Call as PlainCall;
use crate::bindings::exports::workflow::node::execution::OnFailure;
use crate::bindings::exports::workflow::node::files_by_turns::{
    self as contract, Answer, Answered, Body, Call, File, Given, Output, Part, Read, Step, Turn,
};
use crate::bindings::exports::workflow::node::types::{Failure, Item};
use crate::execute;
use crate::http::{Broken, Response};
use crate::table::Service;

type Outputs = Result<Vec<Output>, Failure>;

thread_local! {
    /// The item that was begun last.
    static BEGUN: RefCell<Option<Task<Outputs>>> = const { RefCell::new(None) };
}

/// What a task has of files.
#[derive(Default)]
pub(crate) struct Files {
    /// Those of the item.
    pub of_item: RefCell<Vec<File>>,
    /// Those that come out, by the output that they belong to.
    pub given: RefCell<Vec<(usize, Given)>>,
    /// Since the last turn.
    pub(super) reads: RefCell<Vec<Read>>,
    pub(super) streams: Streams,
    /// Whether who carries the requests out takes files.
    takes: Cell<bool>,
}

impl Files {
    /// Pieces that were asked for since the last time.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn take_reads(&self) -> Vec<Read> {
        self.reads.take()
    }
}

/// `files-by-turns.next`
pub fn next(service: &'static Service, step: Step) -> Turn {
    let mut task = match (step, BEGUN.take()) {
        (Step::Begin(call), _) => Task::new(async move |requests| run(service, requests, call).await),
        (Step::Resume(answered), Some(begun)) => {
            for Answered { id, answer } in answered {
                begun.requests.answer(id, received(id, answer));
            }
            begun
        }
        // Nothing was begun, and nothing is to be said of it.
        (Step::Resume(_), None) => return Turn::Done(Ok(Vec::new())),
    };
    task.go_on();
    if let Some(outputs) = task.output.take() {
        return Turn::Done(outputs);
    }
    let requests = task.requests.asked.take().into_iter().map(written).collect();
    let reads = task.requests.files.reads.take();
    BEGUN.set(Some(task));
    Turn::Waiting(contract::Asked { requests, reads })
}

/// Run an item, and give its files with its outputs.
pub(crate) async fn run(service: &'static Service, requests: &Requests, call: Call) -> Outputs {
    requests.files.of_item.replace(call.files);
    requests.files.takes.set(true);
    let call = PlainCall {
        group: call.group,
        operation: call.operation,
        items: vec![Item {
            parameters: call.parameters,
        }],
        on_failure: OnFailure::Stop,
        in_flight: call.in_flight,
        service: call.service,
    };
    let mut results = execute::execute(service, requests, call, None).await?;
    let outputs = results.pop().unwrap_or(Err(Failure::NotRun))?;
    let mut given = requests.files.given.take();
    let outputs = outputs.into_iter().enumerate().map(|(index, output)| Output {
        json: output.json,
        files: given
            .extract_if(.., |(output, _)| *output == index)
            .map(|(_, given)| given)
            .collect(),
    });
    Ok(outputs.collect())
}

fn written(asked: Asked) -> contract::Request {
    let mut headers = usual(&asked.request);
    headers.extend(asked.request.headers);
    let body = asked.request.body.map(|body| vec![Part::Bytes(body)]);
    contract::Request {
        id: asked.id,
        method: asked.request.method,
        scheme: asked.scheme,
        authority: asked.authority,
        path_with_query: asked.path_with_query,
        headers,
        body: asked.request.parts.or(body),
        keep: asked.request.keeps,
    }
}

fn received(id: u32, answer: Answer) -> Result<Response, Broken> {
    match answer {
        Answer::Response(Ok(response)) => {
            let (body, kept) = match response.body {
                Body::Bytes(body) => (body, None),
                Body::Kept(size) => (Vec::new(), Some(Kept { id, size })),
            };
            Ok(Response {
                status: response.status,
                headers: super::listed(response.headers),
                body,
                kept,
            })
        }
        Answer::Response(Err(code)) => Err(broken::broken(code)),
        Answer::Bytes(Ok(body)) => Ok(Response {
            status: 200,
            headers: super::listed(Vec::new()),
            body,
            kept: None,
        }),
        Answer::Bytes(Err(why)) => Err(Broken::Unsendable(format!("the file cannot be read: {why}"))),
    }
}

/// The body of an answer, which the host holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    pub(crate) id: u32,
    /// Bytes, where known.
    pub size: Option<u64>,
}

impl Kept {
    /// As the content of a file that is given out.
    pub fn content(self) -> contract::Content {
        contract::Content::Kept(self.id)
    }
}

impl Requests {
    /// Whether who carries the requests out knows no files.
    pub(crate) fn is_plain(&self) -> bool {
        !self.files.takes.get()
    }

    /// Read a piece of a file of the item.
    pub(crate) async fn read(&self, file: u32, offset: u64, length: u32) -> Result<Response, Broken> {
        let id = self.place();
        self.files.reads.borrow_mut().push(Read {
            id,
            file,
            offset,
            length,
        });
        std::future::poll_fn(|_| self.take(id)).await
    }
}
