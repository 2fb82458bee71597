//! Where requests leave the node and answers come in, and the clock and random numbers: all of the node that does I/O.
//!
//! A task goes as far as it can and says then what it has to ask for. Who carries that out is another's affair: `wasi`, by
//! `wasi:http`, inside of one call of `execute` or `authenticate`; or a host that calls `turns`, call by call.

pub(crate) mod broken;
#[cfg(feature = "files")]
pub(crate) mod files;
#[cfg(feature = "files")]
pub(crate) mod streams;
mod wasi;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::base_url::BaseUrl;
use crate::bindings::exports::workflow::node::execution::{Call, ItemResult};
use crate::bindings::exports::workflow::node::turns::{self, Answered, Beginning, Emitted, Scheme, Step};
use crate::bindings::exports::workflow::node::types::{Failure, Field, Output};
use crate::execute;
use crate::http::{Broken, Headers, Request, Response};
use crate::table::Service;
use crate::wait;

/// How a request ended.
type Outcome = Result<Response, Broken>;

/// Work that sends requests, one step at a time.
struct Task<O> {
    requests: Rc<Requests>,
    work: Pin<Box<dyn Future<Output = ()>>>,
    output: Rc<Cell<Option<O>>>,
}

impl<O: 'static> Task<O> {
    fn new(work: impl AsyncFnOnce(&Requests) -> O + 'static) -> Self {
        let requests = Rc::new(Requests::default());
        let output = Rc::new(Cell::new(None));
        Self {
            work: Box::pin({
                let (requests, output) = (Rc::clone(&requests), Rc::clone(&output));
                async move { output.set(Some(work(&requests).await)) }
            }),
            requests,
            output,
        }
    }

    /// As far as it goes without another answer; whether that is to its end.
    fn go_on(&mut self) -> bool {
        // It is polled after every answer, so that nobody has to be woken.
        let mut context = Context::from_waker(Waker::noop());
        self.work.as_mut().poll(&mut context).is_ready()
    }

    /// To its end, by `wasi:http`.
    fn run(mut self) -> O {
        let requests = Rc::clone(&self.requests);
        loop {
            wasi::run(&requests, &mut || self.go_on());
            if let Some(output) = self.output.take() {
                return output;
            }
        }
    }
}

/// Do work to its end, with its requests carried out by `wasi:http`.
pub fn run<O: 'static>(work: impl AsyncFnOnce(&Requests) -> O + 'static) -> O {
    Task::new(work).run()
}

type Results = Result<Vec<ItemResult>, Failure>;

/// `execution.execute`
pub fn execute(service: &'static Service, call: Call) -> Results {
    task(service, call, None).run()
}

fn task(service: &'static Service, call: Call, behind: Option<String>) -> Task<Results> {
    Task::new(async move |requests| execute::execute(service, requests, call, behind).await)
}

thread_local! {
    /// The call that was begun last by `turns`, and how many items it has.
    static BEGUN: RefCell<Option<(usize, Task<Results>)>> = const { RefCell::new(None) };
}

/// `turns.headers`: those that the node looks at.
pub fn headers(service: &'static Service) -> Vec<String> {
    let mut names = wait::HEADERS.map(str::to_owned).to_vec();
    let errors = &service.errors;
    for name in ["location", errors.request_id_header, errors.throttled_header] {
        add(&mut names, name);
    }
    for name in service.looks_at {
        add(&mut names, name);
    }
    for operation in service.operations {
        add(&mut names, operation.output.next.header);
    }
    #[cfg(feature = "files")]
    for name in ["content-type", "content-disposition", "etag", "last-modified"] {
        add(&mut names, name);
    }
    names
}

