//! Tests of a node without a host, a component or a service: a script answers its requests, and keeps what was asked.
//!
//! ```
//! use nodule_sdk::prelude::*;
//!
//! const GET: Operation = Operation {
//!     group: "book",
//!     name: "get",
//!     title: "Get Book",
//!     about: "Fetch one book",
//!     action: "Get a book",
//!     effect: Effect::Read,
//!     evidence: "a query by GET",
//!     request: get("/books/{isbn}"),
//!     parameters: &[text("isbn", "ISBN").required()],
//!     output: answer(),
//! };
//!
//! static LIBRARY: Service = Service {
//!     name: "library",
//!     title: "Library",
//!     about: "Books",
//!     groups: &[Group { name: "book", title: "Book", about: "Books" }],
//!     operations: &[&GET],
//!     ..Service::NEW
//! };
//!
//! let node = nodule_sdk::test(&LIBRARY).reply(200, r#"{"title": "Emma"}"#);
//! assert_eq!(node.run("book.get", r#"{"isbn": "1/2"}"#).unwrap(), [r#"{"title": "Emma"}"#]);
//! assert_eq!(node.requests(), ["GET /books/1%2F2"]);
//! ```

use std::borrow::Cow;
use std::cell::{Cell, Ref, RefCell};
use std::collections::VecDeque;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::base_url::BaseUrl;
use crate::bindings::exports::workflow::node::authentication::Session;
use crate::bindings::exports::workflow::node::choices::Question;
use crate::bindings::exports::workflow::node::execution::{Call, ItemResult, OnFailure, Service as Bound};
#[cfg(feature = "files")]
use crate::bindings::exports::workflow::node::files_by_turns;
use crate::bindings::exports::workflow::node::turns::Emitted;
use crate::bindings::exports::workflow::node::types::{Access, BoundCredential, Failure, Item, Output};
use crate::client::Client;
#[cfg(feature = "files")]
use crate::file::{File, Kept, Part as FilePart};
use crate::http::{Broken, Headers, Request, Response, name};
use crate::table::plan::Plan;
use crate::table::{Operation, Service};
#[cfg(feature = "files")]
use crate::transport;
use crate::transport::Requests;
use crate::{execute, exports, form};
#[cfg(feature = "files")]
use std::collections::HashMap;

pub use crate::bindings::exports::workflow::node::choices::Page as ChoicesPage;
pub use crate::bindings::exports::workflow::node::description::Parameter as Column;

/// Where the service of a test is.
pub const BASE: &str = "https://api.example";
/// The clock of a test: 2025-06-30T12:00:00.123Z.
pub const NOW_MS: u64 = 1_751_284_800_123;

type Answering = Box<dyn Fn(&Request) -> Reply>;

/// A node that is tested: [`test()`].
pub struct Script {
    service: &'static Service,
    base: String,
    access: Option<Access>,
    settings: String,
    in_flight: u32,
    on_failure: OnFailure,
    replies: RefCell<VecDeque<Reply>>,
    answering: Option<Answering>,
    world: Box<dyn Fn() -> World>,
    sent: RefCell<Vec<Request>>,
    events: RefCell<Vec<String>>,
    most_open: Cell<usize>,
    emitted: RefCell<Vec<Part>>,
    /// Files of the item, each with its bytes.
    #[cfg(feature = "files")]
    files: Vec<(File, Vec<u8>)>,
    /// Files that came out.
    #[cfg(feature = "files")]
    given: RefCell<Vec<GivenFile>>,
}

/// A file that came out of an item.
#[cfg(feature = "files")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenFile {
    /// The output that it belongs to.
    pub output: usize,
    /// By what the output has it.
    pub key: String,
    /// As the service calls it.
    pub name: Option<String>,
    /// Its media type.
    pub media_type: Option<String>,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Outputs that an item gave while it went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The JSON texts of the outputs.
    pub rows: Vec<String>,
    /// Where the item goes on behind them.
    pub cursor: Option<String>,
}

/// Test a service with scripted answers.
pub fn test(service: &'static Service) -> Script {
    Script {
        service,
        base: BASE.to_owned(),
        access: None,
        settings: "{}".to_owned(),
        in_flight: 1,
        on_failure: OnFailure::Continue,
        replies: RefCell::default(),
        answering: None,
        world: Box::new(World::default),
        sent: RefCell::default(),
        events: RefCell::default(),
        most_open: Cell::new(0),
        emitted: RefCell::default(),
        #[cfg(feature = "files")]
        files: Vec::new(),
        #[cfg(feature = "files")]
        given: RefCell::default(),
    }
}

