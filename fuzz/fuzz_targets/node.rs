//! An item becomes requests and an answer results: any operation, any item, any answer.
//!
//! The first line is an operation's name and an item, or `authenticate` and a credential's document; the second line is the
//! status, and the rest the body of every answer. Where there is no such name, the first byte chooses the operation and
//! the rest of the line is the item.
#![no_main]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use nodule_core::canonical::CanonicalUrl;
use nodule_core::policy::Rule;
use serde_json::value::RawValue;
use socialhub::base_url::BaseUrl;
use socialhub::bindings::exports::workflow::node::execution::{Call, OnFailure, Service};
use socialhub::bindings::exports::workflow::node::types::Item;
use socialhub::http::{Broken, Headers, Request, Response, Transport};
use socialhub::table::Operation;
use socialhub::{credential, execute, operations};

/// Answers every request with the same.
struct Same<'a> {
    status: u16,
    body: &'a [u8],
    left: std::cell::Cell<u32>,
}

struct NoHeaders;

impl Headers for NoHeaders {
    fn get(&self, _: &str) -> Option<String> {
        None
    }
}

impl Transport for Same<'_> {
    async fn send(&self, base: &BaseUrl, request: Request) -> Result<Response, Broken> {
        let base = base.to_string();
        let text = format!("{base}{}", request.target);
        // Whatever stands in an item, the request stays below the base URL and means one path.
        // The host binds no credential to a base URL that can be no rule.
        if let Ok(base) = CanonicalUrl::parse(&base)
            && Rule::below(&base).is_ok()
        {
            let url = CanonicalUrl::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(url.is_below(&base), "{text}");
            // Nothing of it was resolved, decoded or dropped.
            let target = request.target.split('?').next().unwrap_or_default();
            assert!(url.path().ends_with(target), "{text}");
        }
        for (name, value) in &request.headers {
            http::HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
            // A token of the service's making may be none; the transport says so.
            assert!(
                name == "authorization" || http::HeaderValue::from_str(value).is_ok(),
                "{name}"
            );
        }
        if let Some(body) = &request.body {
            serde_json::from_str::<&RawValue>(body).expect("a body is JSON");
        }
        // A list of all pages ends in some way.
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return Err(Broken::Unknown("enough".to_owned())),
        }
        Ok(Response {
            status: self.status,
            headers: Box::new(NoHeaders),
            body: self.body.to_vec(),
        })
    }

    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }

    fn random(&self) -> u128 {
        42
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let (Some(first), Some(status), Some(body)) = (lines.next(), lines.next(), lines.next()) else {
        return;
    };
    let Ok(first) = std::str::from_utf8(first) else {
        return;
    };
    let status = std::str::from_utf8(status)
        .ok()
        .and_then(|status| status.parse().ok())
        .unwrap_or(200);
    let transport = Same {
        status,
        body,
        left: std::cell::Cell::new(20),
    };
    if let Some(credential) = first.strip_prefix("authenticate ") {
        authenticate(&transport, credential);
    } else if let Some((operation, item)) = chosen(first) {
        execute(&transport, operation, item);
    }
});

fn chosen(line: &str) -> Option<(&'static Operation, &str)> {
    let all = operations::OPERATIONS;
    let named = line
        .split_once(' ')
        .and_then(|(name, item)| Some((*all.iter().find(|operation| operation.name == name)?, item)));
    named.or_else(|| {
        let first = line.chars().next()?;
        let (choice, item) = line.split_at(first.len_utf8());
        Some((all[usize::from(choice.as_bytes()[0]) % all.len()], item))
    })
}

fn execute(transport: &Same<'_>, operation: &Operation, item: &str) {
    let call = Call {
        group: operation.group.name().to_owned(),
        operation: operation.name.to_owned(),
        items: vec![Item {
            parameters: item.to_owned(),
        }],
        on_failure: OnFailure::Continue,
        in_flight: 1,
        service: Service {
            credential: Some(credential::NAME.to_owned()),
            base_url: "https://api.example.com/v1".to_owned(),
            settings: "{}".to_owned(),
            access: None,
        },
    };
    let Ok(results) = at_once(execute::execute(transport, call)) else {
        panic!("the call itself can be read");
    };
    let [result] = results.as_slice() else {
        panic!("one result for one item");
    };
    for output in result.iter().flatten() {
        let output: &RawValue = serde_json::from_str(&output.json).expect("an output item is JSON");
        assert!(output.get().starts_with('{'), "an object");
    }
}

fn authenticate(transport: &Same<'_>, credential: &str) {
    let secret = serde_json::from_str::<serde_json::Value>(credential)
        .ok()
        .and_then(|credential| Some(credential.get("appSecret")?.as_str()?.to_owned()))
        // Long enough to be no word of the message, written in one way only, and nothing else of the credential.
        .filter(|secret| secret.len() >= 16 && secret.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .filter(|secret| credential.matches(secret.as_str()).count() == 1);
    if let (Err(failure), Some(secret)) = (
        at_once(credential::authenticate(transport, credential, None)),
        secret,
    ) {
        assert!(
            !format!("{failure:?}").contains(&secret),
            "no failure repeats the secret"
        );
    }
}

/// Nothing here waits, since every answer is there.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}
