//! From checked values to the request.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::parameter::{Fill, Place};
use super::plan::Plan;
use super::value::{Field, Value, find};
use crate::bindings::exports::workflow::node::types::Access;
use crate::http::{Request, Transport};
use crate::json::{self, Members};
use crate::operations::MAX_PAGE_SIZE;

/// Everything but RFC 3986's unreserved characters, so that a value stays one path segment or one query value, a blank is
/// `%20` and a plus `%2B`, whatever the server takes a plus for.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Bytes of most paths.
const ROOM: usize = 64;

/// The request for an operation. `page` is the page to ask for, where the node turns the pages.
pub fn request<T: Transport>(
    plan: &Plan,
    fields: &[Field],
    page: Option<u32>,
    access: Option<&Access>,
    transport: &T,
) -> Request {
    let mut query = String::new();
    let mut members: Option<Members> = None;
    let mut rows: Option<String> = None;
    // They stand in the parameters' order.
    let mut fields_left = fields.iter().peekable();
    for (parameter, place) in plan.operation.parameters.iter().zip(&plan.places) {
        let given = fields_left
            .next_if(|field| std::ptr::eq(field.parameter, parameter))
            .map(|field| &field.value);
        let filled = match given {
            Some(_) => None,
            None => parameter
                .fill
                .and_then(|fill| fill_in(fill, page, transport))
                .map(Value::literal),
        };
        let value = given.or(filled.as_ref());
        match (place, value) {
            (Place::Query, Some(value)) => push_pair(&mut query, parameter.wire_name(), &plain(value)),
            (Place::Body, value) => {
                // An operation whose parameters all lie in the path has no body; one whose fields are all left out has `{}`.
                let members = members.get_or_insert_with(Members::new);
                if let Some(value) = value {
                    push_json(members.push(parameter.wire_name()), value);
                }
            }
            (Place::WholeBody, Some(value)) => push_json(rows.get_or_insert_default(), value),
            _ => {}
        }
    }
    for field in access.iter().flat_map(|access| &access.query) {
        push_pair(&mut query, &field.name, &field.value);
    }
    let mut target = path(plan, fields);
    if !query.is_empty() {
        target.push('?');
        target.push_str(&query);
    }
    let body = rows.or_else(|| members.map(Members::finish));
    let headers = access
        .iter()
        .flat_map(|access| &access.headers)
        .map(|field| (Cow::Owned(field.name.clone()), Cow::Owned(field.value.clone())))
        .collect();
    Request {
        method: plan.operation.request.method,
        target,
        headers,
        body,
    }
}

fn push_pair(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.extend(utf8_percent_encode(name, ENCODED));
    query.push('=');
    query.extend(utf8_percent_encode(value, ENCODED));
}

fn path(plan: &Plan, fields: &[Field]) -> String {
    let mut path = String::with_capacity(ROOM);
    for (before, parameter) in &plan.path {
        path.push_str(before);
        if let Some(value) = find(fields, parameter.name) {
            path.extend(utf8_percent_encode(&plain(value), ENCODED));
        }
    }
    path.push_str(plan.end_of_path);
    path
}

/// A value as it stands in a path or query.
fn plain<'a>(value: &'a Value) -> Cow<'a, str> {
    match value {
        Value::Text(text) | Value::Literal(text) => Cow::Borrowed(text),
        Value::Rows(_) => Cow::Borrowed(""),
    }
}

/// A value as it stands in a body.
fn push_json(json: &mut String, value: &Value) {
    match value {
        Value::Text(text) => json::push_quoted(json, text),
        Value::Literal(literal) => json.push_str(literal),
        Value::Rows(rows) => {
            json.push('[');
            for (index, row) in rows.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                let mut members = Members::new();
                for field in row {
                    push_json(members.push(field.parameter.wire_name()), &field.value);
                }
                json.push_str(&members.finish());
            }
            json.push(']');
        }
    }
}

fn fill_in<T: Transport>(fill: Fill, page: Option<u32>, transport: &T) -> Option<String> {
    Some(match fill {
        Fill::Clock => transport.now_ms().to_string(),
        Fill::Random => format!("{:032x}", transport.random()),
        Fill::PageNumber => page?.to_string(),
        Fill::PageSize => page.map(|_| MAX_PAGE_SIZE)?.to_string(),
    })
}
