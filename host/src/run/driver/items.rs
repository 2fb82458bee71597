//! Taking items: what they are, what an earlier run knew of them, and what they have in common with others.

use std::borrow::{Borrow, Cow};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Driver, Entry, Slot};
use crate::call::Item;
use crate::description::Effect;
use crate::failure::{Failure, UNKNOWN};
use crate::journal::{Earlier, JournalError, State, Urgency, item_digest};
use crate::run::{ItemResult, Notice, OnUnknown};

/// Keys that are remembered where there is no journal: two megabytes, and far more items than are ever in a window.
const REMEMBERED: usize = 65_536;

impl Driver {
    pub(super) fn take(&mut self, item: Result<String, Failure>) {
        let index = self.taken;
        self.taken += 1;
        self.results.push_back(Slot::Pending);
        let (parameters, refused) = match item {
            Ok(parameters) => match is_object(&parameters) {
                Ok(()) => (parameters, None),
                Err(failure) => (parameters, Some(failure)),
            },
            Err(failure) => ("null".to_owned(), Some(failure)),
        };
        let mut entry = self.entry(index, parameters, refused.is_some());
        if let Some(result) = self.resume(&mut entry) {
            return self.put(index, result, 0);
        }
        if let Some(failure) = refused {
            return self.settle_unsent(entry, failure);
        }
        if entry.is_new && self.journal.is_none() {
            self.look_for_key(&entry);
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

    fn entry(&self, index: usize, parameters: String, is_refused: bool) -> Entry {
        let (thing, key) = if is_refused {
            (None, None)
        } else {
            self.facts(&parameters)
        };
        let digest = if self.journal.is_some() {
            item_digest(&parameters)
        } else {
            [0; 32]
        };
        let item = Item { index, parameters };
        Entry {
            item,
            thing,
            key,
            digest,
            tries: 0,
            tries_here: 0,
            begun: None,
            started: None,
            backoff: None,
            is_new: true,
        }
    }

    /// What an item changes, which the values of the path's parameters say, and the key that makes its repetition
    /// harmless. `None` where it changes nothing, or nothing says so.
    fn facts(&self, parameters: &str) -> (Option<String>, Option<String>) {
        let operation = &self.operation;
        if operation.effect == Effect::Read
            || operation.path_parameters.is_empty() && operation.key_parameter.is_none()
        {
            return (None, None);
        }
        // Most of an item is not looked at, and so not read.
        let Ok(fields) = serde_json::from_str::<HashMap<Name<'_>, &RawValue>>(parameters) else {
            return (None, None);
        };
        let value = |name: &str| serde_json::from_str(fields.get(name)?.get()).ok();
        let text = |name: &String| match value(name) {
            Some(Value::String(text)) => Value::from(text.trim()),
            // A text field takes a number as its digits.
            Some(Value::Number(number)) => Value::from(number.to_string()),
            other => other.unwrap_or_default(),
        };
        let thing = (!operation.path_parameters.is_empty())
            .then(|| Value::Array(operation.path_parameters.iter().map(text).collect()).to_string());
        let key = operation
            .key_parameter
            .as_ref()
            .map(text)
            .and_then(|key| match key {
                Value::Null => None,
                Value::String(text) if text.is_empty() => None,
                Value::String(text) => Some(text),
                other => Some(other.to_string()),
            });
        (thing, key)
    }

    /// What an earlier run with the same journal made of the item: its result, or `None` where it is to be run.
    fn resume(&mut self, entry: &mut Entry) -> Option<ItemResult> {
        let index = entry.item.index;
        let journal = self.journal.as_ref()?;
        let earlier = match journal.earlier(index) {
            Ok(earlier) => earlier?,
            Err(error) => return self.stop_at(index, error),
        };
        if earlier.digest != entry.digest {
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
        let error: Option<Value> = earlier
            .error
            .as_deref()
            .and_then(|error| serde_json::from_str(error).ok());
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

    fn look_for_key(&mut self, entry: &Entry) {
        let Some(key) = &entry.key else { return };
        if let Some(earlier) = self.recent.note(key, entry.item.index) {
            self.notice(Notice::SameKey {
                item: entry.item.index,
                earlier,
                key: key.clone(),
            });
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

/// A field's name, which is copied only where it has escapes in it.
#[derive(PartialEq, Eq, Hash, Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl Borrow<str> for Name<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

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
