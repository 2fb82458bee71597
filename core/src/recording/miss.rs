//! Explains a request that was not recorded: which recorded request is nearest, and where the two differ.

use std::{collections::BTreeSet, fmt, fmt::Write as _};

use crate::json::Json;
use percent_encoding::percent_decode;

use super::{
    entry::Unreadable,
    exchange::{Outcome, Role},
    request_key::{Body, Canonical},
};

/// Longer values are cut in errors.
const SHOWN_CHARS: usize = 80;
/// The longest path that systems accept.
const FILE_CHARS: usize = 4_096;

/// A replay needed an exchange that the recording does not have, or that was already served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct Miss {
    /// The recording.
    pub recording: String,
    /// The purpose of the request.
    pub role: Role,
    /// Method, path below the base URL and query, shortened: `POST /v1/points?dry=1`.
    pub request: String,
    /// The most similar recorded exchange; absent if the recording has none of this role.
    pub nearest: Option<Nearest>,
    /// An entry with the same method and path that could not be read.
    pub unreadable: Option<Unreadable>,
    /// Whether the exchange was recorded, but without the body of its response.
    pub lacks_body: bool,
}

/// The recorded exchange that is most similar to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nearest {
    /// Its index in `log.entries`.
    pub entry: usize,
    /// The item that it was recorded for.
    pub item: Option<usize>,
    /// Whether the replay has already served it.
    pub served: bool,
    /// The first difference; absent if the requests are equal and the exchange was already served.
    pub difference: Option<Difference>,
}

/// Where a recorded and a sent request differ. Values are safe to show: shortened, and without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// The methods.
    Method {
        /// As recorded.
        recorded: String,
        /// As sent.
        sent: String,
    },
    /// The paths below the base URL; a URL that is not below it is given in full.
    Path {
        /// As recorded.
        recorded: String,
        /// As sent.
        sent: String,
    },
    /// A query parameter.
    Query {
        /// Its name.
        name: String,
        /// As recorded; absent if it was not recorded.
        recorded: Option<String>,
        /// As sent; absent if it was not sent.
        sent: Option<String>,
    },
    /// The type of the body, without its parameters.
    ContentType {
        /// As recorded; empty if absent.
        recorded: String,
        /// As sent; empty if absent.
        sent: String,
    },
    /// A header that the case names.
    Header {
        /// Its name, in lower case.
        name: String,
        /// As recorded; absent if it was not recorded.
        recorded: Option<String>,
        /// As sent; absent if it was not sent.
        sent: Option<String>,
    },
    /// A value in a JSON body.
    Body {
        /// JSON pointer; empty for the whole body.
        pointer: String,
        /// As recorded; absent if it was not recorded.
        recorded: Option<String>,
        /// As sent; absent if it was not sent.
        sent: Option<String>,
    },
    /// A position in a body that is not JSON.
    Bytes {
        /// From 0.
        offset: usize,
        /// The recorded text at the offset.
        recorded: String,
        /// The sent text at the offset.
        sent: String,
    },
}

impl Miss {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match (self.role, &self.nearest) {
            _ if self.lacks_body => {
                "save the HAR with the contents of the answers: by \"Save all as HAR with content\" of a browser, `content: 'embed'` of \
                 Playwright, or by a run that records"
            }
            _ if self.unreadable.is_some() => "put that entry right, or record the case again",
            (Role::Authentication, None) => {
                "record the request that makes a session, too: it is found by its method and path below the base URL"
            }
            _ => "if the request is right, record the case again",
        }
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: ", self.request)?;
        self.write_nearest(f)?;
        match &self.unreadable {
            Some(unreadable) if !self.lacks_body => write!(
                f,
                "; entry {}, of this method and path, could not be read: {unreadable}",
                unreadable.entry
            ),
            _ => Ok(()),
        }
    }
}

