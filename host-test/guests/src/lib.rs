//! What the hostile guests share: the contract's bindings, a valid description, and a simple way to send requests.
//!
//! Each guest is one file in `examples/` with one behaviour, and its test is in `host-test/tests/hostile`. The test
//! crate does not compile while a test is missing.

pub mod by_turns;
pub mod oauth2;

use std::fmt::Write as _;

use serde_json::{Value, json};

#[allow(missing_docs, unused, clippy::all, reason = "generated code")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../host/wit",
        inline: "
            package hostile:guests;

            world guest {
                include workflow:node/node-by-turns@0.2.0;
                export workflow:node/authentication@0.2.0;
                export workflow:node/choices@0.2.0;
                export workflow:node/signing@0.2.0;
            }
        ",
        world: "hostile:guests/guest",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_node",
        default_bindings_module: "hostile_guests::bindings",
    });
}

pub use bindings::exports::workflow::node::authentication::Session;
pub use bindings::exports::workflow::node::choices::{Page, Question};
pub use bindings::exports::workflow::node::description as d;
pub use bindings::exports::workflow::node::execution::{Call, ItemResult};
pub use bindings::exports::workflow::node::types::{
    Access, Answer, BoundCredential, Certainty, Failure, Field, Item, OtherFailure, Outage, Output, Problem,
    Throttle,
};
use bindings::wasi::http::outgoing_handler;
use bindings::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    Scheme,
};
use bindings::wasi::io::streams::StreamError;

pub use bindings::exports::workflow::node::signing::{Draft, DraftBody, SignedRequest};
pub use bindings::exports::workflow::node::turns::{Beginning, Step, Turn};

/// A guest's behaviour. By default it is an honest node that does nothing.
pub trait Behaviour {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        Ok(call.items.iter().map(|_| Ok(vec![])).collect())
    }

    /// Makes a session whose token is the secret backwards, so that tests can look for both.
    fn authenticate(credential: Value) -> Result<Session, Failure> {
        Ok(session(&format!("Bearer {}", token(&credential))))
    }

    /// One page of values for a form.
    fn values(_: Question) -> Result<Page, Failure> {
        Ok(Page {
            choices: vec![],
            next: None,
        })
    }

    /// Columns for a form.
    fn fields(_: Question) -> Result<Vec<d::Parameter>, Failure> {
        Ok(vec![])
    }

    /// A signature: by default nothing is changed.
    fn sign(_: Value, draft: Draft) -> Result<SignedRequest, Failure> {
        Ok(SignedRequest {
            url: draft.url,
            headers: draft.headers,
            body: None,
        })
    }

    fn describing() -> d::Node {
        describe()
    }

    /// The response headers that it wants in turns.
    fn headers() -> Vec<String> {
        by_turns::HEADERS.map(str::to_owned).into()
    }

    /// Runs by turns: by default all in one turn, with requests through `wasi:http`.
    fn next(step: Step) -> Turn {
        let Step::Begin(Beginning { call, .. }) = step else {
            return Turn::Done(vec![]);
        };
        let items = call.items.len();
        Turn::Done(Self::execute(call).unwrap_or_else(|failure| vec![Err(failure); items]))
    }
}

/// The secret backwards.
pub fn token(credential: &Value) -> String {
    credential["secret"]
        .as_str()
        .unwrap_or_default()
        .chars()
        .rev()
        .collect()
}

/// A session with one header.
pub fn session(authorization: &str) -> Session {
    let header = Field {
        name: "authorization".to_owned(),
        value: authorization.to_owned(),
    };
    Session {
        access: Access {
            headers: vec![header],
            query: vec![],
        },
        expires_in_s: None,
        renewal: None,
    }
}

/// Makes a component from a behaviour.
#[macro_export]
macro_rules! guest {
    ($behaviour:ty) => {
        struct Node;
        impl $crate::bindings::exports::workflow::node::description::Guest for Node {
            fn describe() -> $crate::bindings::exports::workflow::node::description::Node {
                <$behaviour as $crate::Behaviour>::describing()
            }
        }
        impl $crate::bindings::exports::workflow::node::authentication::Guest for Node {
            fn authenticate(
                credential: $crate::BoundCredential,
                _: Option<$crate::Session>,
            ) -> Result<$crate::Session, $crate::Failure> {
                <$behaviour as $crate::Behaviour>::authenticate($crate::parse(&credential.fields))
            }
        }
        impl $crate::bindings::exports::workflow::node::execution::Guest for Node {
            fn execute(call: $crate::Call) -> Result<Vec<$crate::ItemResult>, $crate::Failure> {
                <$behaviour as $crate::Behaviour>::execute(call)
            }
        }
        impl $crate::bindings::exports::workflow::node::choices::Guest for Node {
            fn values(question: $crate::Question) -> Result<$crate::Page, $crate::Failure> {
                <$behaviour as $crate::Behaviour>::values(question)
            }
            fn fields(question: $crate::Question) -> Result<Vec<$crate::d::Parameter>, $crate::Failure> {
                <$behaviour as $crate::Behaviour>::fields(question)
            }
        }
        impl $crate::bindings::exports::workflow::node::signing::Guest for Node {
            fn sign(
                credential: $crate::BoundCredential,
                draft: $crate::Draft,
            ) -> Result<$crate::SignedRequest, $crate::Failure> {
                <$behaviour as $crate::Behaviour>::sign($crate::parse(&credential.fields), draft)
            }
        }
        impl $crate::bindings::exports::workflow::node::turns::Guest for Node {
            fn headers() -> Vec<String> {
                <$behaviour as $crate::Behaviour>::headers()
            }
            fn next(step: $crate::Step) -> $crate::Turn {
                <$behaviour as $crate::Behaviour>::next(step)
            }
        }
        $crate::bindings::export_node!(Node with_types_in $crate::bindings);
    };
}

