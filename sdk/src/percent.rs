//! Percent-encoding of what stands in a path, a query or a form.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but RFC 3986's unreserved characters, so that a value stays one path segment or one query value, a blank is
/// `%20` and a plus `%2B`, whatever the server takes a plus for.
pub(crate) const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Bytes of most paths.
pub(crate) const ROOM: usize = 64;

/// The path of a template, with a value in the place of each `{}`, percent-encoded: for requests that a function makes.
///
/// ```
/// assert_eq!(nodule_sdk::path("/rooms/{}/event/{}", &["!a:b", "$1/2"]), "/rooms/%21a%3Ab/event/%241%2F2");
/// ```
pub fn path(template: &str, values: &[&str]) -> String {
    let mut path = String::with_capacity(ROOM);
    let mut values = values.iter();
    for (index, part) in template.split("{}").enumerate() {
        if index > 0 {
            push(&mut path, values.next().unwrap_or(&""));
        }
        path.push_str(part);
    }
    path
}

pub fn push(text: &mut String, value: &str) {
    text.extend(utf8_percent_encode(value, ENCODED));
}

/// A text with slashes as the rest of a path: each segment percent-encoded, the slashes as they are.
///
/// ```
/// assert_eq!(nodule_sdk::segments("a b/c?.txt"), "a%20b/c%3F.txt");
/// ```
pub fn segments(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    push_segments(&mut path, text);
    path
}

pub fn push_segments(path: &mut String, text: &str) {
    for (index, segment) in text.split('/').enumerate() {
        if index > 0 {
            path.push('/');
        }
        push(path, segment);
    }
}

/// The text that was encoded; nothing if it is no UTF-8.
#[cfg(feature = "files")]
pub fn decoded(text: &str) -> Option<String> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    decoded.ok().map(std::borrow::Cow::into_owned)
}

/// One pair more of a query or a form.
pub fn push_pair(pairs: &mut String, name: &str, value: &str) {
    if !pairs.is_empty() {
        pairs.push('&');
    }
    push(pairs, name);
    pairs.push('=');
    push(pairs, value);
}
