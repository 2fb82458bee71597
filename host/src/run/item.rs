//! An item, and what a run needs to know of it: its ordering key and the key that makes repeating it harmless.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use nodule_core::description::Effect;
use nodule_core::failure::{Failure, ParameterProblem};
use nodule_core::outcome::{ItemResult, Output};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::given::Given;
use super::runner::BoundOperation;
use crate::gate::file::InputFile;

/// The number of keys remembered without a journal: two megabytes, and far more items than are ever in a window.
const REMEMBERED: usize = 65_536;

/// An item: its index in the run, and its parameters as JSON text.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) index: usize,
    pub(crate) parameters: String,
    /// The files that go with it.
    pub(crate) files: Arc<[InputFile]>,
    /// What does not fit the form of the operation. Such an item fails when it is its turn, and the node never sees it.
    pub(crate) problems: Vec<ParameterProblem>,
    /// How far it has come with its rows; `None` if they are not streamed.
    pub(crate) given: Option<Arc<Given>>,
}

impl Item {
    /// How many rows it has given.
    pub(crate) fn rows(&self) -> u64 {
        self.given.as_ref().map_or(0, |given| given.rows())
    }
}

/// An item with its result, or with a part of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Completed {
    /// The item's position, from 0.
    pub index: usize,
    /// How often this run tried it; 0 if it was never sent, or if an earlier run with the same journal had done it.
    pub tries: u32,
    /// From the start of its first try to its result, waits included; zero if there was no try.
    pub duration: Duration,
    /// Its output items, or its failure.
    pub result: ItemResult,
    /// Which part of the item's rows these are.
    pub part: Part,
}

impl Completed {
    /// A part that an earlier run gave.
    pub(super) fn earlier(index: usize, rows: Vec<Output>) -> Self {
        Self {
            index,
            tries: 0,
            duration: Duration::ZERO,
            result: Ok(rows),
            part: Part::Rows,
        }
    }
}

/// Which part of an item's rows a result has. Without [`RunOptions::stream_rows`](super::RunOptions::stream_rows) and
/// [`RunOptions::limit`](super::RunOptions::limit) every result is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Part {
    /// All of them.
    #[default]
    Whole,
    /// Some of them, while the item goes on. More results of the item follow.
    Rows,
    /// The last of them, or the failure after them.
    End {
        /// How many rows the item gave in all; those of an earlier run with the same journal count.
        rows: u64,
        /// Whether that is all there is. If not, the item gave as many rows as it may.
        is_complete: bool,
    },
}

/// Why a source yields no item.
#[derive(Debug)]
#[non_exhaustive]
pub enum ItemError {
    /// This item cannot be read. The item fails with this failure, and the run continues.
    Item(Failure),
    /// The source broke, and items are missing. The stream of results finishes with an error.
    Source(Box<dyn std::error::Error + Send + Sync>),
}

impl From<Failure> for ItemError {
    fn from(failure: Failure) -> Self {
        Self::Item(failure)
    }
}

impl fmt::Display for ItemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(failure) => failure.fmt(f),
            Self::Source(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ItemError {}

/// The most recent keys, by hash.
#[derive(Default)]
pub(super) struct RecentKeys {
    hasher: RandomState,
    seen: HashMap<u64, usize>,
    order: VecDeque<u64>,
}

impl RecentKeys {
    /// Remembers a key, and returns the earlier item that had it.
    pub(super) fn note(&mut self, key: &str, item: usize) -> Option<usize> {
        let hash = self.hasher.hash_one(key);
        if let Some(earlier) = self.seen.get(&hash) {
            return Some(*earlier);
        }
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.seen.insert(hash, item);
        self.order.push_back(hash);
        None
    }
}

/// What a run needs to know of an item.
#[derive(Default)]
pub(super) struct Facts {
    /// What the item changes, from the values of the path's parameters. `None` if it changes nothing, or if the path
    /// does not say what.
    pub(super) ordering_key: Option<String>,
    /// The value that makes repeating the item harmless.
    pub(super) key: Option<String>,
}

/// Checks an item against the form of its operation. Returns its parameters as the node gets them, with each reference
/// as its ID, and what is wrong with them.
pub(super) fn check(
    operation: &BoundOperation,
    parameters: String,
    files: &[InputFile],
) -> (String, Vec<ParameterProblem>) {
    let keys: Vec<&str> = files.iter().map(|file| file.key.as_str()).collect();
    match operation.form.resolve_with(&parameters, &keys) {
        Ok(Cow::Owned(resolved)) => (resolved, Vec::new()),
        Ok(Cow::Borrowed(_)) => (parameters, Vec::new()),
        Err(problems) => (parameters, problems),
    }
}

/// Reads the facts of an item, which has to be an object.
pub(super) fn facts(operation: &BoundOperation, item: &str) -> Result<Facts, Failure> {
    let names = Names {
        path: &operation.path_parameters,
        key: operation.key_parameter.as_deref(),
    };
    let nothing = names.path.is_empty() && names.key.is_none();
    if operation.effect == Effect::Read || nothing {
        return is_object(item).map(|()| Facts::default());
    }
    let mut reader = serde_json::Deserializer::from_str(item);
    let values = names.deserialize(&mut reader);
    let Ok(values) = values.and_then(|values| reader.end().map(|()| values)) else {
        // The node, not the host, refuses a key that is no text.
        return is_object(item).map(|()| Facts::default());
    };
    let ordering_key = (!names.path.is_empty())
        .then(|| Value::Array(values.path.into_iter().map(text).collect()).to_string());
    let key = match text(values.key) {
        Value::Null => None,
        Value::String(text) => Some(text).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    };
    Ok(Facts { ordering_key, key })
}

/// Reads a value as the node reads a text field.
fn text(value: Option<&RawValue>) -> Value {
    let Some(value) = value.map(RawValue::get) else {
        return Value::Null;
    };
    if let Ok(Text(text)) = serde_json::from_str(value) {
        return Value::from(text.trim());
    }
    if value.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        // A text field takes a number by its digits.
        return Value::from(value);
    }
    serde_json::from_str(value).unwrap_or_default()
}

