//! From checked values to the request.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Operation;
use super::parameter::{Fill, Place};
use super::validate::{Field, Value, find};
use crate::bindings::exports::workflow::node::types::Access;
use crate::http::{Request, Transport};
use crate::json;
use crate::operations::MAX_PAGE_SIZE;

/// What names this client to the service.
const USER_AGENT: &str = concat!("socialhub-node/", env!("CARGO_PKG_VERSION"));

/// Everything but RFC 3986's unreserved characters, so that a value stays one path segment or one query value, a blank is
/// `%20` and a plus `%2B`, whatever the server takes a plus for.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The request for an operation. `page` is the page to ask for, where the node turns the pages.
pub fn request<T: Transport>(
    operation: &Operation,
    fields: &[Field],
    page: Option<u32>,
    access: Option<&Access>,
    transport: &T,
) -> Request {
    let mut query = String::new();
    let mut members: Option<String> = None;
    let mut rows: Option<String> = None;
    for parameter in operation.parameters {
        let filled = || parameter.fill.and_then(|fill| fill_in(fill, page, transport));
        let value = find(fields, parameter.name).map(plain_or_json).or_else(filled);
        match (operation.place_of(parameter), value) {
            (Place::Query, Some((plain, _))) => push_pair(&mut query, parameter.wire_name(), &plain),
            (Place::Body, value) => {
                // An operation whose parameters all lie in the path has no body; one whose fields are all left out has `{}`.
                let members = members.get_or_insert_default();
                if let Some((_, json)) = value {
                    push_member(members, parameter.wire_name(), &json);
                }
            }
            (Place::WholeBody, value) => rows = value.map(|(_, json)| json),
            _ => {}
        }
    }
    for field in access.iter().flat_map(|access| &access.query) {
        push_pair(&mut query, &field.name, &field.value);
    }
    let mut target = path(operation.request.path, fields);
    if !query.is_empty() {
        target.push('?');
        target.push_str(&query);
    }
    let body = rows.or_else(|| members.map(|members| format!("{{{members}}}")));
    let mut headers = headers(body.is_some());
    headers.extend(
        access
            .iter()
            .flat_map(|access| &access.headers)
            .map(|field| (field.name.clone(), field.value.clone())),
    );
    Request {
        method: operation.request.method,
        target,
        headers,
        body,
    }
}

/// The headers that every request has; a content type only where there is content.
pub fn headers(has_body: bool) -> Vec<(String, String)> {
    let mut headers = vec![("accept", "application/json"), ("user-agent", USER_AGENT)];
    if has_body {
        headers.push(("content-type", "application/json"));
    }
    headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// One member more for an object's text.
pub fn push_member(members: &mut String, name: &str, json: &str) {
    if !members.is_empty() {
        members.push(',');
    }
    members.push_str(&json::quote(name));
    members.push(':');
    members.push_str(json);
}

fn push_pair(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.extend(utf8_percent_encode(name, ENCODED));
    query.push('=');
    query.extend(utf8_percent_encode(value, ENCODED));
}

fn path(template: &'static str, fields: &[Field]) -> String {
    let mut path = String::new();
    for (index, part) in template.split(['{', '}']).enumerate() {
        // Every other part stands in braces.
        if index % 2 == 0 {
            path.push_str(part);
        } else if let Some(value) = find(fields, part) {
            path.extend(utf8_percent_encode(&plain_or_json(value).0, ENCODED));
        }
    }
    path
}

/// A value as it stands in a path or query, and as it stands in a body.
fn plain_or_json(value: &Value) -> (String, String) {
    match value {
        Value::Text(text) => (text.clone(), json::quote(text)),
        Value::Literal(json) => (json.clone(), json.clone()),
        Value::Rows(rows) => {
            let rows: Vec<String> = rows.iter().map(|row| object(row)).collect();
            (String::new(), format!("[{}]", rows.join(",")))
        }
    }
}

fn object(fields: &[Field]) -> String {
    let mut members = String::new();
    for field in fields {
        push_member(
            &mut members,
            field.parameter.wire_name(),
            &plain_or_json(&field.value).1,
        );
    }
    format!("{{{members}}}")
}

fn fill_in<T: Transport>(fill: Fill, page: Option<u32>, transport: &T) -> Option<(String, String)> {
    let filled = match fill {
        Fill::Clock => transport.now_ms().to_string(),
        Fill::Random => format!("{:032x}", transport.random()),
        Fill::PageNumber => page?.to_string(),
        Fill::PageSize => page.map(|_| MAX_PAGE_SIZE)?.to_string(),
    };
    Some((filled.clone(), filled))
}
