//! An item becomes requests and an answer results: any operation, any item, any answer. The first byte chooses the
//! operation, the first line is the item, the second the status, the rest the body of every answer.
#![no_main]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use socialhub_pure::base_url::BaseUrl;
use socialhub_pure::bindings::exports::workflow::node::execution::{Call, OnFailure};
use socialhub_pure::http::{Broken, Headers, Request, Response, Transport};
use socialhub_pure::{execute, operations};

/// Answers every request with the same.
struct Same<'a> {
    status: u16,
    body: &'a [u8],
    left: std::cell::Cell<u32>,
}

struct None;

impl Headers for None {
    fn get(&self, _: &str) -> Option<String> {
        Option::None
    }
}

impl Transport for Same<'_> {
    async fn send(&self, _: &BaseUrl, request: Request) -> Result<Response, Broken> {
        assert!(request.target.starts_with('/') && request.target.is_ascii() && !request.target.contains(['\r', '\n', ' ', '#']));
        assert!(!request.target.split(['/', '?']).any(|segment| segment == ".."));
        if let Some(body) = &request.body {
            serde_json::from_str::<&serde_json::value::RawValue>(body).expect("a body is JSON");
        }
        // A list of all pages ends in some way.
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            Option::None => return Err(Broken::Unknown("enough".to_owned())),
        }
        Ok(Response { status: self.status, headers: Box::new(None), body: self.body.to_vec() })
    }

    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }

    fn random(&self) -> u128 {
        42
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let mut lines = rest.splitn(3, |byte| *byte == b'\n');
    let (Some(item), Some(status), Some(body)) = (lines.next(), lines.next(), lines.next()) else { return };
    let Ok(item) = std::str::from_utf8(item) else { return };
    let status = std::str::from_utf8(status).ok().and_then(|status| status.parse().ok()).unwrap_or(200);
    let operation = operations::OPERATIONS[usize::from(*choice) % operations::OPERATIONS.len()];
    let call = Call {
        group: operation.group.name().to_owned(),
        operation: operation.name.to_owned(),
        items: vec![item.to_owned()],
        on_failure: OnFailure::Continue,
        in_flight: 1,
        base_url: "https://api.example.com/v1".to_owned(),
        access: Option::None,
    };
    let transport = Same { status, body, left: std::cell::Cell::new(20) };
    let run = pin!(execute::execute(&transport, call));
    let Poll::Ready(results) = run.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing here waits");
    };
    if let Ok(results) = results {
        assert_eq!(results.len(), 1);
        for output in results.into_iter().flatten().flatten() {
            serde_json::from_str::<&serde_json::value::RawValue>(&output).expect("an output item is JSON");
        }
    }
});
