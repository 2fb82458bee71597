//! The forms of a body. Each is written while the values are placed, one after the other.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::place::Draft;
use super::value::Value;
use crate::bindings::exports::workflow::node::types::Field;
use crate::json::{self, Kind, push_quoted};
use crate::percent;

/// A form of bodies.
pub struct Body {
    /// What the header `content-type` says; nothing where only the finished body decides that.
    pub content_type: Option<&'static str>,
    pub(crate) holds: Holds,
    /// Put a value onto the end of a body, by its name on the wire.
    pub(crate) push: fn(&mut String, &str, &Value),
    /// Behind the last value.
    pub(crate) finish: fn(&mut Draft),
    /// The one member that all of it stands in.
    within: &'static str,
}

/// What a body can hold, for what looks at a table as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Any JSON.
    Json,
    /// Fields, each by its name.
    Fields,
    /// Fields and files.
    Parts,
    /// A single value.
    One,
    /// A single file.
    #[cfg_attr(not(feature = "files"), expect(dead_code, reason = "no body holds one"))]
    File,
}

pub(crate) static JSON: Body = Body {
    content_type: Some("application/json"),
    holds: Holds::Json,
    push: |body, name, value| {
        body.push(if body.is_empty() { '{' } else { ',' });
        push_quoted(body, name);
        body.push(':');
        value.push_json(body);
    },
    finish: |draft| {
        if let Some(body) = &mut draft.body {
            body.push_str(if body.is_empty() { "{}" } else { "}" });
        }
    },
    within: "",
};

/// JSON, in an object that has it as this one member: `{"issue":{…}}`.
pub const fn within(name: &'static str) -> Body {
    Body {
        finish: |draft| {
            (JSON.finish)(draft);
            if let Some(body) = &mut draft.body {
                let mut outer = String::with_capacity(body.len() + draft.form.within.len() + 5);
                (JSON.push)(
                    &mut outer,
                    draft.form.within,
                    &Value::Literal(Cow::Borrowed(body)),
                );
                outer.push('}');
                *body = outer;
            }
        },
        within: name,
        ..JSON
    }
}

pub(crate) static FORM: Body = Body {
    content_type: Some("application/x-www-form-urlencoded"),
    holds: Holds::Fields,
    push: |body, name, value| push_field(body, name, value, percent::push_pair),
    finish: |_| {},
    within: "",
};

/// Until the last value is there, the body is a list of names and values.
pub(crate) static MULTIPART: Body = Body {
    content_type: None,
    holds: Holds::Parts,
    push: |body, name, value| {
        push_field(body, name, value, |body, name, value| {
            for text in [name, value] {
                body.push(if body.is_empty() { '[' } else { ',' });
                push_quoted(body, text);
            }
        });
    },
    finish: finish_multipart,
    within: "",
};

impl Body {
    /// A field is cleared by an empty text: `null` goes on the wire as one, for a service that takes `null` for nothing.
    #[must_use]
    pub const fn cleared_by_empty_text(mut self) -> Self {
        self.push = |body, name, value| {
            let is_null = matches!(value, Value::Literal(json) if json == "null");
            let empty = Value::Text(Cow::Borrowed(""));
            (JSON.push)(body, name, if is_null { &empty } else { value });
        };
        self
    }
}

/// A single parameter as it is, in UTF-8.
pub const fn bytes(content_type: &'static str) -> Body {
    Body {
        content_type: Some(content_type),
        holds: Holds::One,
        push: |body, _, value| body.push_str(value.plain()),
        finish: |_| {},
        within: "",
    }
}

/// Puts a name and its text onto the end of a body.
type Push = fn(&mut String, &str, &str);

fn push_field(body: &mut String, name: &str, value: &Value, push: Push) {
    match value {
        Value::Text(text) => push(body, name, text),
        Value::Literal(json) => push_nested(body, name, json, push),
    }
}

/// What is nested, by PHP's and Stripe's rule: `metadata[key]=…`, `lines[0][price]=…`, `tags[]=…`.
fn push_nested(body: &mut String, name: &str, json: &str, push: Push) {
    match json::kind(json) {
        Kind::Object => {
            for (key, value) in json::object(json).into_iter().flat_map(|object| object.0) {
                push_nested(body, &[name, "[", &key, "]"].concat(), value, push);
            }
        }
        Kind::Array => {
            for (index, value) in json::elements(json).into_iter().flatten().enumerate() {
                let index = match json::kind(value) {
                    Kind::Object | Kind::Array => index.to_string(),
                    _ => String::new(),
                };
                push_nested(body, &[name, "[", &index, "]"].concat(), value, push);
            }
        }
        // A field of a form is cleared by an empty text.
        Kind::Null => push(body, name, ""),
        Kind::Text => push(body, name, &json::string(json).unwrap_or_default()),
        Kind::Boolean | Kind::Number => push(body, name, json),
    }
}

/// RFC 7578, with names encoded as browsers do. The boundary is none that a value holds, or a value could add a part; else it is
/// always the same, so that a recorded request is.
fn finish_multipart(draft: &mut Draft) {
    let Some(mut list) = draft.body.take() else {
        return;
    };
    list.push_str(if list.is_empty() { "[]" } else { "]" });
    let texts: Vec<Cow<str>> = json::elements(&list)
        .into_iter()
        .flatten()
        .filter_map(json::string)
        .collect();
    // The texts hold fewer boundaries than characters.
    let boundary = (0..=list.len())
        .map(|number| format!("nodule-part-{number}"))
        .find(|boundary| !texts.iter().any(|text| text.contains(boundary.as_str())))
        .unwrap_or_default();
    #[cfg(feature = "files")]
    let boundary = draft
        .boundary
        .map_or(boundary, |random| format!("nodule-part-{random:032x}"));
    let mut parts = String::with_capacity(list.len());
    for pair in texts.chunks(2) {
        let [name, value] = pair else { continue };
        let name = in_quotes(name);
        let _ = write!(
            parts,
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
    }
    #[cfg(feature = "files")]
    push_files(draft, &boundary, &mut parts);
    let _ = write!(parts, "--{boundary}--\r\n");
    draft.headers.push(Field {
        name: "content-type".to_owned(),
        value: format!("multipart/form-data; boundary={boundary}"),
    });
    draft.put_text(parts);
}

fn in_quotes(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// Files stand behind the values; some services want it so.
#[cfg(feature = "files")]
fn push_files(draft: &mut Draft, boundary: &str, text: &mut String) {
    for placed in std::mem::take(&mut draft.files) {
        let Some(file) = placed.found else { continue };
        let (name, file_name) = (in_quotes(placed.name), in_quotes(file.name()));
        let media_type = file.media_type().replace(['\r', '\n'], " ");
        let _ = write!(
            text,
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{file_name}\"\r\ncontent-type: {media_type}\r\n\r\n"
        );
        let before = crate::file::Part::Bytes(std::mem::take(text).into_bytes());
        draft.parts.get_or_insert_default().extend([before, file.whole()]);
        text.push_str("\r\n");
    }
}

/// A file, and nothing beside it. Without one, the body is empty.
#[cfg(feature = "files")]
pub(crate) static FILE: Body = Body {
    content_type: None,
    holds: Holds::File,
    push: |_, _, _| {},
    finish: |draft| {
        let file = draft.files.pop().and_then(|placed| placed.found);
        if let Some(file) = file {
            draft.headers.push(Field {
                name: "content-type".to_owned(),
                value: file.media_type().to_owned(),
            });
            draft.body = None;
            draft.parts = Some(vec![file.whole()]);
        }
    },
    within: "",
};
