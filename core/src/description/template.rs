//! A text with a credential's fields in it: `Bearer {token}`.
//!
//! | in the template | becomes |
//! | --- | --- |
//! | `{token}` | the value of the field with the name `token` |
//! | `{basic:user:password}` | the Base64 of both values with a colon between them (RFC 7617); an absent password is empty |
//! | `{{`, `}}` | `{`, `}` |
//! | everything else | itself |
//!
//! A field whose name contains a brace, or begins with `basic:`, cannot be in a template.
//!
//! What a value may be, and how it is encoded, depends on the [`Destination`]: no value can end a header, a parameter of
//! the query, a path segment or a host early, and add something of its own. No error shows a value.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::utf8_percent_encode;
use thiserror::Error;

use super::text::{is_deceptive, quoted};
use crate::canonical::RESERVED;

/// A text with a credential's fields in it.
///
/// ```
/// use nodule_core::description::{Destination, TextTemplate};
///
/// let template = TextTemplate::parse("Bearer {token}")?;
/// let value = |name: &str| (name == "token").then_some("a b");
/// assert_eq!(template.render(value, Destination::Header)?, "Bearer a b");
/// assert_eq!(template.render(value, Destination::Query)?, "Bearer%20a%20b");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextTemplate {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(String),
    Basic { user: String, password: String },
}

/// Where a rendered template goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The value of a header: control characters are refused.
    Header,
    /// The value of a parameter of the query: all of it is percent-encoded.
    Query,
    /// The host of a URL: the result must be labels of `a`–`z`, digits and `-`, and no address. Capital letters become
    /// small ones.
    UrlHost,
    /// A part of a URL's path: values are percent-encoded, an empty one is refused.
    UrlPath,
}

/// A text is no template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}, found {}", quoted(.text))]
pub struct TemplateError {
    message: String,
    text: String,
}

/// A template cannot be rendered with the values of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The field has no value. A header or a parameter of the query is left out then.
    #[error("the field {} has no value", quoted(field))]
    Absent {
        /// The name of the field.
        field: String,
    },
    /// The value cannot go there.
    #[error("the field {}: expected {expected}", quoted(field))]
    Value {
        /// The name of the field.
        field: String,
        /// What could.
        expected: &'static str,
    },
    /// The values fit, and the whole does not.
    #[error("{}: expected {expected} after the fields are filled in", quoted(template))]
    Whole {
        /// The template.
        template: String,
        /// What could go there.
        expected: &'static str,
    },
}