fn add(names: &mut Vec<String>, name: &str) {
    if !name.is_empty() && !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

/// `turns.next`
pub fn next(service: &'static Service, step: Step) -> turns::Turn {
    let (items, mut task) = match (step, BEGUN.take()) {
        (Step::Begin(Beginning { call, behind }), _) => {
            let (items, task) = (call.items.len(), task(service, call, behind));
            task.requests.takes_rows.set(true);
            (items, task)
        }
        (Step::Resume(answered), Some(begun)) => {
            for Answered { id, outcome } in answered {
                begun.1.requests.answer(id, received(outcome));
            }
            begun
        }
        // Nothing was begun, and nothing is to be said of it.
        (Step::Resume(_), None) => return turns::Turn::Done(Vec::new()),
    };
    task.go_on();
    match task.output.take() {
        Some(Ok(results)) => turns::Turn::Done(results),
        Some(Err(failure)) => turns::Turn::Done(vec![Err(failure); items]),
        None => {
            let asked = together(task.requests.asked.take(), task.requests.emitted.take());
            BEGUN.set(Some((items, task)));
            turns::Turn::Waiting(asked)
        }
    }
}

/// The requests of a turn, the headers that they have in common said once.
fn together(asked: Vec<Asked>, emitted: Vec<Emitted>) -> turns::Asked {
    // A node sends much of the same kind; a mixture has its headers one by one.
    let first = asked.first().map(|first| &first.request);
    let is_same = asked.iter().all(|one| {
        first.is_some_and(|first| {
            std::ptr::eq(one.request.usual, first.usual) && one.request.content_type == first.content_type
        })
    });
    turns::Asked {
        headers: first.filter(|_| is_same).map(usual).unwrap_or_default(),
        requests: asked.into_iter().map(|one| one.written(!is_same)).collect(),
        emitted,
    }
}

fn usual(request: &Request) -> Vec<Field> {
    let field = |(name, value): (&str, &str)| Field {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    request.usual_headers().map(field).collect()
}

fn received(outcome: Result<turns::Response, turns::ErrorCode>) -> Outcome {
    match outcome {
        Ok(turns::Response {
            status,
            headers,
            body,
        }) => Ok(Response {
            status,
            headers: listed(headers),
            body,
            #[cfg(feature = "files")]
            kept: None,
        }),
        Err(code) => Err(broken::broken(code)),
    }
}

fn listed(headers: Vec<Field>) -> Box<dyn Headers> {
    // Nothing takes no room, and most answers have nothing.
    if headers.is_empty() {
        Box::new(Nothing)
    } else {
        Box::new(Listed(headers))
    }
}

/// The headers of an answer.
struct Listed(Vec<Field>);

impl Headers for Listed {
    fn get(&self, name: &str) -> Option<String> {
        let field = self.0.iter().find(|field| field.name == name)?;
        Some(field.value.clone())
    }
}

struct Nothing;

impl Headers for Nothing {
    fn get(&self, _: &str) -> Option<String> {
        None
    }
}

/// What a task asks for and waits for.
#[derive(Default)]
pub struct Requests {
    /// What a test has in the place of WASI's.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) world: crate::script::World,
    /// Since the last turn.
    asked: RefCell<Vec<Asked>>,
    /// Rows since the last turn.
    pub(crate) emitted: RefCell<Vec<Emitted>>,
    /// How many requests the items of the call leave over of those that may be under way.
    pub(crate) spare: Cell<usize>,
    /// Whether who carries the requests out takes rows too.
    pub(crate) takes_rows: Cell<bool>,
    /// By the requests' IDs.
    places: RefCell<Vec<Place>>,
    #[cfg(feature = "files")]
    pub(crate) files: files::Files,
}

/// A request that is under way.
struct Asked {
    id: u32,
    scheme: Scheme,
    authority: String,
    path_with_query: String,
    /// Bytes of the base URL's own prefix.
    #[cfg(not(target_family = "wasm"))]
    prefix: usize,
    request: Request,
}

impl Asked {
    /// As the contract has it, with all its headers or only its own.
    fn written(self, has_all_headers: bool) -> turns::Request {
        let headers = if has_all_headers {
            let mut headers = usual(&self.request);
            headers.extend(self.request.headers);
            headers
        } else {
            self.request.headers
        };
        turns::Request {
            id: self.id,
            method: self.request.method,
            scheme: self.scheme,
            authority: self.authority,
            path_with_query: self.path_with_query,
            headers,
            body: self.request.body,
        }
    }
}

enum Place {
    Free,
    Waiting,
    Answered(Outcome),
    /// Taken, and its body stays with the host under this ID.
    #[cfg(feature = "files")]
    Kept,
}

impl Requests {
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn of(world: crate::script::World) -> Self {
        Self {
            world,
            ..Self::default()
        }
    }

    /// A place for an answer; its number is the ID of what is asked.
    fn place(&self) -> u32 {
        let mut places = self.places.borrow_mut();
        let place = places.iter().position(|place| matches!(place, Place::Free));
        let place = place.unwrap_or_else(|| {
            places.push(Place::Free);
            places.len() - 1
        });
        if let Some(place) = places.get_mut(place) {
            *place = Place::Waiting;
        }
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    fn ask(&self, base: &BaseUrl, mut request: Request) -> u32 {
        let id = self.place();
        let target = std::mem::take(&mut request.target);
        self.asked.borrow_mut().push(Asked {
            id,
            scheme: if base.https { Scheme::Https } else { Scheme::Http },
            authority: base.authority.clone(),
            path_with_query: if base.prefix.is_empty() {
                target
            } else {
                [base.prefix.as_str(), &target].concat()
            },
            #[cfg(not(target_family = "wasm"))]
            prefix: base.prefix.len(),
            request,
        });
        id
    }

    /// Gives rows, with the next requests.
    pub(crate) fn emit(&self, emitted: Emitted) {
        self.emitted.borrow_mut().push(emitted);
    }

    /// All outputs of an item that ends with these: what it gave before, as far as nobody took it.
    pub(crate) fn with_emitted(&self, item: u32, mut outputs: Vec<Output>) -> Vec<Output> {
        let mut emitted = self.emitted.borrow_mut();
        if emitted.is_empty() {
            return outputs;
        }
        let mut all = Vec::new();
        for emitted in emitted.iter_mut().filter(|emitted| emitted.item == item) {
            all.append(&mut emitted.outputs);
        }
        all.append(&mut outputs);
        all
    }

    fn take(&self, id: u32) -> Poll<Outcome> {
        let mut places = self.places.borrow_mut();
        let Some(place @ Place::Answered(_)) = places.get_mut(id as usize) else {
            return Poll::Pending;
        };
        match std::mem::replace(place, Place::Free) {
            #[cfg(feature = "files")]
            Place::Answered(Ok(response)) if response.kept.is_some() => {
                *place = Place::Kept;
                Poll::Ready(Ok(response))
            }
            Place::Answered(outcome) => Poll::Ready(outcome),
            _ => Poll::Pending,
        }
    }

    /// What was asked since the last time, by its ID.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn take_asked(&self) -> Vec<(u32, Request)> {
        let asked = self.asked.take().into_iter();
        asked
            .map(|mut one| {
                let scheme = match one.scheme {
                    Scheme::Https => "https://",
                    Scheme::Http => "http://",
                };
                one.request.target = one.path_with_query.split_off(one.prefix);
                one.request.base = [scheme, &one.authority, &one.path_with_query].concat();
                (one.id, one.request)
            })
            .collect()
    }

    /// Wakes nobody: the task is polled whole. An answer that nobody waits for is none.
    pub(crate) fn answer(&self, id: u32, outcome: Outcome) {
        if let Some(place @ Place::Waiting) = self.places.borrow_mut().get_mut(id as usize) {
            *place = Place::Answered(outcome);
        }
    }
}

impl Requests {
    /// Send a request, and wait for its answer.
    pub async fn send(&self, base: &BaseUrl, request: Request) -> Outcome {
        let id = self.ask(base, request);
        poll_fn(|_| self.take(id)).await
    }
}

#[cfg(target_family = "wasm")]
impl Requests {
    /// Milliseconds since 1970-01-01 UTC.
    pub fn now_ms(&self) -> u64 {
        let now = crate::bindings::wasi::clocks::wall_clock::now();
        now.seconds * 1_000 + u64::from(now.nanoseconds / 1_000_000)
    }

    /// Random bits, fresh on each call.
    pub fn random(&self) -> u128 {
        use crate::bindings::wasi::random::random::get_random_u64;
        u128::from(get_random_u64()) << 64 | u128::from(get_random_u64())
    }
}
