//! JSON documents whose numbers keep their digits and whose objects keep their order.
//!
//! `serde_json`'s own value does both with the features `arbitrary_precision` and `preserve_order`. Cargo would turn
//! these on in the whole program that depends on this crate, and `arbitrary_precision` breaks programs: a number behind
//! `#[serde(untagged)]`, `#[serde(tag = …)]` or `#[serde(flatten)]` no longer deserialises into an `f64`.
//!
//! ```
//! use nodule_core::json::{self, Json};
//!
//! let document = Json::parse(r#"{"price": 1.50, "id": 12345678901234567890}"#)?;
//! assert_eq!(document["price"].as_f64(), Some(1.5));
//! assert_eq!(document.to_string(), r#"{"price":1.50,"id":12345678901234567890}"#);
//! assert_eq!(nodule_core::json!({"b": 1, "a": [true, null]}).to_string(), r#"{"b":1,"a":[true,null]}"#);
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! Serde reads and writes a [`Json`] like any other value. Numbers keep their digits where `serde_json` reads the text
//! directly. Behind the attributes above, and in other formats, a number has passed through an `f64` or a 64-bit
//! integer.

use std::fmt::{self, Display};
use std::io;
use std::ops;

mod convert;
mod number;
mod object;
mod parse;
mod serial;
#[cfg(test)]
mod tests;

pub use self::number::Number;
pub use self::object::Object;

/// How deep lists and objects may nest: as deep as `serde_json` reads them.
pub const MAX_DEPTH: usize = 127;

/// A JSON value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Json {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number with its digits: `1.0` and `1.00` are different values.
    Number(Number),
    /// A text.
    String(String),
    /// A list.
    Array(Vec<Json>),
    /// An object; comparison ignores the order of its fields.
    Object(Object),
}

impl Json {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// The text is not JSON (RFC 8259), is nested deeper than [`MAX_DEPTH`], or holds half of a surrogate pair.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        parse::document(serde_json::from_str(text), text.as_bytes())
    }

    /// Reads a document from UTF-8 bytes.
    ///
    /// # Errors
    ///
    /// As [`Json::parse`].
    pub fn from_slice(text: &[u8]) -> Result<Self, serde_json::Error> {
        parse::document(serde_json::from_slice(text), text)
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// Whether it is a number.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }

    /// Whether it is a text.
    #[must_use]
    pub fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    /// Whether it is `true` or `false`.
    #[must_use]
    pub fn is_boolean(&self) -> bool {
        matches!(self, Self::Bool(_))
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if it is a whole number that fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number()?.as_u64()
    }

    /// The number, if it is a whole number that fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number()?.as_i64()
    }

    /// The nearest float, if it is a number and the float is finite.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        self.as_number()?.as_f64()
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The list, if it is one.
    #[must_use]
    pub fn as_array(&self) -> Option<&Vec<Json>> {
        match self {
            Self::Array(list) => Some(list),
            _ => None,
        }
    }

    /// The object, if it is one.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// The object for changing, if it is one.
    pub fn as_object_mut(&mut self) -> Option<&mut Object> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// A field, if it is an object that has the field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.as_object()?.get(name)
    }

    /// Sorts the keys of all objects inside.
    pub fn sort_keys(&mut self) {
        match self {
            Self::Array(list) => list.iter_mut().for_each(Self::sort_keys),
            Self::Object(fields) => {
                fields.sort();
                fields.values_mut().for_each(Self::sort_keys);
            }
            _ => {}
        }
    }
}

/// A field; `null` if it is absent.
impl ops::Index<&str> for Json {
    type Output = Json;

    fn index(&self, name: &str) -> &Json {
        self.get(name).unwrap_or(&Json::Null)
    }
}

/// An element; `null` if it is absent.
impl ops::Index<usize> for Json {
    type Output = Json;

    fn index(&self, index: usize) -> &Json {
        self.as_array()
            .and_then(|list| list.get(index))
            .unwrap_or(&Json::Null)
    }
}

/// Compact JSON; in the alternate form (`{:#}`) indented, on several lines.
impl Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_indented = f.alternate();
        let writer = Writer(f);
        let written = if is_indented {
            serde_json::to_writer_pretty(writer, self)
        } else {
            serde_json::to_writer(writer, self)
        };
        written.map_err(|_| fmt::Error)
    }
}

/// `serde_json` writes valid UTF-8, and each text in one piece.
struct Writer<'f, 'b>(&'f mut fmt::Formatter<'b>);

impl io::Write for Writer<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        self.0.write_str(text).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes a [`Json`] from JSON syntax: `json!({"a": [1, null], "b": text})`.
///
/// A value that is not a literal is any expression of a type that converts to a [`Json`] by [`from`](From); it is
/// copied.
#[macro_export]
macro_rules! json {
    (null) => { $crate::json::Json::Null };
    ([ $($elements:tt)* ]) => {{
        #[allow(unused_mut, clippy::vec_init_then_push, reason = "for an empty list, and since each element has a form of its own")]
        let list = { let mut list = ::std::vec::Vec::new(); $crate::json!(@list list $($elements)*); list };
        $crate::json::Json::Array(list)
    }};
    ({ $($fields:tt)* }) => {{
        #[allow(unused_mut, reason = "for an empty object")]
        let fields = { let mut fields = $crate::json::Object::new(); $crate::json!(@object fields $($fields)*); fields };
        $crate::json::Json::Object(fields)
    }};
    (@list $list:ident) => {};
    (@list $list:ident null $(, $($rest:tt)*)?) => {
        $list.push($crate::json::Json::Null);
        $crate::json!(@list $list $($($rest)*)?);
    };
    (@list $list:ident [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        $list.push($crate::json!([ $($inner)* ]));
        $crate::json!(@list $list $($($rest)*)?);
    };
    (@list $list:ident { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $list.push($crate::json!({ $($inner)* }));
        $crate::json!(@list $list $($($rest)*)?);
    };
    (@list $list:ident $value:expr $(, $($rest:tt)*)?) => {
        $list.push($crate::json::Json::from(&$value));
        $crate::json!(@list $list $($($rest)*)?);
    };
    (@object $fields:ident) => {};
    (@object $fields:ident $name:literal : null $(, $($rest:tt)*)?) => {
        $fields.insert($name, $crate::json::Json::Null);
        $crate::json!(@object $fields $($($rest)*)?);
    };
    (@object $fields:ident $name:literal : [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        $fields.insert($name, $crate::json!([ $($inner)* ]));
        $crate::json!(@object $fields $($($rest)*)?);
    };
    (@object $fields:ident $name:literal : { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $fields.insert($name, $crate::json!({ $($inner)* }));
        $crate::json!(@object $fields $($($rest)*)?);
    };
    (@object $fields:ident $name:literal : $value:expr $(, $($rest:tt)*)?) => {
        $fields.insert($name, $crate::json::Json::from(&$value));
        $crate::json!(@object $fields $($($rest)*)?);
    };
    ($value:expr) => { $crate::json::Json::from(&$value) };
}