type Listing = Vec<(Cow<'static, str>, String)>;

/// One scripted answer.
pub struct Reply {
    outcome: Result<(u16, Listing, Vec<u8>), Broken>,
    /// How often whoever waits for it is asked in vain.
    delay: usize,
}

impl Reply {
    /// An answer with this status and body.
    pub fn new(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self {
            outcome: Ok((status, Vec::new(), body.as_ref().to_vec())),
            delay: 0,
        }
    }

    /// There is no answer.
    pub fn broken(broken: Broken) -> Self {
        Self {
            outcome: Err(broken),
            delay: 0,
        }
    }

    /// A header, by its name in lower case.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok((_, headers, _)) = &mut self.outcome {
            headers.push((Cow::Borrowed(name), value.to_owned()));
        }
        self
    }

    /// An answer with headers whose names are known only now.
    #[cfg(feature = "cases")]
    pub(crate) fn with_headers(status: u16, headers: Listing, body: Vec<u8>) -> Self {
        Self {
            outcome: Ok((status, headers, body)),
            delay: 0,
        }
    }

    /// It comes after so many turns.
    #[must_use]
    pub fn after(mut self, delay: usize) -> Self {
        self.delay = delay;
        self
    }
}

impl Script {
    /// The next request is answered with this.
    #[must_use]
    pub fn reply(self, status: u16, body: impl AsRef<[u8]>) -> Self {
        self.replies([Reply::new(status, body)])
    }

    /// The next requests are answered with these.
    #[must_use]
    pub fn replies(self, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.replies.borrow_mut().extend(replies);
        self
    }

    /// Every request is answered with what this makes of it.
    #[cfg(feature = "cases")]
    pub(crate) fn answering(mut self, answer: impl Fn(&Request) -> Reply + 'static) -> Self {
        self.answering = Some(Box::new(answer));
        self
    }

    /// Each run has this clock and these random numbers.
    #[cfg(feature = "cases")]
    pub(crate) fn world(mut self, world: impl Fn() -> World + 'static) -> Self {
        self.world = Box::new(world);
        self
    }

    /// The service is at this base URL.
    #[must_use]
    pub fn base(mut self, base: &str) -> Self {
        base.clone_into(&mut self.base);
        self
    }