/// Output items from JSON documents.
pub fn outputs(documents: impl IntoIterator<Item = impl ToString>) -> Vec<Output> {
    let output = |document: _| Output {
        json: ToString::to_string(&document),
    };
    documents.into_iter().map(output).collect()
}

/// Parses a JSON document; invalid JSON becomes null.
pub fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// Every guest's description: `things.read`, `things.write` and `things.one`, which declares its path, and a credential.
pub fn describe() -> d::Node {
    let text = |text: &str| text.to_owned();
    let operation = |name: &str, effect| d::Operation {
        group: text("things"),
        name: text(name),
        display_name: text(name),
        summary: text("Do things"),
        action: text("Do things"),
        documentation_url: None,
        parameters: vec![text("task")],
        write_requests: u32::from(matches!(effect, d::Effect::Write)),
        effect,
        output_schema: text("{}"),
        request: None,
        emits: false,
        gives_files: false,
        hints: None,
    };
    d::Node {
        name: text("hostile"),
        display_name: text("Hostile"),
        version: 1,
        summary: text("A node that nobody should trust"),
        icon_svg: None,
        documentation_url: None,
        aliases: vec![],
        credentials: vec![d::Credential {
            name: text("hostileApi"),
            display_name: text("Hostile"),
            documentation_url: None,
            fields: vec![text("baseUrl"), text("secret"), text("mode")],
            base_url: text("baseUrl"),
            scheme: d::Scheme::Session,
            test: None,
        }],
        origins: vec![],
        resources: vec![d::ResourceGroup {
            name: text("things"),
            display_name: text("Things"),
            summary: text("Things"),
        }],
        operations: vec![
            operation("read", d::Effect::Read),
            operation("write", d::Effect::Write),
            d::Operation {
                parameters: vec![text("task"), text("id")],
                request: Some(text("GET /things/{id}")),
                ..operation("one", d::Effect::Read)
            },
        ],
        parameters: vec![
            parameter("task", d::Kind::AnyJson),
            parameter("baseUrl", d::Kind::Text),
            parameter("secret", d::Kind::Secret),
            parameter("mode", d::Kind::Text),
            parameter("id", d::Kind::Text),
        ],
        hints: None,
    }
}

/// A parameter with this ID, name and kind.
pub fn parameter(id: &str, kind: d::Kind) -> d::Parameter {
    d::Parameter {
        id: id.to_owned(),
        name: id.to_owned(),
        display_name: id.to_owned(),
        summary: "Something".to_owned(),
        placeholder: None,
        kind,
        required: id == "baseUrl" || id == "id",
        default: None,
        visible_when: vec![],
        hints: None,
    }
}

/// Starts a request: `{"method", "url", "headers": [[name, value, times]], "body"}`. Splits the URL without checking
/// it, as a hostile node would.
pub fn begin(request: &Value) -> Result<FutureIncomingResponse, String> {
    let mut headers = Vec::new();
    for header in request["headers"].as_array().into_iter().flatten() {
        let (name, value) = (
            header[0].as_str().unwrap_or_default(),
            header[1].as_str().unwrap_or_default(),
        );
        for _ in 0..header[2].as_u64().unwrap_or(1) {
            headers.push((name.to_owned(), value.as_bytes().to_vec()));
        }
    }
    let headers = Fields::from_list(&headers).map_err(|error| format!("unsendable header: {error:?}"))?;
    let outgoing = OutgoingRequest::new(headers);
    let url = request["url"].as_str().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let method = match request["method"].as_str().unwrap_or("GET") {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => Method::Other(other.to_owned()),
    };
    let unsendable = |part: &'static str| move |()| format!("unsendable {part}");
    outgoing.set_method(&method).map_err(unsendable("method"))?;
    outgoing.set_scheme(Some(&scheme)).map_err(unsendable("scheme"))?;
    outgoing
        .set_authority(Some(authority))
        .map_err(unsendable("authority"))?;
    outgoing
        .set_path_with_query(Some(path))
        .map_err(unsendable("path"))?;
    let body = outgoing.body().map_err(unsendable("body"))?;
    let exchange = outgoing_handler::handle(outgoing, None).map_err(|code| format!("{code:?}"))?;
    let content = request["body"].as_str().unwrap_or_default().as_bytes();
    let stream = body.write().map_err(unsendable("body"))?;
    for piece in content.chunks(4096) {
        if stream.blocking_write_and_flush(piece).is_err() {
            break;
        }
    }
    drop(stream);
    // The response shows what was wrong with it.
    let _ = OutgoingBody::finish(body, None);
    Ok(exchange)
}

