//! What of a request counts when it is compared: method, path below the base URL, query, type and content of the body.
//!
//! Two requests are the same if these are the same after decoding: `%41` is `A` but `%2F` is not `/`; query parameters
//! may stand in any order; JSON may be spaced and its keys ordered in any way, while `1` and `1.0` are different numbers. No
//! header counts but the type of a body.

use bytes::Bytes;
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};
use ring::digest::{Context, SHA256};
use serde_json::Value;
use url::Url;

use super::exchange::{Request, Role, header};

/// All that RFC 3986 does not call unreserved.
const RESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A request in the form in which it is compared.
pub(super) struct Canonical {
    pub(super) role: Role,
    pub(super) method: Method,
    /// The path below the base URL, or the whole address without its query where it is not below.
    pub(super) target: String,
    /// Sorted; encoded, so that it can be shown and compared.
    pub(super) query: Vec<(String, String)>,
    /// Type and subtype of the body, in lower case.
    pub(super) content_type: String,
    pub(super) body: Body,
}

pub(super) enum Body {
    None,
    /// The keys of its objects sorted.
    Json(Value),
    Bytes(Bytes),
}

/// Equal for requests that are the same.
pub(super) type Key = [u8; 32];

impl Canonical {
    pub(super) fn new(role: Role, request: &Request, base_url: &Url) -> Self {
        let content_type = match header(&request.headers, "content-type") {
            Some(value) if !request.body.is_empty() => essence(value),
            _ => String::new(),
        };
        let mut query = query(&request.url);
        query.sort();
        let body = body(&request.body, &content_type);
        Self {
            role,
            method: request.method.clone(),
            target: target(&request.url, base_url),
            query,
            content_type,
            body,
        }
    }

    /// An authentication is known by method and path alone: the rest of it is made of secrets.
    pub(super) fn key(&self) -> Key {
        let mut hash = Context::new(&SHA256);
        let mut part = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(self.role.name().as_bytes());
        part(self.method.as_str().as_bytes());
        part(self.target.as_bytes());
        if self.role == Role::Operation {
            part(&(self.query.len() as u64).to_be_bytes());
            for (name, value) in &self.query {
                part(name.as_bytes());
                part(value.as_bytes());
            }
            part(self.content_type.as_bytes());
            match &self.body {
                Body::None => part(b"none"),
                Body::Json(value) => {
                    part(b"json");
                    part(value.to_string().as_bytes());
                }
                Body::Bytes(bytes) => {
                    part(b"bytes");
                    part(bytes);
                }
            }
        }
        let mut key = Key::default();
        key.copy_from_slice(hash.finish().as_ref());
        key
    }
}

/// `Application/JSON; charset=utf-8` → `application/json`
fn essence(content_type: &str) -> String {
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

fn body(bytes: &Bytes, content_type: &str) -> Body {
    if bytes.is_empty() {
        return Body::None;
    }
    // Browsers send JSON as text/plain, too; a lone number in a text is no JSON to anybody.
    let is_json =
        content_type.ends_with("json") || matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['));
    match serde_json::from_slice::<Value>(bytes) {
        Ok(mut value) if is_json => {
            value.sort_all_objects();
            Body::Json(value)
        }
        _ => Body::Bytes(bytes.clone()),
    }
}

fn target(url: &Url, base_url: &Url) -> String {
    let Some(segments) = url.path_segments() else {
        let mut url = url.clone();
        url.set_query(None);
        return url.into();
    };
    let segments: Vec<String> = segments.map(reencoded).collect();
    if url.origin() == base_url.origin() {
        let base = base_segments(base_url);
        if let Some(below) = segments.strip_prefix(base.as_slice()) {
            // Nothing below is the base URL itself, which is not the same as with a slash.
            return if below.is_empty() {
                String::new()
            } else {
                format!("/{}", below.join("/"))
            };
        }
    }
    format!("{}/{}", url.origin().ascii_serialization(), segments.join("/"))
}

/// The base URL's path with or without a slash at its end is the same prefix.
fn base_segments(base_url: &Url) -> Vec<String> {
    let mut segments: Vec<String> = base_url
        .path_segments()
        .into_iter()
        .flatten()
        .map(reencoded)
        .collect();
    if segments.last().is_some_and(String::is_empty) {
        segments.pop();
    }
    segments
}

fn query(url: &Url) -> Vec<(String, String)> {
    // Not `query_pairs`: it maps all invalid UTF-8 to the same character.
    let pairs = url
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (
                reencoded(&name.replace('+', " ")),
                reencoded(&value.replace('+', " ")),
            )
        })
        .collect()
}

/// One spelling for each sequence of bytes.
fn reencoded(text: &str) -> String {
    let decoded: Vec<u8> = percent_decode(text.as_bytes()).collect();
    percent_encode(&decoded, &RESERVED).to_string()
}