    /// The node adds this access itself, as in a host that does not.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = Some(access);
        self
    }

    /// The credential's fields that are no secrets, a JSON object.
    #[must_use]
    pub fn settings(mut self, settings: &str) -> Self {
        settings.clone_into(&mut self.settings);
        self
    }

    /// So many requests may be under way at once.
    #[must_use]
    pub fn in_flight(mut self, most: u32) -> Self {
        self.in_flight = most;
        self
    }

    /// No item starts after a failure.
    #[must_use]
    pub fn stop(mut self) -> Self {
        self.on_failure = OnFailure::Stop;
        self
    }

    /// Run one item of `group.operation`, to the JSON texts of its outputs.
    pub fn run(&self, operation: &str, item: &str) -> Result<Vec<String>, Failure> {
        let mut results = self.call(operation, &[item])?;
        results.remove(0).map(|outputs| texts(&outputs))
    }

    /// Run items of `group.operation`.
    pub fn call(&self, operation: &str, items: &[&str]) -> Result<Vec<ItemResult>, Failure> {
        self.execute(self.new_call(operation, items))
    }

    /// What [`Script::call`] runs, to be changed before it is run.
    pub fn new_call(&self, operation: &str, items: &[&str]) -> Call {
        let (group, operation) = operation.split_once('.').unwrap_or((operation, ""));
        let item = |item: &&str| Item {
            parameters: (*item).to_owned(),
        };
        Call {
            group: group.into(),
            operation: operation.into(),
            items: items.iter().map(item).collect(),
            on_failure: self.on_failure,
            in_flight: self.in_flight,
            service: Bound {
                credential: self.service.credentials.first().map(|known| known.name.into()),
                base_url: self.base.clone(),
                settings: self.settings.clone(),
                access: self.access.clone(),
            },
        }
    }

    /// A file goes with the item, by this key.
    #[cfg(feature = "files")]
    #[must_use]
    pub fn file(mut self, key: &str, name: &str, media_type: &str, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref().to_vec();
        let about = File {
            key: key.to_owned(),
            file_name: Some(name.to_owned()),
            media_type: Some(media_type.to_owned()),
            size: u64::try_from(bytes.len()).ok(),
        };
        self.files.push((about, bytes));
        self
    }

    /// The files that came out of the last item that was run with [`Script::transfer`].
    #[cfg(feature = "files")]
    pub fn given(&self) -> Vec<GivenFile> {
        self.given.borrow().clone()
    }

    /// Run one item of an operation that moves files, to the JSON texts of its outputs.
    #[cfg(feature = "files")]
    pub fn transfer(&self, operation: &str, item: &str) -> Result<Vec<String>, Failure> {
        let mut call = self.new_call(operation, &[item]);
        let call = files_by_turns::Call {
            group: call.group,
            operation: call.operation,
            parameters: call.items.remove(0).parameters,
            files: self.files.iter().map(|(about, _)| about.clone()).collect(),
            in_flight: call.in_flight,
            service: call.service,
        };
        self.answered(async |requests| {
            let outputs = transport::files::run(self.service, requests, call).await?;
            let mut all = Vec::new();
            for (index, output) in outputs.into_iter().enumerate() {
                for given in output.files {
                    let bytes = match given.content {
                        files_by_turns::Content::Bytes(bytes) => bytes,
                        files_by_turns::Content::Kept(id) => {
                            requests.world.kept.borrow_mut().remove(&id).unwrap_or_default()
                        }
                    };
                    self.given.borrow_mut().push(GivenFile {
                        output: index,
                        key: given.key,
                        name: given.file_name,
                        media_type: given.media_type,
                        bytes,
                    });
                }
                all.push(output.json);
            }
            Ok(all)
        })
    }

    /// The bytes of parts, files included.
    #[cfg(feature = "files")]
    fn joined(&self, parts: &[FilePart]) -> Vec<u8> {
        let mut all = Vec::new();
        for part in parts {
            match part {
                FilePart::Bytes(bytes) => all.extend_from_slice(bytes),
                FilePart::File(slice) => all.extend(self.piece(slice.file, slice.offset, slice.length)),
            }
        }
        all
    }

    #[cfg(feature = "files")]
    fn piece(&self, file: u32, offset: u64, length: Option<u64>) -> Vec<u8> {
        let file = usize::try_from(file).ok().and_then(|file| self.files.get(file));
        let bytes = file.map(|(_, bytes)| bytes.as_slice()).unwrap_or_default();
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let length = length
            .and_then(|length| usize::try_from(length).ok())
            .unwrap_or(usize::MAX);
        bytes.iter().skip(offset).take(length).copied().collect()
    }

    /// Run a call.
    pub fn execute(&self, call: Call) -> Result<Vec<ItemResult>, Failure> {
        self.answered(async |requests| execute::execute(self.service, requests, call, None).await)
    }

    /// Run one item of `group.operation` for a host that takes outputs while it goes on: what it gives before its end, and its end.
    /// `behind` is the cursor of an earlier part, behind which it goes on.
    pub fn run_in_parts(
        &self,
        operation: &str,
        item: &str,
        behind: Option<&str>,
    ) -> (Vec<Part>, Result<Vec<String>, Failure>) {
        let call = self.new_call(operation, &[item]);
        let behind = behind.map(str::to_owned);
        let results = self.answered(async |requests| {
            requests.takes_rows.set(true);
            execute::execute(self.service, requests, call, behind).await
        });
        let end = results.and_then(|mut results| results.remove(0).map(|outputs| texts(&outputs)));
        (self.emitted.take(), end)
    }

    /// Ask for one page of the values that a parameter of `group.operation` may have. `form` is what is filled in, a JSON object.
    pub fn choices(
        &self,
        operation: &str,
        parameter: &str,
        form: &str,
        search: Option<&str>,
        cursor: Option<&str>,
    ) -> Result<ChoicesPage, Failure> {
        let question = self.question(operation, parameter, form, search, cursor);
        self.answered(async |requests| form::values(self.service, requests, &question).await)
    }

    /// Ask for the columns of a parameter of `group.operation`.
    pub fn columns(&self, operation: &str, parameter: &str, form: &str) -> Result<Vec<Column>, Failure> {
        let question = self.question(operation, parameter, form, None, None);
        self.answered(async |requests| form::fields(self.service, requests, &question).await)
    }

    fn question(
        &self,
        operation: &str,
        parameter: &str,
        form: &str,
        search: Option<&str>,
        cursor: Option<&str>,
    ) -> Question {
        let call = self.new_call(operation, &[]);
        Question {
            parameter: [operation, ".", parameter].concat(),
            group: call.group,
            operation: call.operation,
            filled_in: form.to_owned(),
            search: search.map(str::to_owned),
            cursor: cursor.map(str::to_owned),
            service: call.service,
        }
    }

    /// Log in with the fields of the service's first credential that makes a session, a JSON object.
    pub fn log_in(&self, fields: &str, renew: Option<Session>) -> Result<Session, Failure> {
        let mut credentials = self.service.credentials.iter();
        let known = credentials.find(|known| known.scheme.login.is_some());
        let credential = BoundCredential {
            name: known.map_or("", |known| known.name).into(),
            fields: fields.to_owned(),
        };
        self.answered(async |requests| exports::log_in(self.service, requests, &credential, renew).await)
    }

    /// Do something with a client of the service.
    ///
    /// # Panics
    /// The base URL of the test is none.
    #[expect(clippy::panic, reason = "it ends a test")]
    pub fn with_client<O>(&self, work: impl AsyncFnOnce(&Client<'_>) -> O) -> O {
        self.answered(async |requests| {
            let client = Client {
                requests,
                service: self.service,
                base: BaseUrl::parse(&self.base).unwrap_or_else(|why| panic!("{}: {why}", self.base)),
                access: self.access.as_ref(),
                settings: &self.settings,
            };
            work(&client).await
        })
    }

    /// Every request so far as `METHOD target`, and its body on a line of its own. The target has its origin where that is not the
    /// base URL's.
    pub fn requests(&self) -> Vec<String> {
        let sent = self.sent.borrow();
        sent.iter().map(|request| line(request, &self.base)).collect()
    }

    /// Every request so far.
    pub fn sent(&self) -> Ref<'_, Vec<Request>> {
        self.sent.borrow()
    }

    /// The headers of each request so far.
    pub fn headers(&self) -> Vec<Vec<(String, String)>> {
        let headers = |request: &Request| {
            let usual = request
                .usual_headers()
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
            let own = request
                .headers
                .iter()
                .map(|field| (field.name.clone(), field.value.clone()));
            usual.chain(own).collect()
        };
        self.sent.borrow().iter().map(headers).collect()
    }

    /// `start 1`, `end 1`, … in the order in which it happened.
    pub fn events(&self) -> Vec<String> {
        self.events.borrow().clone()
    }

    /// The most requests that were open at once.
    pub fn most_open(&self) -> usize {
        self.most_open.get()
    }

    /// How many answers nobody has asked for.
    pub fn replies_left(&self) -> usize {
        self.replies.borrow().len()
    }

    /// Do work to its end, its requests answered by the script.
    #[expect(clippy::panic, reason = "it ends a test")]
    fn answered<O>(&self, work: impl AsyncFnOnce(&Requests) -> O) -> O {
        let requests = Requests::of((self.world)());
        let mut work = pin!(work(&requests));
        let mut open: Vec<(u32, usize, Reply)> = Vec::new();
        loop {
            if let Poll::Ready(output) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return output;
            }
            if requests.takes_rows.get() {
                let part = |emitted: Emitted| Part {
                    rows: texts(&emitted.outputs),
                    cursor: emitted.cursor,
                };
                let emitted = requests.emitted.take().into_iter().map(part);
                self.emitted.borrow_mut().extend(emitted);
            }
            #[cfg(feature = "files")]
            let mut has_read = false;
            #[cfg(feature = "files")]
            for read in requests.files.take_reads() {
                has_read = true;
                let body = self.piece(read.file, read.offset, Some(read.length.into()));
                requests.answer(
                    read.id,
                    Ok(Response {
                        status: 200,
                        headers: Box::new(Listed(Vec::new())),
                        body,
                        kept: None,
                    }),
                );
            }
            #[cfg(feature = "files")]
            if has_read && open.is_empty() {
                continue;
            }
            for (id, request) in requests.take_asked() {
                #[cfg(feature = "files")]
                let request = match &request.parts {
                    Some(parts) => Request {
                        body: Some(self.joined(parts)),
                        ..request
                    },
                    None => request,
                };
                #[cfg(feature = "files")]
                if request.keeps {
                    requests.world.keeping.borrow_mut().push(id);
                }
                let asked = line(&request, &self.base);
                self.sent.borrow_mut().push(request);
                let number = self.sent.borrow().len();
                self.events.borrow_mut().push(format!("start {number}"));
                let reply = match &self.answering {
                    Some(answer) => self.sent.borrow().last().map(answer),
                    None => self.replies.borrow_mut().pop_front(),
                };
                open.push((
                    id,
                    number,
                    reply.unwrap_or_else(|| panic!("no answer is left for {asked}")),
                ));
            }
            assert!(!open.is_empty(), "it waits for nothing");
            self.most_open.set(self.most_open.get().max(open.len()));
            let mut place = 0;
            while let Some((_, _, reply)) = open.get_mut(place) {
                if reply.delay > 0 {
                    reply.delay -= 1;
                    place += 1;
                    continue;
                }
                let (id, number, reply) = open.remove(place);
                self.events.borrow_mut().push(format!("end {number}"));
                #[cfg(feature = "files")]
                let is_kept = requests.world.is_kept(id);
                let response = reply.outcome.map(|(status, headers, body)| {
                    #[cfg(feature = "files")]
                    let (body, kept) = match body {
                        body if is_kept && (200..300).contains(&status) => {
                            let size = u64::try_from(body.len()).ok();
                            requests.world.kept.borrow_mut().insert(id, body);
                            (Vec::new(), Some(Kept { id, size }))
                        }
                        body => (body, None),
                    };
                    Response {
                        status,
                        headers: Box::new(Listed(headers)),
                        body,
                        #[cfg(feature = "files")]
                        kept,
                    }
                });
                requests.answer(id, response);
            }
        }
    }
}