impl Miss {
    fn write_nearest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recording = crate::text::shown(&self.recording, FILE_CHARS);
        let Some(Nearest {
            entry,
            item,
            served,
            difference,
        }) = &self.nearest
        else {
            return write!(f, "`{recording}` holds no {} exchange", self.role.name());
        };
        let item = item.map(|item| format!(" of item {item}")).unwrap_or_default();
        if self.lacks_body {
            let reason = Outcome::NO_BODY;
            return write!(
                f,
                "{reason}: `log.entries[{entry}]`{item} says that the answer had a body, and does not hold it"
            );
        }
        let Some(difference) = difference else {
            return write!(
                f,
                "recorded, but sent once more: `log.entries[{entry}]`{item} has already been served"
            );
        };
        let served = if *served {
            ", which has already been served,"
        } else {
            ""
        };
        write!(
            f,
            "not recorded; the nearest, `log.entries[{entry}]`{item}{served} differs in {difference}"
        )
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method { recorded, sent } => write!(f, "method: recorded `{recorded}`, sent `{sent}`"),
            Self::Path { recorded, sent } => write!(f, "path: recorded `{recorded}`, sent `{sent}`"),
            Self::Query { name, recorded, sent } => {
                write!(
                    f,
                    "query parameter `{name}`: recorded {}, sent {}",
                    or_nothing(recorded.as_ref()),
                    or_nothing(sent.as_ref())
                )
            }
            Self::Header { name, recorded, sent } => {
                write!(
                    f,
                    "header `{name}`: recorded {}, sent {}",
                    or_nothing(recorded.as_ref()),
                    or_nothing(sent.as_ref())
                )
            }
            Self::ContentType { recorded, sent } => {
                let [recorded, sent] =
                    [recorded, sent].map(|name| or_nothing(Some(name).filter(|name| !name.is_empty())));
                write!(f, "content type: recorded {recorded}, sent {sent}")
            }
            Self::Body {
                pointer,
                recorded,
                sent,
            } => {
                f.write_str("body")?;
                if !pointer.is_empty() {
                    write!(f, " `{pointer}`")?;
                }
                write!(
                    f,
                    ": recorded {}, sent {}",
                    or_nothing(recorded.as_ref()),
                    or_nothing(sent.as_ref())
                )
            }
            Self::Bytes {
                offset,
                recorded,
                sent,
            } => {
                write!(f, "body from byte {offset}: recorded `{recorded}`, sent `{sent}`")
            }
        }
    }
}

fn or_nothing(value: Option<&String>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"))
}

/// Counts the differences between two requests of the same role, and returns the first.
pub(super) fn compare(recorded: &Canonical, sent: &Canonical) -> (usize, Option<Difference>) {
    let mut found = Found::default();
    let [recorded_method, sent_method] = [recorded, sent].map(|side| side.method.to_string());
    if recorded_method != sent_method {
        found.add(|| Difference::Method {
            recorded: recorded_method,
            sent: sent_method,
        });
    }
    if recorded.target != sent.target {
        found.add(|| Difference::Path {
            recorded: cut(&recorded.target),
            sent: cut(&sent.target),
        });
    }
    if sent.role == Role::Operation {
        compare_query(&recorded.query, &sent.query, &mut found);
        for ((name, recorded), (_, sent)) in recorded.headers.iter().zip(&sent.headers) {
            if recorded != sent {
                let [recorded, sent] = [recorded, sent].map(|value| value.as_deref().map(cut));
                found.add(|| Difference::Header {
                    name: cut(name),
                    recorded,
                    sent,
                });
            }
        }
        match (&recorded.body, &sent.body) {
            (Body::None, Body::None) => {}
            (Body::Json(recorded), Body::Json(sent)) => {
                compare_json(recorded, sent, &mut String::new(), &mut found);
            }
            (Body::Bytes(recorded), Body::Bytes(sent)) => compare_bytes(recorded, sent, &mut found),
            (recorded, sent) => found.add(|| Difference::Body {
                pointer: String::new(),
                recorded: shown_body(recorded),
                sent: shown_body(sent),
            }),
        }
        // Compared last, because a missing body also has no type, and the missing body matters more.
        if recorded.content_type != sent.content_type {
            let [recorded, sent] = [recorded, sent].map(|side| cut(&side.content_type));
            found.add(|| Difference::ContentType { recorded, sent });
        }
    }
    (found.count, found.first)
}

