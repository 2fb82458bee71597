//! Where requests leave the node and answers come in, and the clock and random numbers: all of the node that does I/O.
//!
//! A task goes as far as it can and says then what it has to ask for. Who carries that out is another's affair: `wasi`, by
//! `wasi:http`, inside of one call of `execute` or `authenticate`; or a host that calls `turns`, call by call.

mod broken;
mod wasi;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::base_url::BaseUrl;
use crate::bindings::exports::workflow::node::execution::{Call, ItemResult};
use crate::bindings::exports::workflow::node::turns::{self, Answered, Method as AskedMethod, Scheme, Step};
use crate::bindings::exports::workflow::node::types::{Failure, Field};
use crate::bindings::wasi::clocks::wall_clock;
use crate::bindings::wasi::random::random;
use crate::execute;
use crate::http::{Broken, Headers, Method, Request, Response, Transport, UsualHeaders};
use crate::wait;

/// The headers of answers that the node looks at: these, and [those](wait::HEADERS) that say how long to wait.
const HEADERS: [&str; 10] = {
    let [a, b, c, d, e, f, g, h] = wait::HEADERS;
    ["location", "x-request-id", a, b, c, d, e, f, g, h]
};

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
pub fn execute(call: Call) -> Results {
    task(call).run()
}

fn task(call: Call) -> Task<Results> {
    Task::new(async move |requests| execute::execute(requests, call).await)
}

thread_local! {
    /// The call that was begun last by `turns`, and how many items it has.
    static BEGUN: RefCell<Option<(usize, Task<Results>)>> = const { RefCell::new(None) };
}

/// `turns.headers`
pub fn headers() -> Vec<String> {
    HEADERS.map(str::to_owned).into()
}

/// `turns.next`
pub fn next(step: Step) -> turns::Turn {
    let (items, mut task) = match (step, BEGUN.take()) {
        (Step::Begin(call), _) => (call.items.len(), task(call)),
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
            let asked = together(task.requests.asked.take());
            BEGUN.set(Some((items, task)));
            turns::Turn::Waiting(asked)
        }
    }
}

/// The requests of a turn, the headers that they have in common said once.
fn together(asked: Vec<Asked>) -> turns::Asked {
    // A node sends much of the same kind; a mixture has its headers one by one.
    let usual = asked.first().map_or(&[][..], |first| first.usual);
    let is_same = asked.iter().all(|one| std::ptr::eq(one.usual, usual));
    let (in_common, by_itself) = if is_same { (usual, false) } else { (&[][..], true) };
    let requests = asked.into_iter().map(|mut one| {
        if by_itself {
            one.request.headers = all_headers(one.usual, one.request.headers);
        }
        one.request
    });
    turns::Asked {
        requests: requests.collect(),
        headers: fields(in_common).collect(),
    }
}

fn fields(usual: UsualHeaders) -> impl Iterator<Item = Field> {
    usual.iter().map(|(name, value)| Field {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    })
}

fn all_headers(usual: UsualHeaders, mut own: Vec<Field>) -> Vec<Field> {
    let mut all: Vec<Field> = fields(usual).collect();
    all.append(&mut own);
    all
}

fn received(outcome: Result<turns::Response, turns::ErrorCode>) -> Outcome {
    match outcome {
        Ok(turns::Response {
            status,
            headers,
            body,
        }) => Ok(Response {
            status,
            // Nothing takes no room, and most answers have nothing.
            headers: if headers.is_empty() {
                Box::new(Nothing)
            } else {
                Box::new(Listed(headers))
            },
            body,
        }),
        Err(code) => Err(broken::broken(code)),
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
    /// Since the last turn.
    asked: RefCell<Vec<Asked>>,
    /// By the requests' IDs.
    places: RefCell<Vec<Place>>,
}

/// A request, and the headers that it has beside its own.
struct Asked {
    usual: UsualHeaders,
    request: turns::Request,
}

enum Place {
    Free,
    Waiting,
    Answered(Outcome),
}

impl Requests {
    fn ask(&self, base: &BaseUrl, request: Request) -> u32 {
        let mut places = self.places.borrow_mut();
        let place = places.iter().position(|place| matches!(place, Place::Free));
        let place = place.unwrap_or_else(|| {
            places.push(Place::Free);
            places.len() - 1
        });
        if let Some(place) = places.get_mut(place) {
            *place = Place::Waiting;
        }
        let id = u32::try_from(place).unwrap_or(u32::MAX);
        self.asked.borrow_mut().push(Asked {
            usual: request.usual_headers(),
            request: written(id, base, request),
        });
        id
    }

    fn take(&self, id: u32) -> Poll<Outcome> {
        let mut places = self.places.borrow_mut();
        let Some(place @ Place::Answered(_)) = places.get_mut(id as usize) else {
            return Poll::Pending;
        };
        match std::mem::replace(place, Place::Free) {
            Place::Answered(outcome) => Poll::Ready(outcome),
            _ => Poll::Pending,
        }
    }

    /// Wakes nobody: the task is polled whole. An answer that nobody waits for is none.
    fn answer(&self, id: u32, outcome: Outcome) {
        if let Some(place @ Place::Waiting) = self.places.borrow_mut().get_mut(id as usize) {
            *place = Place::Answered(outcome);
        }
    }
}

impl Transport for Requests {
    async fn send(&self, base: &BaseUrl, request: Request) -> Outcome {
        let id = self.ask(base, request);
        poll_fn(|_| self.take(id)).await
    }

    fn now_ms(&self) -> u64 {
        let now = wall_clock::now();
        now.seconds * 1_000 + u64::from(now.nanoseconds / 1_000_000)
    }

    fn random(&self) -> u128 {
        u128::from(random::get_random_u64()) << 64 | u128::from(random::get_random_u64())
    }
}

fn written(id: u32, base: &BaseUrl, request: Request) -> turns::Request {
    turns::Request {
        id,
        method: match request.method {
            Method::Get => AskedMethod::Get,
            Method::Post => AskedMethod::Post,
            Method::Put => AskedMethod::Put,
        },
        scheme: if base.https { Scheme::Https } else { Scheme::Http },
        authority: base.authority.clone(),
        path_with_query: if base.prefix.is_empty() {
            request.target
        } else {
            [base.prefix.as_str(), &request.target].concat()
        },
        headers: request
            .headers
            .into_iter()
            .map(|(name, value)| Field {
                name: name.into_owned(),
                value: value.into_owned(),
            })
            .collect(),
        body: request.body.map(String::into_bytes),
    }
}