/// Waits for the response's head.
pub fn answer(exchange: &FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    answer_by(exchange, || exchange.subscribe().block())
}

/// Polls for the response's head, and calls `wait` after each miss.
fn answer_by(exchange: &FutureIncomingResponse, wait: impl Fn()) -> Result<IncomingResponse, ErrorCode> {
    loop {
        match exchange.get() {
            Some(Ok(answer)) => return answer,
            Some(Err(())) => return Err(ErrorCode::InternalError(None)),
            None => wait(),
        }
    }
}

/// Calls `deed` for every item with `{"hostile": true}`. Honest items are returned unchanged.
pub fn on_hostile_items(call: &Call, deed: impl Fn(&Value)) -> Result<Vec<ItemResult>, Failure> {
    let run = |item: &Item| {
        let fields = parse(&item.parameters);
        if fields["hostile"] == true {
            deed(&fields);
        }
        Ok(outputs([&item.parameters]))
    };
    Ok(call.items.iter().map(run).collect())
}

/// Sends a request and returns its outcome: `{"status", "headers", "body"}` or `{"error"}`. With `{"asks": "get"}` or
/// `{"asks": "ready"}` it polls for the response in a busy loop instead of waiting.
pub fn send(request: &Value) -> Value {
    let exchange = match begin(request) {
        Ok(exchange) => exchange,
        Err(error) => return json!({"error": error}),
    };
    let answer = match request["asks"].as_str() {
        Some("get") => answer_by(&exchange, || {}),
        Some("ready") => answer_by(&exchange, || while !exchange.subscribe().ready() {}),
        _ => answer(&exchange),
    };
    let response = match answer {
        Ok(response) => response,
        Err(code) => return json!({"error": format!("{code:?}")}),
    };
    let headers: Vec<Value> = response
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| json!([name, String::from_utf8_lossy(&value)]))
        .collect();
    let mut bytes = Vec::new();
    let body = response.consume().expect("a body");
    let stream = body.stream().expect("a stream");
    let error = loop {
        match stream.blocking_read(64 * 1024) {
            Ok(piece) => bytes.extend(piece),
            Err(StreamError::Closed) => break None,
            Err(StreamError::LastOperationFailed(error)) => break Some(error.to_debug_string()),
        }
    };
    json!({"status": response.status(), "headers": headers, "body": shown(&bytes), "broken": error})
}

/// The request with what the access adds to it, percent-encoded in its query.
pub fn adding(access: Option<&Access>, request: &Value) -> Value {
    let mut request = request.clone();
    let Some(access) = access else { return request };
    let mut url = request["url"].as_str().unwrap_or_default().to_owned();
    for field in &access.query {
        url.push(if url.contains('?') { '&' } else { '?' });
        let _ = write!(url, "{}={}", encoded(&field.name), encoded(&field.value));
    }
    let mut headers = request["headers"].as_array().cloned().unwrap_or_default();
    headers.extend(
        access
            .headers
            .iter()
            .map(|field| json!([field.name, field.value])),
    );
    request["url"] = Value::from(url);
    request["headers"] = Value::from(headers);
    request
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                encoded.push(char::from(byte))
            }
            byte => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        encoded
    })
}

/// What an item comes to whose requests had these outcomes. The only one may be a failure. With `{"statuses": true}` an
/// output is a status alone.
pub fn seen(item: &Value, outcomes: &[Value]) -> ItemResult {
    match outcomes {
        [only] if only["error"].is_string() => Err(failure(only["error"].as_str().unwrap_or_default())),
        outcomes if item["statuses"] == true => Ok(outputs(
            outcomes
                .iter()
                .map(|outcome| json!({"status": outcome["status"]})),
        )),
        outcomes => Ok(outputs(outcomes)),
    }
}

/// Any body as text.
fn shown(bytes: &[u8]) -> String {
    let mut shown = String::new();
    for piece in bytes.utf8_chunks() {
        shown.push_str(piece.valid());
        for byte in piece.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// Reports an error of [`send`] as an honest node would.
pub fn failure(error: &str) -> Failure {
    if error.contains("RequestDenied") {
        Failure::Denied("denied".to_owned())
    } else if error.contains("Size") {
        Failure::Limit(error.to_owned())
    } else if error.starts_with("unsendable") {
        Failure::InvalidInput(error.to_owned())
    } else {
        Failure::Unavailable(Outage {
            certainty: Certainty::Unknown,
            message: error.to_owned(),
            answer: None,
            retry_after_ms: None,
        })
    }
}
