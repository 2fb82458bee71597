//! An item becomes requests and an answer results: any operation, any item, any answer.
//!
//! The first line is an operation's name and an item, or `authenticate` and a credential's document; the second line is the
//! status, and the rest the body of every answer. Where there is no such name, the first byte chooses the operation and
//! the rest of the line is the item.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nodule_core::canonical::CanonicalUrl;
use nodule_core::policy::Rule;
use nodule_sdk::Request;
use nodule_sdk::http::Broken;
use nodule_sdk::script::{Reply, Script};
use serde_json::value::RawValue;
use socialhub::SERVICE;

const BASE: &str = "https://api.example.com/v1";
/// A list of all pages ends in some way.
const MOST_ANSWERS: usize = 20;

/// The node, its requests answered with the same.
fn script(status: u16, body: &[u8]) -> Script {
    nodule_sdk::test(&SERVICE)
        .base(BASE)
        .replies((0..MOST_ANSWERS).map(|_| Reply::new(status, body)))
        .replies([Reply::broken(Broken::Unknown("enough".to_owned()))])
}

/// Whatever stands in an item, the request stays below the base URL and means one path.
fn check(base: &str, request: &Request) {
    let text = format!("{base}{}", request.target);
    // The host binds no credential to a base URL that can be no rule.
    if let Ok(base) = CanonicalUrl::parse(base)
        && Rule::below(&base).is_ok()
    {
        let url = CanonicalUrl::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(url.is_below(&base), "{text}");
        // Nothing of it was resolved, decoded or dropped.
        let target = request.target.split('?').next().unwrap_or_default();
        assert!(url.path().ends_with(target), "{text}");
    }
    for field in &request.headers {
        http::HeaderName::from_bytes(field.name.as_bytes()).expect("a header's name");
        // A token of the service's making may be none; the transport says so.
        assert!(
            field.name == "authorization" || http::HeaderValue::from_str(&field.value).is_ok(),
            "{}",
            field.name
        );
    }
    if let Some(body) = &request.body {
        serde_json::from_slice::<&RawValue>(body).expect("a body is JSON");
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
    let script = script(status, body);
    if let Some(credential) = first.strip_prefix("authenticate ") {
        authenticate(&script, credential);
    } else if let Some((operation, item)) = chosen(first) {
        execute(&script, &operation, item);
    }
});

/// The operation as `group.name`, and the item.
fn chosen(line: &str) -> Option<(String, &str)> {
    let all = SERVICE.operations;
    let named = line
        .split_once(' ')
        .and_then(|(name, item)| Some((*all.iter().find(|operation| operation.name == name)?, item)));
    let (operation, item) = named.or_else(|| {
        let first = line.chars().next()?;
        let (choice, item) = line.split_at(first.len_utf8());
        Some((all[usize::from(choice.as_bytes()[0]) % all.len()], item))
    })?;
    Some((format!("{}.{}", operation.group, operation.name), item))
}

fn execute(script: &Script, operation: &str, item: &str) {
    let Ok(results) = script.call(operation, &[item]) else {
        panic!("the call itself can be read");
    };
    let [result] = results.as_slice() else {
        panic!("one result for one item");
    };
    for output in result.iter().flatten() {
        let output: &RawValue = serde_json::from_str(&output.json).expect("an output item is JSON");
        assert!(output.get().starts_with('{'), "an object");
    }
    for request in script.sent().iter() {
        check(BASE, request);
    }
}

fn authenticate(script: &Script, credential: &str) {
    let document = serde_json::from_str::<serde_json::Value>(credential).ok();
    let text = |name: &str| Some(document.as_ref()?.get(name)?.as_str()?.to_owned());
    let secret = text("appSecret")
        // Long enough to be no word of the message, written in one way only, and nothing else of the credential.
        .filter(|secret| secret.len() >= 16 && secret.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .filter(|secret| credential.matches(secret.as_str()).count() == 1);
    if let (Err(failure), Some(secret)) = (script.log_in(credential, None), secret) {
        assert!(
            !format!("{failure:?}").contains(&secret),
            "no failure repeats the secret"
        );
    }
    if let Some(base) = text("baseUrl") {
        let base = base.trim().trim_end_matches('/');
        for request in script.sent().iter() {
            check(base, request);
        }
    }
}
