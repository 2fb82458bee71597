//! Taking items: what they are, what an earlier run knew of them, and what they have in common with others.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

use nodule_core::json::Json;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::give::Slot;
use super::{Driver, Entry, Journaled};
use crate::run::call::Item;
use crate::run::journal::{Earlier, JournalError, State, Urgency, item_digest};
use crate::run::runner::BoundOperation;
use crate::run::{Notice, OnUnknown};
use nodule_core::description::Effect;
use nodule_core::failure::{Failure, UNKNOWN};
use nodule_core::outcome::ItemResult;

/// Keys that are remembered where there is no journal: two megabytes, and far more items than are ever in a window.
const REMEMBERED: usize = 65_536;

impl Driver {
    pub(super) fn take(&mut self, item: Result<String, Failure>) {
        let index = self.taken;
        self.taken += 1;
        self.results.push_back(Slot::Pending);
        let (parameters, facts) = match item {
            Ok(parameters) => {
                let facts = facts(&self.operation, &parameters);
                (parameters, facts)
            }
            Err(failure) => ("null".to_owned(), Err(failure)),
        };
        let (
            Facts {
                ordering_key,
                mut key,
            },
            refused,
        ) = match facts {
            Ok(facts) => (facts, None),
            Err(failure) => (Facts::default(), Some(failure)),
        };
        let journaled = self.journal.is_some().then(|| {
            Box::new(Journaled {
                digest: item_digest(&parameters),
                key: key.take(),
                started: None,
            })
        });
        let mut entry = Entry {
            item: Item { index, parameters },
            ordering_key,
            journaled,
            tries: 0,
            tries_here: 0,
            begun: None,
            backoff: None,
            is_new: true,
        };
        if let Some(result) = self.resume(&mut entry) {
            return self.put(index, result, 0);
        }
        if let Some(failure) = refused {
            return self.settle_unsent(entry, failure);
        }
        if let Some(key) = key {
            self.look_for_key(key, index);
        }
        if self.failed {
            return self.settle_unsent(entry, Failure::NotRun);
        }
        self.record(&entry, State::Waiting, None, Urgency::Later);
        entry.is_new = false;
        self.waiting.push_back(entry);
    }

    /// No more items come. Those that a journal has and nobody gave are missing.
    pub(super) fn end_of_items(&mut self) {
        self.ended = true;
        if let Some(journal) = &self.journal
            && self.taken < journal.recorded()
        {
            let (recorded, found) = (journal.recorded(), self.taken);
            self.fatal = Some(JournalError::FewerItems {
                path: journal.path().to_owned(),
                recorded,
                found,
            });
        }
    }

    /// What an earlier run with the same journal made of the item: its result, or `None` where it is to be run.
    fn resume(&mut self, entry: &mut Entry) -> Option<ItemResult> {
        let index = entry.item.index;
        let journal = self.journal.as_ref()?;
        let earlier = match journal.earlier(index) {
            Ok(earlier) => earlier?,
            Err(error) => return self.stop_at(index, error),
        };
        let is_same = |journaled: &Journaled| journaled.digest == earlier.digest;
        if !entry.journaled.as_deref().is_some_and(is_same) {
            let error = JournalError::OtherItem {
                path: journal.path().to_owned(),
                item: index,
            };
            return self.stop_at(index, error);
        }
        entry.is_new = false;
        entry.tries = earlier.tries;
        match earlier.state {
            State::Done => match journal.output(index, earlier.result.as_deref()) {
                Ok(output) => {
                    self.stats.update(|summary| summary.again += 1);
                    Some(Ok(output))
                }
                Err(error) => self.stop_at(index, error),
            },
            State::Started | State::Unknown if self.operation.is_write() => self.unknown(entry, &earlier),
            _ => None,
        }
    }