impl TextTemplate {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// Its braces do not pair up or enclose no name, or it contains a control character.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let fault = |message: &str| TemplateError {
            message: message.to_owned(),
            text: text.to_owned(),
        };
        if text.chars().any(is_deceptive) {
            return Err(fault("expected no control characters"));
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            if let Some((brace, after)) = [("{", "{{"), ("}", "}}")]
                .iter()
                .find_map(|(brace, pair)| Some((brace, from.strip_prefix(pair)?)))
            {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            let (name, after) = from
                .strip_prefix('{')
                .and_then(|inside| inside.split_once('}'))
                .ok_or_else(|| fault("expected `{field}`, or `{{` and `}}` for braces"))?;
            let part = Part::of(name)
                .ok_or_else(|| fault("expected a field's name in braces, or `{basic:user:password}`"))?;
            parts.extend((!literal.is_empty()).then(|| Part::Text(std::mem::take(&mut literal))));
            parts.push(part);
            rest = after;
        }
        literal.push_str(rest);
        parts.extend((!literal.is_empty()).then_some(Part::Text(literal)));
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }

    /// The names of the fields in it, in order.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().flat_map(|part| {
            match part {
                Part::Text(_) => [None, None],
                Part::Field(name) => [Some(name.as_str()), None],
                Part::Basic { user, password } => [Some(user.as_str()), Some(password.as_str())],
            }
            .into_iter()
            .flatten()
        })
    }

    /// Whether a `{basic:…}` or a brace is in it, which no URL has.
    pub(super) fn is_for_urls(&self) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Text(text) => !text.contains(['{', '}']),
            Part::Field(_) => true,
            Part::Basic { .. } => false,
        })
    }

    /// The text with each field replaced by the same text.
    pub(super) fn with_each(&self, value: &str) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Field(_) | Part::Basic { .. } => value,
        });
        parts.collect()
    }

    /// The text with the fields filled in. `value` returns the value of the field with a name, as a text.
    ///
    /// # Errors
    ///
    /// A field has no value, or one that cannot go there.
    pub fn render<'v>(
        &self,
        value: impl Fn(&str) -> Option<&'v str>,
        destination: Destination,
    ) -> Result<String, RenderError> {
        let out = self.fill(value, destination)?;
        match destination {
            Destination::Header | Destination::UrlPath => Ok(out),
            Destination::Query => Ok(utf8_percent_encode(&out, RESERVED).to_string()),
            Destination::UrlHost if is_host_name(&out) => Ok(out),
            Destination::UrlHost => Err(RenderError::Whole {
                template: self.text.clone(),
                expected: "a host's name",
            }),
        }
    }

    /// Like [`TextTemplate::render`], without the percent-encoding of a query and the check of the whole host.
    pub(crate) fn fill<'v>(
        &self,
        value: impl Fn(&str) -> Option<&'v str>,
        destination: Destination,
    ) -> Result<String, RenderError> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Field(name) => {
                    let value = value(name).ok_or_else(|| RenderError::Absent { field: name.clone() })?;
                    out.push_str(&fitted(name, value, destination)?);
                }
                Part::Basic { user, password } => {
                    let name = value(user).ok_or_else(|| RenderError::Absent { field: user.clone() })?;
                    if name.contains(':') {
                        return Err(RenderError::Value {
                            field: user.clone(),
                            expected: "a user without a colon",
                        });
                    }
                    let both = [name, ":", value(password).unwrap_or_default()].concat();
                    out.push_str(&STANDARD.encode(both));
                }
            }
        }
        Ok(out)
    }

    /// A template for each `{basic:…}` in it.
    pub(crate) fn basics(&self) -> impl Iterator<Item = Self> {
        self.parts.iter().filter_map(|part| match part {
            Part::Basic { .. } => Some(Self {
                text: self.text.clone(),
                parts: vec![part.clone()],
            }),
            Part::Text(_) | Part::Field(_) => None,
        })
    }

    /// The template as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for TextTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Part {
    /// What stands between two braces.
    fn of(name: &str) -> Option<Self> {
        if name.is_empty() || name.contains('{') {
            return None;
        }
        let Some(both) = name.strip_prefix("basic:") else {
            return Some(Self::Field(name.to_owned()));
        };
        let (user, password) = both.split_once(':')?;
        let is_sound = !user.is_empty() && !password.is_empty() && !password.contains(':');
        is_sound.then(|| Self::Basic {
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }
}

/// A value as it goes to its destination.
fn fitted<'v>(field: &str, value: &'v str, destination: Destination) -> Result<Cow<'v, str>, RenderError> {
    let (fits, expected) = match destination {
        Destination::Header => (
            !value.chars().any(char::is_control),
            "a value without line breaks and other control characters",
        ),
        Destination::Query => (true, ""),
        Destination::UrlHost => (
            !value.is_empty() && value.bytes().all(is_of_labels),
            "a value of letters, digits, `-` and `.`",
        ),
        Destination::UrlPath => (
            !["", ".", ".."].contains(&value) && !value.chars().any(char::is_control),
            "a value that can be a part of a path",
        ),
    };
    if !fits {
        return Err(RenderError::Value {
            field: field.to_owned(),
            expected,
        });
    }
    Ok(match destination {
        Destination::Header | Destination::Query => Cow::Borrowed(value),
        Destination::UrlHost => Cow::Owned(value.to_ascii_lowercase()),
        Destination::UrlPath => utf8_percent_encode(value, RESERVED).into(),
    })
}

fn is_of_labels(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')
}

/// Whether a text is the name of a host in lower case: labels, of which the last is no number.
pub(super) fn is_host_name(text: &str) -> bool {
    const MAX_NAME: usize = 253;
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit()) || label.starts_with("0x");
    text.len() <= MAX_NAME && text.split('.').all(is_label) && !text.rsplit('.').next().is_some_and(is_number)
}

/// Whether a text is a label of a host's name in lower case.
pub(super) fn is_label(label: &str) -> bool {
    const MAX_LABEL: usize = 63;
    !label.is_empty()
        && label.len() <= MAX_LABEL
        && label
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests;
