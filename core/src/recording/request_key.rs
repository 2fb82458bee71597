//! The parts of a request that count in a comparison: method, path below the base URL, query, and the type and content
//! of the body.
//!
//! Two requests are the same if these parts are the same after decoding: `%41` is `A`, but `%2F` is not `/`. Query
//! parameters may be in any order, and JSON may have any spacing and order of keys, while `1` and `1.0` are different
//! numbers. The headers that count are the content type of a body, and those that the case names.

use crate::json::Json;
use bytes::Bytes;
use http::Method;
use percent_encoding::{percent_decode, percent_encode};
use ring::digest::{Context, SHA256};
use url::Url;

use super::exchange::{Request, Role, header};
use crate::canonical::RESERVED;

/// A request in the form that comparisons use.
pub(super) struct Canonical {
    pub(super) role: Role,
    pub(super) method: Method,
    /// The path below the base URL, or the whole URL without its query if it is not below.
    pub(super) target: String,
    /// Sorted, and encoded so that it can be shown and compared.
    pub(super) query: Vec<(String, String)>,
    /// Type and subtype of the body, in lower case.
    pub(super) content_type: String,
    /// The headers that the case names, each with its value; absent if the request has none of that name.
    pub(super) headers: Vec<(String, Option<String>)>,
    pub(super) body: Body,
}

pub(super) enum Body {
    None,
    /// JSON with sorted keys.
    Json(Json),
    Bytes(Bytes),
}

/// A digest that is equal for requests that are the same.
pub(super) type Key = [u8; 32];

impl Canonical {
    /// `compared` names the headers that count.
    pub(super) fn new(role: Role, request: &Request, base_url: &Url, compared: &[String]) -> Self {
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
            headers: compared
                .iter()
                .map(|name| (name.clone(), header(&request.headers, name).map(str::to_owned)))
                .collect(),
            body,
        }
    }

    /// An authentication is matched by method and path only, because the rest consists of secrets.
    pub(super) fn key(&self) -> Key {
        let mut parts = Parts::new();
        parts.add(self.role.name().as_bytes());
        parts.add(self.method.as_str().as_bytes());
        parts.add(self.target.as_bytes());
        if self.role == Role::Operation {
            parts.add(&(self.query.len() as u64).to_be_bytes());
            for (name, value) in &self.query {
                parts.add(name.as_bytes());
                parts.add(value.as_bytes());
            }
            parts.add(self.content_type.as_bytes());
            for (name, value) in &self.headers {
                parts.add(name.as_bytes());
                parts.add(if value.is_some() { b"has" } else { b"lacks" });
                parts.add(value.as_deref().unwrap_or_default().as_bytes());
            }
            match &self.body {
                Body::None => parts.add(b"none"),
                Body::Json(value) => {
                    parts.add(b"json");
                    parts.add(value.to_string().as_bytes());
                }
                Body::Bytes(bytes) => {
                    parts.add(b"bytes");
                    parts.add(bytes);
                }
            }
        }
        parts.key()
    }
}

/// An operation's request as spelled, before any decoding.
pub struct Spelled<'a> {
    /// The method.
    pub method: &'a Method,
    /// The URL as text.
    pub url: &'a str,
    /// The value of `content-type`; empty if absent.
    pub content_type: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Spelled<'a> {
    pub(super) fn recorded(request: &'a Request) -> Self {
        Self {
            method: &request.method,
            url: request.url.as_str(),
            content_type: header(&request.headers, "content-type")
                .unwrap_or_default()
                .as_bytes(),
            body: &request.body,
        }
    }

    /// Equal for requests that have the same bytes below their base URLs, and therefore the same [canonical
    /// form](Canonical). This key saves decoding and re-encoding each request, which took a fifth of a replay's time.
    /// `None` for a request that is not below the base URL.
    pub(super) fn key(&self, base: &BasePrefix) -> Option<Key> {
        let below = self.url.strip_prefix(base.0.as_ref()?)?;
        if !(below.is_empty() || below.starts_with(['/', '?'])) {
            return None;
        }
        let mut parts = Parts::new();
        parts.add(self.method.as_str().as_bytes());
        parts.add(below.as_bytes());
        parts.add(self.content_type);
        parts.add(self.body);
        Some(parts.key())
    }
}

/// A base URL as the prefix of the URLs below it; `None` for a base URL with a query, which is a prefix of none.
pub(super) struct BasePrefix(Option<String>);

impl BasePrefix {
    pub(super) fn new(base_url: &Url) -> Self {
        let text = base_url.as_str();
        let is_path_alone = base_url.query().is_none() && base_url.fragment().is_none();
        Self(is_path_alone.then(|| text.strip_suffix('/').unwrap_or(text).to_owned()))
    }
}

/// A digest of several parts that keeps their boundaries.
struct Parts(Context);

impl Parts {
    fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    fn add(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn key(self) -> Key {
        let mut key = Key::default();
        key.copy_from_slice(self.0.finish().as_ref());
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
    // Browsers also send JSON as `text/plain`. A lone number in a text does not count as JSON.
    let is_json =
        content_type.ends_with("json") || matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['));
    match Json::from_slice(bytes) {
        Ok(mut value) if is_json => {
            value.sort_keys();
            Body::Json(value)
        }
        _ => Body::Bytes(bytes.clone()),
    }
}

/// The path below the base URL, or the whole URL without its query if it is not below.
pub(super) fn target(url: &Url, base_url: &Url) -> String {
    let Some(segments) = url.path_segments() else {
        let mut url = url.clone();
        url.set_query(None);
        return url.into();
    };
    let segments: Vec<String> = segments.map(reencoded).collect();
    if url.origin() == base_url.origin() {
        let base = base_segments(base_url);
        if let Some(below) = segments.strip_prefix(base.as_slice()) {
            // An empty rest is the base URL itself, which differs from the base URL with a slash.
            return if below.is_empty() {
                String::new()
            } else {
                format!("/{}", below.join("/"))
            };
        }
    }
    format!("{}/{}", url.origin().ascii_serialization(), segments.join("/"))
}

/// The segments of the base URL's path; a trailing slash does not matter.
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
    // `query_pairs` would map all invalid UTF-8 to the same character.
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
    percent_encode(&decoded, RESERVED).to_string()
}