/// The members of an item to read; all others are skipped.
#[derive(Clone, Copy)]
struct Names<'n> {
    path: &'n [String],
    key: Option<&'n str>,
}

/// The values of those members, where present. Of duplicates the last one counts, as in JavaScript.
struct Values<'a> {
    path: Vec<Option<&'a RawValue>>,
    key: Option<&'a RawValue>,
}

impl<'a> DeserializeSeed<'a> for Names<'_> {
    type Value = Values<'a>;

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<Values<'a>, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Names<'_> {
    type Value = Values<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut members: M) -> Result<Values<'a>, M::Error> {
        let mut values = Values {
            path: vec![None; self.path.len()],
            key: None,
        };
        while let Some(Text(name)) = members.next_key()? {
            let place = self.path.iter().position(|known| *known == name);
            let is_key = self.key == Some(&*name);
            if place.is_none() && !is_key {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = Some(members.next_value()?);
            if let Some(known) = place.and_then(|place| values.path.get_mut(place)) {
                *known = value;
            }
            if is_key {
                values.key = value;
            }
        }
        Ok(values)
    }
}

/// A text, copied only if it contains escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Checks that an item is a JSON object. Otherwise the item fails, and the run continues.
fn is_object(text: &str) -> Result<(), Failure> {
    let found = match serde_json::from_str::<&RawValue>(text) {
        Ok(value) => match value.get().as_bytes().first() {
            Some(b'{') => return Ok(()),
            Some(b'[') => "a list".to_owned(),
            Some(b'"') => "a text".to_owned(),
            Some(b'n') => "null".to_owned(),
            Some(b't' | b'f') => "a boolean".to_owned(),
            _ => "a number".to_owned(),
        },
        Err(error) => format!("a text that is not JSON: {error}"),
    };
    Err(Failure::InvalidInput(format!(
        "the item: expected a JSON object, found {found}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_are_items() {
        assert_eq!(is_object(" {\"a\": 1}"), Ok(()));
        for (text, found) in [
            ("[1]", "a list"),
            ("7", "a number"),
            ("null", "null"),
            ("\"a\"", "a text"),
        ] {
            let Err(Failure::InvalidInput(message)) = is_object(text) else {
                panic!("{text} was taken")
            };
            assert!(message.ends_with(found), "{message}");
        }
        assert!(is_object("{\"a\":").is_err());
        assert!(is_object("").is_err());
    }

    #[test]
    fn an_item_is_read_for_what_it_changes_and_its_key() {
        let path = ["cardNo".to_owned(), "code".to_owned()];
        let names = Names {
            path: &path,
            key: Some("code"),
        };
        let read = |item: &str| {
            let values = names.deserialize(&mut serde_json::Deserializer::from_str(item));
            values.ok().map(|values| {
                let path: Vec<Value> = values.path.into_iter().map(text).collect();
                (Value::from(path).to_string(), text(values.key))
            })
        };
        for (item, path, key) in [
            (
                r#"{"other":{"code":1},"code":" a ","cardNo":7}"#,
                r#"["7","a"]"#,
                "a",
            ),
            (r#"{"code":"a","co\u0064e":"\u0062"}"#, r#"[null,"b"]"#, "b"),
            (r#"{"code":1.50,"cardNo":null}"#, r#"[null,"1.50"]"#, "1.50"),
        ] {
            assert_eq!(read(item), Some((path.to_owned(), key.into())), "{item}");
        }
        assert_eq!(read("{}"), Some(("[null,null]".to_owned(), Value::Null)));
        assert_eq!(read("[]"), None);
        assert_eq!(read(r#"{"code":tru}"#), None);
    }

    #[test]
    fn the_first_item_with_a_key_is_named_and_old_keys_are_forgotten() {
        let mut recent = RecentKeys::default();
        assert_eq!(recent.note("a", 0), None);
        assert_eq!(recent.note("a", 5), Some(0));
        for item in 0..REMEMBERED {
            recent.note(&item.to_string(), item);
        }
        assert_eq!(recent.note("a", 9), None);
        assert!(recent.seen.len() <= REMEMBERED);
    }
}
