//! Does one thing to its host in an endless loop. Its item, its credential's `mode`, or its own file (where a test
//! writes it behind [`MARK`]) names the thing; `{"list": true}` lists them all.

use std::mem::forget;

use hostile_guests::bindings::exports::workflow::node::description as d;
use hostile_guests::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use hostile_guests::bindings::wasi::http::outgoing_handler;
use hostile_guests::bindings::wasi::http::types::{
    Fields, FutureIncomingResponse, IncomingBody, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    Scheme,
};
use hostile_guests::bindings::wasi::io::poll;
use hostile_guests::bindings::wasi::random::random;
use hostile_guests::{
    Beginning, Behaviour, Call, Failure, Item, ItemResult, Session, Step, Turn, answer, begin, by_turns,
    describe, guest, outputs, parse, send, session,
};
use serde_json::{Value, json};

/// The text behind this mark in the file names the loop to run during description; as built, none.
static MARK: [u8; 64] = *b"while describing:                                               ";

/// The policy denies requests to this URL.
const DENIED: &str = "https://denied.example/";

/// One round of a loop. Takes a URL that responds.
type Round = fn(&str);

/// What a call can do to the host: the host's function, and what happens next.
const ROUNDS: &[(&str, Round)] = &[
    ("nothing", |_| ()),
    ("monotonic-clock now", |_| _ = monotonic_clock::now()),
    ("monotonic-clock resolution", |_| {
        _ = monotonic_clock::resolution()
    }),
    ("monotonic-clock subscribe-duration, begun", |_| {
        forget(monotonic_clock::subscribe_duration(1 << 60))
    }),
    ("monotonic-clock subscribe-duration, dropped", |_| {
        drop(monotonic_clock::subscribe_duration(1 << 60))
    }),
    ("monotonic-clock subscribe-duration, ended", |_| {
        monotonic_clock::subscribe_duration(0).block()
    }),
    ("monotonic-clock subscribe-instant, ended", |_| {
        monotonic_clock::subscribe_instant(0).block()
    }),
    ("wall-clock now", |_| _ = wall_clock::now()),
    ("wall-clock resolution", |_| _ = wall_clock::resolution()),
    ("random get-random-u64", |_| _ = random::get_random_u64()),
    ("random get-random-bytes", |_| _ = random::get_random_bytes(4096)),
    ("poll, one that is ready", |_| {
        let ready = monotonic_clock::subscribe_duration(0);
        poll::poll(&[&ready]);
    }),
    ("poll, many of which one is ready", |_| {
        let never: Vec<_> = (0..100)
            .map(|_| monotonic_clock::subscribe_duration(1 << 60))
            .collect();
        let ready = monotonic_clock::subscribe_duration(0);
        poll::poll(&never.iter().chain([&ready]).collect::<Vec<_>>());
    }),
    ("pollable ready", |_| {
        _ = monotonic_clock::subscribe_duration(1 << 60).ready()
    }),
    ("fields, begun", |_| forget(Fields::new())),
    ("fields, dropped", |_| drop(Fields::new())),
    ("fields from-list and entries", |_| {
        let list = vec![("x-a".to_owned(), vec![b'a'; 1000]); 30];
        let fields = Fields::from_list(&list);
        _ = fields.map(|fields| fields.clone().entries());
    }),
    ("fields append, get, set, delete", |_| {
        let fields = Fields::new();
        _ = fields.append("x-a", b"1");
        _ = fields.set("x-a", &[b"2".to_vec()]);
        _ = (fields.has("x-a"), fields.get("x-a"), fields.delete("x-a"));
    }),
    ("outgoing-request, begun", |_| {
        forget(OutgoingRequest::new(Fields::new()))
    }),
    ("outgoing-request, dropped", |_| {
        drop(OutgoingRequest::new(Fields::new()))
    }),
    ("outgoing-request set", |_| {
        let request = OutgoingRequest::new(Fields::new());
        _ = request.set_method(&Method::Other("X".repeat(1000)));
        _ = request.set_authority(Some(&"a".repeat(1000)));
        _ = request.set_path_with_query(Some(&"/".repeat(1000)));
        _ = (
            request.method(),
            request.authority(),
            request.path_with_query(),
            request.headers(),
        );
    }),
    ("request-options, dropped", |_| {
        _ = RequestOptions::new().set_connect_timeout(Some(1))
    }),
    ("outgoing-body, begun", |_| {
        let request = OutgoingRequest::new(Fields::new());
        _ = request.body().map(|body| {
            _ = body.write().map(forget);
            forget(body);
        });
        forget(request);
    }),
    ("output-stream write and flush", |_| {
        let request = OutgoingRequest::new(Fields::new());
        if let Ok(body) = request.body()
            && let Ok(stream) = body.write()
        {
            _ = (stream.check_write(), stream.write(&[7; 1000]), stream.flush());
            _ = stream.subscribe().ready();
            _ = stream.write_zeroes(1000);
        }
    }),
    ("outgoing-body finish", |_| {
        let request = OutgoingRequest::new(Fields::new());
        if let Ok(body) = request.body() {
            _ = OutgoingBody::finish(body, None);
        }
    }),
    ("handle, denied and dropped", |_| drop(get(DENIED))),
    ("handle, denied and kept", |_| _ = get(DENIED).map(forget)),
    ("handle, denied and awaited", |_| {
        _ = get(DENIED).map(|exchange| answer(&exchange).map(drop))
    }),
    ("handle, no URL", |_| drop(get("https://user@/%zz"))),
    ("handle, unfinished and dropped", |url| drop(unfinished(url))),
    ("handle, unfinished and kept", |url| {
        _ = unfinished(url).map(forget)
    }),
    ("handle, dropped", |url| drop(get(url))),
    ("handle, begun", |url| _ = get(url).map(forget)),
    ("handle, begun and given time", |url| {
        let exchange = get(url);
        monotonic_clock::subscribe_duration(1).block();
        drop(exchange);
    }),
    ("handle, ended", |url| _ = send(&json!({"url": url}))),
    ("future-incoming-response get, pending", |url| {
        _ = get(url).map(|exchange| exchange.get().is_some())
    }),
    ("future-incoming-response get, twice", |url| {
        _ = get(url).map(|exchange| {
            _ = answer(&exchange).map(drop);
            _ = exchange.get();
        });
    }),
    ("future-incoming-response subscribe, dropped", |url| {
        _ = get(url).map(|exchange| exchange.subscribe().ready())
    }),
    ("incoming-response, body not read", |url| {
        _ = get(url).map(|exchange| answer(&exchange).map(|response| response.consume().map(drop)));
    }),
    ("incoming-body finish", |url| {
        _ = get(url).map(|exchange| {
            if let Ok(response) = answer(&exchange)
                && let Ok(body) = response.consume()
            {
                let trailers = IncomingBody::finish(body);
                _ = (trailers.subscribe().ready(), trailers.get().is_some());
            }
        });
    }),
];