    /// A plain write of which nobody knows whether it was done.
    fn unknown(&mut self, entry: &Entry, earlier: &Earlier) -> Option<ItemResult> {
        if self.on_unknown == OnUnknown::Retry {
            return None;
        }
        let error = earlier.error.as_deref().and_then(|error| Json::parse(error).ok());
        let text = |name: &str| error.as_ref().and_then(|error| error.get(name)?.as_str());
        let (message, detail) = match (text("kind"), text("message")) {
            // An earlier resumption said it already.
            (Some(UNKNOWN), Some(message)) => {
                let detail = error.as_ref().and_then(|error| error.get("detail").cloned());
                (message.to_owned(), detail)
            }
            (_, Some(message)) => (
                format!("perhaps done by an earlier run: {message}"),
                error.clone(),
            ),
            _ => {
                let why = "perhaps done by an earlier run, which ended while its call was under way";
                (why.to_owned(), None)
            }
        };
        let failure = Failure::Other {
            kind: UNKNOWN.into(),
            message,
            detail,
        };
        if earlier.state == State::Started {
            self.record(entry, State::Unknown, Some(&failure), Urgency::Later);
        }
        if self.on_unknown == OnUnknown::Skip {
            self.stats.update(|summary| summary.skipped += 1);
            return Some(Ok(Vec::new()));
        }
        Some(Err(failure))
    }

    /// The journal cannot be gone on with from this item on, so nothing is.
    #[expect(clippy::unnecessary_wraps, reason = "what its callers return")]
    fn stop_at(&mut self, index: usize, error: JournalError) -> Option<ItemResult> {
        self.fatal.get_or_insert(error);
        self.ended = true;
        self.open_hole(index);
        // Its place is taken already, so this one is not used.
        Some(Err(Failure::NotRun))
    }

    fn look_for_key(&mut self, key: String, item: usize) {
        if let Some(earlier) = self.recent.note(&key, item) {
            self.notice(Notice::SameKey { item, earlier, key });
        }
    }
}

/// The keys of the last items, by their hashes.
#[derive(Default)]
pub(super) struct Recent {
    hasher: RandomState,
    seen: HashMap<u64, usize>,
    order: VecDeque<u64>,
}

impl Recent {
    /// The item that had the key first, if it is remembered.
    fn note(&mut self, key: &str, item: usize) -> Option<usize> {
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

/// What a run has to know of an item.
#[derive(Default)]
struct Facts {
    /// What it changes, which the values of the path's parameters say. `None` where it changes nothing, or nothing says so.
    ordering_key: Option<String>,
    /// What makes its repetition harmless.
    key: Option<String>,
}

/// The facts of an item, which has to be an object.
fn facts(operation: &BoundOperation, item: &str) -> Result<Facts, Failure> {
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
        // A name that is no text is the node's to refuse.
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

/// A value as the node takes it for a text.
fn text(value: Option<&RawValue>) -> Value {
    let Some(value) = value.map(RawValue::get) else {
        return Value::Null;
    };
    if let Ok(Text(text)) = serde_json::from_str(value) {
        return Value::from(text.trim());
    }
    if value.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        // A text field takes a number as its digits.
        return Value::from(value);
    }
    serde_json::from_str(value).unwrap_or_default()
}

/// What is looked at of an item: most of it is not, and so not read.
#[derive(Clone, Copy)]
struct Names<'n> {
    path: &'n [String],
    key: Option<&'n str>,
}

/// The values of these names, where they are given; the last of several, as JavaScript reads it.
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

/// A text, which is copied only where it has escapes in it.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A line that is no JSON object is a failed item, not the end.
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
        let mut recent = Recent::default();
        assert_eq!(recent.note("a", 0), None);
        assert_eq!(recent.note("a", 5), Some(0));
        for item in 0..REMEMBERED {
            recent.note(&item.to_string(), item);
        }
        assert_eq!(recent.note("a", 9), None);
        assert!(recent.seen.len() <= REMEMBERED);
    }
}
