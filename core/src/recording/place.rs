//! Reads JSON that another program wrote, with errors that name the location.

use crate::json::{Json, Object};

use super::error::Fault;

/// A value and its location. Locations are chained on the stack; the text of a location is built only for an error.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) value: &'p Json,
    step: Step<'p>,
    parent: Option<&'p Place<'p>>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Key(&'p str),
    Index(usize),
}

impl<'p> Place<'p> {
    pub(super) fn root(value: &'p Json) -> Self {
        Self {
            value,
            step: Step::Root,
            parent: None,
        }
    }

    /// A field, if it is present and not `null`.
    pub(super) fn get(&'p self, key: &'p str) -> Option<Place<'p>> {
        let value = self.value.get(key)?;
        (!value.is_null()).then_some(Place {
            value,
            step: Step::Key(key),
            parent: Some(self),
        })
    }

    /// A field that must be present.
    pub(super) fn need(&'p self, key: &'p str, expected: &str) -> Result<Place<'p>, Fault> {
        self.object()?;
        self.get(key).ok_or_else(|| Fault {
            at: Place {
                value: self.value,
                step: Step::Key(key),
                parent: Some(self),
            }
            .path(),
            expected: expected.to_owned(),
            found: "nothing".to_owned(),
        })
    }

    pub(super) fn object(&self) -> Result<&'p Object, Fault> {
        self.value.as_object().ok_or_else(|| self.expected("an object"))
    }

    pub(super) fn elements(&'p self) -> Result<impl Iterator<Item = Place<'p>>, Fault> {
        let list = self.value.as_array().ok_or_else(|| self.expected("a list"))?;
        let place = move |(index, value)| Place {
            value,
            step: Step::Index(index),
            parent: Some(self),
        };
        Ok(list.iter().enumerate().map(place))
    }

    pub(super) fn text(&self) -> Result<&'p str, Fault> {
        self.value.as_str().ok_or_else(|| self.expected("a text"))
    }

    pub(super) fn index(&self) -> Result<usize, Fault> {
        let number = self
            .value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| self.expected("an index, from 0"))
    }

    /// The fault for a value of the wrong kind.
    pub(super) fn expected(&self, expected: impl Into<String>) -> Fault {
        Fault {
            at: self.path(),
            expected: expected.into(),
            found: found(self.value),
        }
    }

    fn path(&self) -> String {
        let mut path = String::new();
        self.write_path(&mut path);
        if path.is_empty() {
            "the document".to_owned()
        } else {
            path
        }
    }

    fn write_path(&self, path: &mut String) {
        if let Some(parent) = self.parent {
            parent.write_path(path);
        }
        match self.step {
            Step::Root => {}
            Step::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Step::Index(index) => {
                path.push('[');
                path.push_str(&index.to_string());
                path.push(']');
            }
        }
    }
}

/// The value that was found, on one short line.
fn found(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => format!("the number {}", super::miss::cut(number.as_str())),
        Json::String(text) if text.is_empty() => "an empty text".to_owned(),
        Json::String(text) => super::miss::quoted(text),
        Json::Array(list) if list.is_empty() => "an empty list".to_owned(),
        Json::Array(_) => "a list".to_owned(),
        Json::Object(_) => "an object".to_owned(),
    }
}
