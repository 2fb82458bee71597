//! A transport that answers from a list and remembers what it was sent, and the calls that tests make with it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::base_url::BaseUrl;
use crate::bindings::exports::workflow::node::execution::{Call, OnFailure, Service};
use crate::bindings::exports::workflow::node::types::{Failure, Item, Output, Problem};
use crate::credential;
use crate::execute::execute;
use crate::http::{Broken, Headers, Request, Response, Transport};

/// Where the tests' service is.
pub const BASE: &str = "https://api.example/openapi-prod";
/// The tests' clock: 2025-06-30T12:00:00.123Z.
pub const NOW_MS: u64 = 1_751_284_800_123;

type Listing = Vec<(&'static str, String)>;

/// One scripted answer.
pub struct Reply {
    outcome: Result<(u16, Listing, Vec<u8>), Broken>,
    /// How often whoever waits for it is asked in vain.
    delay: usize,
}

impl Reply {
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok((_, headers, _)) = &mut self.outcome {
            headers.push((name, value.to_owned()));
        }
        self
    }

    pub fn after(mut self, delay: usize) -> Self {
        self.delay = delay;
        self
    }
}

pub fn reply(status: u16, body: impl AsRef<[u8]>) -> Reply {
    Reply {
        outcome: Ok((status, Vec::new(), body.as_ref().to_vec())),
        delay: 0,
    }
}

pub fn broken(broken: Broken) -> Reply {
    Reply {
        outcome: Err(broken),
        delay: 0,
    }
}

/// The transport.
#[derive(Default)]
pub struct Script {
    replies: RefCell<VecDeque<Reply>>,
    /// What was sent, in order.
    pub sent: RefCell<Vec<Request>>,
    /// `start 1`, `end 1`, … in the order in which it happened.
    pub events: RefCell<Vec<String>>,
    open: Cell<usize>,
    /// The most requests that were open at once.
    pub most_open: Cell<usize>,
    randoms: Cell<u128>,
}

impl Script {
    pub fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self {
            replies: RefCell::new(replies.into_iter().collect()),
            ..Self::default()
        }
    }

    /// Every request as `METHOD target`, and its body on a line of its own.
    pub fn lines(&self) -> Vec<String> {
        self.sent.borrow().iter().map(line).collect()
    }
}

fn line(request: &Request) -> String {
    let body = request
        .body
        .as_ref()
        .map(|body| format!("\n{body}"))
        .unwrap_or_default();
    format!("{} {}{body}", request.method.name(), request.target)
}

struct Listed(Listing);

impl Headers for Listed {
    fn get(&self, name: &str) -> Option<String> {
        self.0
            .iter()
            .find(|(listed, _)| *listed == name)
            .map(|(_, value)| value.clone())
    }
}

impl Transport for Script {
    async fn send(&self, base: &BaseUrl, request: Request) -> Result<Response, Broken> {
        assert!(base.to_string().starts_with("http"));
        self.sent.borrow_mut().push(request);
        let number = self.sent.borrow().len();
        let reply = self
            .replies
            .borrow_mut()
            .pop_front()
            .expect("more requests than replies");
        self.events.borrow_mut().push(format!("start {number}"));
        self.open.set(self.open.get() + 1);
        self.most_open.set(self.most_open.get().max(self.open.get()));
        let mut delay = reply.delay;
        poll_fn(|context| {
            if delay == 0 {
                return Poll::Ready(());
            }
            delay -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        self.open.set(self.open.get() - 1);
        self.events.borrow_mut().push(format!("end {number}"));
        let (status, headers, body) = reply.outcome?;
        Ok(Response {
            status,
            headers: Box::new(Listed(headers)),
            body,
        })
    }

    fn now_ms(&self) -> u64 {
        NOW_MS
    }

    fn random(&self) -> u128 {
        self.randoms.set(self.randoms.get() + 0x0123_4567_89ab_cdef);
        self.randoms.get()
    }
}

/// Drive a future whose every pause wakes itself.
pub fn block_on<O>(future: impl Future<Output = O>) -> O {
    let mut future = pin!(future);
    for _ in 0..10_000_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
    panic!("the future never ends");
}

/// A call of `group.operation` with these items, strictly one after the other.
pub fn call(operation: &str, items: &[&str]) -> Call {
    let (group, operation) = operation.split_once('.').unwrap();
    Call {
        group: group.into(),
        operation: operation.into(),
        items: items
            .iter()
            .map(|item| Item {
                parameters: (*item).to_owned(),
            })
            .collect(),
        on_failure: OnFailure::Continue,
        in_flight: 0,
        service: Service {
            credential: Some(credential::NAME.into()),
            base_url: BASE.into(),
            settings: "{}".into(),
            access: None,
        },
    }
}

/// A result, its outputs as JSON texts.
pub type Texts = Result<Vec<String>, Failure>;

pub fn texts(outputs: &[Output]) -> Vec<String> {
    outputs.iter().map(|output| output.json.clone()).collect()
}

/// Run one item against these replies.
pub fn run(operation: &str, item: &str, replies: impl IntoIterator<Item = Reply>) -> Texts {
    let script = Script::new(replies);
    let mut results = block_on(execute(&script, call(operation, &[item]))).expect("the call can be read");
    assert_eq!(results.len(), 1);
    assert!(script.replies.borrow().is_empty(), "fewer requests than replies");
    results.remove(0).map(|outputs| texts(&outputs))
}

/// The one request that an item makes.
pub fn sent(operation: &str, item: &str) -> String {
    let script = Script::new([reply(200, r#"{"code":"200"}"#)]);
    let results = block_on(execute(&script, call(operation, &[item]))).expect("the call can be read");
    match &results[..] {
        [Ok(_)] => script.lines().join("\n"),
        [Err(Failure::InvalidParameters(problems))] => panic!("{operation} {item}: {:?}", shown(problems)),
        results => panic!("{operation} {item}: {results:?}"),
    }
}

/// The body that an item makes.
pub fn body(operation: &str, item: &str) -> String {
    sent(operation, item)
        .split_once('\n')
        .expect("a body")
        .1
        .to_owned()
}

/// Every problem of an item, as `pointer label: message`; and nothing is sent.
pub fn problems(operation: &str, item: &str) -> Vec<String> {
    match run(operation, item, []) {
        Err(Failure::InvalidParameters(problems)) => shown(&problems),
        result => panic!("{operation} {item}: {result:?}"),
    }
}

pub fn shown(problems: &[Problem]) -> Vec<String> {
    problems
        .iter()
        .map(|problem| format!("{} {}: {}", problem.pointer, problem.label, problem.message))
        .collect()
}