fn get(url: &str) -> Result<FutureIncomingResponse, String> {
    begin(&json!({"url": url}))
}

/// A request whose body is not yet complete.
fn unfinished(url: &str) -> Option<FutureIncomingResponse> {
    let request = OutgoingRequest::new(Fields::new());
    let authority = url.split('/').nth(2).unwrap_or_default();
    _ = request.set_method(&Method::Post);
    _ = request.set_scheme(Some(&Scheme::Http));
    _ = request.set_authority(Some(authority));
    _ = request.set_path_with_query(Some("/api/things"));
    forget(request.body().ok()?);
    outgoing_handler::handle(request, None).ok()
}

fn run(what: &str, url: &str) {
    if let Some((_, round)) = ROUNDS.iter().find(|(name, _)| *name == what) {
        loop {
            round(std::hint::black_box(url));
        }
    }
}

/// The endless loop of a node that runs by turns.
fn turn(item: &Value) -> Option<Turn> {
    let url = item["url"].as_str().unwrap_or_default();
    let ask = |url: &str, ids: std::ops::Range<u32>| {
        let request = |id| by_turns::request(id, &json!({"url": url})).ok();
        by_turns::asked(vec![], ids.filter_map(request).collect())
    };
    Some(match item["turns"].as_str()? {
        "denied" => ask(DENIED, 0..1),
        "many denied" => ask(DENIED, 0..1000),
        "answered" => ask(url, 0..1),
        "many answered" => ask(url, 0..64),
        _ => return None,
    })
}

thread_local! {
    static ITEM: std::cell::RefCell<Value> = const { std::cell::RefCell::new(Value::Null) };
}

struct Loops;

impl Behaviour for Loops {
    fn describing() -> d::Node {
        let mark = String::from_utf8_lossy(std::hint::black_box(&MARK));
        if let Some((_, what)) = mark.split_once(':') {
            run(what.trim(), DENIED);
        }
        describe()
    }

    fn authenticate(credential: Value) -> Result<Session, Failure> {
        let url = format!("{}/things", credential["baseUrl"].as_str().unwrap_or_default());
        run(credential["mode"].as_str().unwrap_or_default(), &url);
        Ok(session("Bearer of-nothing-in-particular"))
    }

    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let item = |item: &Item| {
            let item = parse(&item.parameters);
            if item["list"] == true {
                return Ok(outputs(ROUNDS.iter().map(|(name, _)| json!(name))));
            }
            run(
                item["what"].as_str().unwrap_or_default(),
                item["url"].as_str().unwrap_or_default(),
            );
            Ok(vec![])
        };
        Ok(call.items.iter().map(item).collect())
    }

    fn next(step: Step) -> Turn {
        match step {
            Step::Begin(Beginning { call, .. }) => {
                ITEM.set(parse(&call.items[0].parameters));
                ITEM.with_borrow(turn)
                    .unwrap_or_else(|| Turn::Done(Self::execute(call).unwrap_or_default()))
            }
            Step::Resume(_) => ITEM.with_borrow(turn).unwrap_or(Turn::Done(vec![])),
        }
    }
}

guest!(Loops);
