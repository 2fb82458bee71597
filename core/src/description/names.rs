//! What may be a name, and which parameters of a list may share one.
//!
//! A parameter's name is whatever the workflows of a service already store, so it is nearly any text. Everything else has
//! camelCase names. Names become object keys, also in engines written in JavaScript.

use std::collections::{HashMap, HashSet};

use super::bounds::{MAX_NAME_BYTES, MAX_SAME_NAME};
use super::check::Problems;
use super::places::ById;
use super::text::{is_deceptive, quoted};
use super::{Holds, Kind, Parameter};
use crate::json::Json;

/// The properties that every JavaScript object inherits.
const INHERITED: [&str; 13] = [
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "prototype",
    "toLocaleString",
    "toString",
    "valueOf",
];

/// What is wrong with a name in camelCase, if anything.
pub(super) fn camel_case_fault(name: &str) -> Option<String> {
    let camel_case = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|character| character.is_ascii_alphanumeric());
    if !camel_case {
        return Some(format!(
            "expected a camelCase name (`a`–`z`, then letters and digits), found {}",
            quoted(name)
        ));
    }
    key_fault(name)
}

/// What is wrong with a parameter's name, if anything.
pub(super) fn parameter_fault(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("expected a name, found none".to_owned());
    }
    if let Some(found) = name.chars().find(|character| is_deceptive(*character)) {
        return Some(format!(
            "the character U+{:04X} is not allowed in {}",
            u32::from(found),
            quoted(name)
        ));
    }
    if name.trim() != name {
        return Some(format!(
            "expected no blank at the ends of a name, found {}",
            quoted(name)
        ));
    }
    // `$credential` and the like are members that hosts add.
    if name.starts_with('$') {
        return Some(format!("a name cannot begin with `$`, found {}", quoted(name)));
    }
    key_fault(name)
}

fn key_fault(name: &str) -> Option<String> {
    if name.len() > MAX_NAME_BYTES {
        return Some(format!(
            "expected a name of at most {MAX_NAME_BYTES} bytes, found {}",
            name.len()
        ));
    }
    INHERITED.contains(&name).then(|| {
        format!(
            "{} is what every JavaScript object has, and cannot be a name",
            quoted(name)
        )
    })
}

/// Checks which parameters of a list share a name. Remembers what it has compared, since lists share parameters.
pub(super) struct SameNames<'n, 'a> {
    by_id: &'n ById<'a>,
    facts: HashMap<&'a str, Facts<'a>>,
    exclude: HashMap<(&'a str, &'a str), bool>,
}

impl<'n, 'a> SameNames<'n, 'a> {
    pub(super) fn new(by_id: &'n ById<'a>) -> Self {
        Self {
            by_id,
            facts: HashMap::new(),
            exclude: HashMap::new(),
        }
    }

    /// Two parameters of a list may have the same name if they are never shown at the same time.
    pub(super) fn check(&mut self, at: &str, ids: &'a [String], problems: &mut Problems) {
        let mut by_name: HashMap<&str, Vec<&'a Parameter>> = HashMap::new();
        for parameter in ids.iter().filter_map(|id| self.by_id.get(id.as_str()).copied()) {
            let others = by_name.entry(parameter.name.as_str()).or_default();
            if others.len() == MAX_SAME_NAME {
                let name = quoted(&parameter.name);
                let message =
                    format!("expected at most {MAX_SAME_NAME} parameters with the name {name}, found more");
                problems.add(at, message);
                continue;
            }
            if others
                .iter()
                .any(|other| other.id != parameter.id && !self.never_together(other, parameter))
            {
                let message = format!(
                    "two parameters with the name {}, the second is {}: expected conditions that exclude each other",
                    quoted(&parameter.name),
                    quoted(&parameter.id)
                );
                problems.add(at, message);
            }
            others.push(parameter);
        }
    }

    fn never_together(&mut self, one: &'a Parameter, other: &'a Parameter) -> bool {
        if one.visible_when.is_empty() || other.visible_when.is_empty() {
            return false;
        }
        let pair = (one.id.as_str(), other.id.as_str());
        if let Some(known) = self.exclude.get(&pair) {
            return *known;
        }
        for parameter in [one, other] {
            let by_id = self.by_id;
            let facts = self.facts.entry(parameter.id.as_str());
            facts.or_insert_with(|| Facts::of(parameter, by_id));
        }
        let (one, other) = (self.facts.get(pair.0), self.facts.get(pair.1));
        let exclude = one.zip(other).is_some_and(|(one, other)| one.excludes(other));
        self.exclude.insert(pair, exclude);
        exclude
    }
}

/// What a parameter's conditions say, by their subject.
struct Facts<'a>(HashMap<&'a str, Fact>);

#[derive(Default)]
struct Fact {
    /// Whether the subject's value is a list, which may contain two values at once.
    is_list: bool,
    /// The smallest `oneOf`.
    one_of: Option<Vec<Scalar>>,
    none_of: HashSet<String>,
}

struct Scalar {
    exact: String,
    /// Of all spellings of a number the same.
    near: String,
}

impl Scalar {
    fn of(value: &Json) -> Self {
        let exact = value.to_string();
        let near = match value.as_f64() {
            Some(number) => number.to_string(),
            None => exact.clone(),
        };
        Self { exact, near }
    }
}

impl<'a> Facts<'a> {
    fn of(parameter: &'a Parameter, by_id: &ById<'_>) -> Self {
        let mut facts: HashMap<&str, Fact> = HashMap::new();
        for condition in &parameter.visible_when {
            let fact = facts.entry(condition.parameter.as_str()).or_default();
            let subject = by_id.get(condition.parameter.as_str());
            fact.is_list = subject.is_none_or(|it| matches!(it.kind, Kind::ChooseMany(_) | Kind::Values(_)));
            match &condition.holds {
                Holds::OneOf(values) => {
                    if fact
                        .one_of
                        .as_ref()
                        .is_none_or(|known| values.len() < known.len())
                    {
                        fact.one_of = Some(values.iter().map(Scalar::of).collect());
                    }
                }
                Holds::NoneOf(values) => fact.none_of.extend(values.iter().map(Json::to_string)),
                Holds::Set => {}
            }
        }
        Self(facts)
    }

    fn excludes(&self, other: &Self) -> bool {
        self.0.iter().any(|(subject, fact)| {
            let other = other.0.get(subject);
            other.is_some_and(|other| {
                fact.is_disjoint(other) || fact.is_ruled_out_by(other) || other.is_ruled_out_by(fact)
            })
        })
    }
}

impl Fact {
    fn is_disjoint(&self, other: &Self) -> bool {
        let (Some(one), Some(other), false) = (&self.one_of, &other.one_of, self.is_list) else {
            return false;
        };
        let near: HashSet<&str> = one.iter().map(|value| value.near.as_str()).collect();
        !other.iter().any(|value| near.contains(value.near.as_str()))
    }

    fn is_ruled_out_by(&self, other: &Self) -> bool {
        let one_of = self.one_of.as_ref();
        one_of.is_some_and(|values| values.iter().all(|value| other.none_of.contains(&value.exact)))
    }
}
