//! The forms of a body. Each is written while the values are placed, one after the other.

use super::value::Value;
use crate::json::{self, Kind, push_quoted};
use crate::percent;

/// A form of bodies.
pub struct Body {
    /// What the header `content-type` says.
    pub content_type: &'static str,
    /// Put a value onto the end of a body, by its name on the wire.
    pub(crate) push: fn(&mut String, &str, &Value),
    /// Behind the last value.
    pub(crate) finish: fn(&mut String),
}

pub(crate) static JSON: Body = Body {
    content_type: "application/json",
    push: |body, name, value| {
        body.push(if body.is_empty() { '{' } else { ',' });
        push_quoted(body, name);
        body.push(':');
        value.push_json(body);
    },
    finish: |body| body.push_str(if body.is_empty() { "{}" } else { "}" }),
};

pub(crate) static FORM: Body = Body {
    content_type: "application/x-www-form-urlencoded",
    push: |body, name, value| match value {
        Value::Text(text) => percent::push_pair(body, name, text),
        Value::Literal(json) => push_nested(body, name, json),
    },
    finish: |_| {},
};

/// What is nested, by PHP's and Stripe's rule: `metadata[key]=…`, `lines[0][price]=…`, `tags[]=…`.
fn push_nested(body: &mut String, name: &str, json: &str) {
    match json::kind(json) {
        Kind::Object => {
            for (key, value) in json::object(json).into_iter().flat_map(|object| object.0) {
                push_nested(body, &[name, "[", &key, "]"].concat(), value);
            }
        }
        Kind::Array => {
            for (index, value) in json::elements(json).into_iter().flatten().enumerate() {
                let index = match json::kind(value) {
                    Kind::Object | Kind::Array => index.to_string(),
                    _ => String::new(),
                };
                push_nested(body, &[name, "[", &index, "]"].concat(), value);
            }
        }
        // A field of a form is cleared by an empty text.
        Kind::Null => percent::push_pair(body, name, ""),
        Kind::Text => percent::push_pair(body, name, &json::string(json).unwrap_or_default()),
        Kind::Boolean | Kind::Number => percent::push_pair(body, name, json),
    }
}