fn line(request: &Request, base: &str) -> String {
    let body = request.body.as_ref();
    let body = body.map(|body| format!("\n{}", String::from_utf8_lossy(body)));
    let place = if request.base == base.trim_end_matches('/') {
        ""
    } else {
        &request.base
    };
    format!(
        "{} {place}{}{}",
        name(request.method),
        request.target,
        body.unwrap_or_default()
    )
}

/// Checks an item as the node does before it sends anything.
///
/// # Errors
///
/// What the node says of an item that it does not take.
pub fn validate(operation: &'static Operation, item: &str) -> Result<(), Failure> {
    crate::table::validate::validate(&Plan::new(operation), item).map(|_| ())
}

/// The JSON texts of outputs.
pub fn texts(outputs: &[Output]) -> Vec<String> {
    outputs.iter().map(|output| output.json.clone()).collect()
}

struct Listed(Listing);

impl Headers for Listed {
    fn get(&self, name: &str) -> Option<String> {
        let (_, value) = self.0.iter().find(|(listed, _)| *listed == name)?;
        Some(value.clone())
    }
}

/// The clock and the random numbers of a test.
pub(crate) struct World {
    pub(crate) now_ms: u64,
    pub(crate) random: RefCell<Box<dyn FnMut() -> u128>>,
    /// The requests whose answers' bodies stay here.
    #[cfg(feature = "files")]
    keeping: RefCell<Vec<u32>>,
    /// Bodies that stay here.
    #[cfg(feature = "files")]
    kept: RefCell<HashMap<u32, Vec<u8>>>,
}

impl World {
    pub(crate) fn new(now_ms: u64, random: Box<dyn FnMut() -> u128>) -> Self {
        Self {
            now_ms,
            random: RefCell::new(random),
            #[cfg(feature = "files")]
            keeping: RefCell::default(),
            #[cfg(feature = "files")]
            kept: RefCell::default(),
        }
    }

    #[cfg(feature = "files")]
    fn is_kept(&self, id: u32) -> bool {
        self.keeping
            .borrow_mut()
            .extract_if(.., |keeping| *keeping == id)
            .count()
            > 0
    }
}

impl Default for World {
    fn default() -> Self {
        let mut last = 0;
        let random = move || {
            last += 0x0123_4567_89ab_cdef;
            last
        };
        Self::new(NOW_MS, Box::new(random))
    }
}

impl Requests {
    pub(crate) fn now_ms(&self) -> u64 {
        self.world.now_ms
    }

    pub(crate) fn random(&self) -> u128 {
        (self.world.random.borrow_mut())()
    }
}