/// Method, path and query of a request, for an error. The query of an authentication may contain a secret, so it is
/// omitted.
pub(super) fn summary(request: &Canonical) -> String {
    let mut text = format!("{} {}", request.method, request.target);
    if request.role == Role::Operation {
        for (index, (name, value)) in request.query.iter().enumerate() {
            text.push(if index == 0 { '?' } else { '&' });
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
    }
    cut(&text)
}

#[derive(Default)]
struct Found {
    count: usize,
    first: Option<Difference>,
}

impl Found {
    fn add(&mut self, difference: impl FnOnce() -> Difference) {
        self.count += 1;
        if self.first.is_none() {
            self.first = Some(difference());
        }
    }
}

fn compare_query(recorded: &[(String, String)], sent: &[(String, String)], found: &mut Found) {
    let only_recorded = without(recorded, sent);
    let only_sent = without(sent, recorded);
    let names: BTreeSet<&String> = only_recorded
        .iter()
        .chain(&only_sent)
        .map(|(name, _)| name)
        .collect();
    for name in names {
        let value = |pairs: &[(String, String)]| {
            pairs
                .iter()
                .find(|(candidate, _)| candidate == name)
                .map(|(_, value)| decoded(value))
        };
        found.add(|| Difference::Query {
            name: decoded(name),
            recorded: value(&only_recorded),
            sent: value(&only_sent),
        });
    }
}

/// The pairs that remain after each of `others` removes one. Both lists are sorted.
fn without(pairs: &[(String, String)], others: &[(String, String)]) -> Vec<(String, String)> {
    let mut others = others.iter().peekable();
    let mut left = Vec::new();
    for pair in pairs {
        while others.next_if(|other| *other < pair).is_some() {}
        if others.next_if_eq(&pair).is_none() {
            left.push(pair.clone());
        }
    }
    left
}

/// The reader that parsed both has bounded their depth.
fn compare_json(recorded: &Json, sent: &Json, pointer: &mut String, found: &mut Found) {
    let at_step = |pointer: &mut String,
                   step: &str,
                   recorded: Option<&Json>,
                   sent: Option<&Json>,
                   found: &mut Found| {
        let length = pointer.len();
        let _ = write!(pointer, "/{}", step.replace('~', "~0").replace('/', "~1"));
        match (recorded, sent) {
            (Some(recorded), Some(sent)) => compare_json(recorded, sent, pointer, found),
            _ => found.add(|| Difference::Body {
                pointer: cut(pointer),
                recorded: recorded.map(shown_json),
                sent: sent.map(shown_json),
            }),
        }
        pointer.truncate(length);
    };
    match (recorded, sent) {
        (Json::Object(recorded), Json::Object(sent)) => {
            for (key, value) in recorded {
                at_step(pointer, key, Some(value), sent.get(key), found);
            }
            for (key, value) in sent.iter().filter(|(key, _)| !recorded.contains_key(key)) {
                at_step(pointer, key, None, Some(value), found);
            }
        }
        (Json::Array(recorded), Json::Array(sent)) => {
            for index in 0..recorded.len().max(sent.len()) {
                at_step(
                    pointer,
                    &index.to_string(),
                    recorded.get(index),
                    sent.get(index),
                    found,
                );
            }
        }
        _ if recorded == sent => {}
        _ => found.add(|| Difference::Body {
            pointer: cut(pointer),
            recorded: Some(shown_json(recorded)),
            sent: Some(shown_json(sent)),
        }),
    }
}

fn compare_bytes(recorded: &[u8], sent: &[u8], found: &mut Found) {
    if recorded == sent {
        return;
    }
    let offset = recorded
        .iter()
        .zip(sent)
        .take_while(|(recorded, sent)| recorded == sent)
        .count();
    let from = |bytes: &[u8]| cut(&String::from_utf8_lossy(bytes.get(offset..).unwrap_or_default()));
    found.add(|| Difference::Bytes {
        offset,
        recorded: from(recorded),
        sent: from(sent),
    });
}

fn shown_body(body: &Body) -> Option<String> {
    match body {
        Body::None => None,
        Body::Json(value) => Some(shown_json(value)),
        Body::Bytes(bytes) => Some(cut(&String::from_utf8_lossy(bytes))),
    }
}

fn shown_json(value: &Json) -> String {
    cut(&value.to_string())
}

fn decoded(text: &str) -> String {
    cut(&percent_decode(text.as_bytes()).decode_utf8_lossy())
}

/// The text in double quotes, for an error.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", cut(text))
}

/// At most one line of a text, without characters that control a terminal or change the direction of writing.
pub(super) fn cut(text: &str) -> String {
    crate::text::shown(text, SHOWN_CHARS)
}
