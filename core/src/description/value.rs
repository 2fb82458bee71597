//! Whether a value fits the kind of a parameter, as its default or in a condition.

use std::collections::{HashMap, HashSet};

use crate::json::Json;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use super::bounds::MAX_NESTING;
use super::json::{faults, found, is_scalar};
use super::places::ById;
use super::text::{is_deceptive, quoted};
use super::{Kind, Parameter, Pattern, Range, RowShape};

/// The choices of each parameter and the parameters of each list, indexed so that a lookup takes the same time however
/// many there are.
pub(super) struct Values<'a> {
    /// The choices of each closed choice, as JSON, by the parameter's ID.
    choices: HashMap<&'a str, HashSet<String>>,
    /// The parameters inside each group and row, by the parameter's ID, then by name, which some of them may share.
    inside: HashMap<&'a str, HashMap<&'a str, Vec<&'a Parameter>>>,
    /// The parameter that describes each element of a list of single values, by the list's ID.
    elements: HashMap<&'a str, &'a Parameter>,
    /// What the whole ID of each reference matches.
    ids: HashMap<&'a str, Pattern>,
}

impl<'a> Values<'a> {
    pub(super) fn new(by_id: &ById<'a>) -> Self {
        let mut values = Self {
            choices: HashMap::new(),
            inside: HashMap::new(),
            elements: HashMap::new(),
            ids: HashMap::new(),
        };
        for (id, parameter) in by_id {
            match &parameter.kind {
                Kind::Choice(choices) | Kind::ChooseMany(choices) if choices.is_closed() => {
                    let known = &choices.known;
                    let known = known.iter().map(|choice| choice.value.to_string());
                    values.choices.insert(id, known.collect());
                }
                kind @ (Kind::Group(_) | Kind::Rows(_)) => {
                    let inside = values.inside.entry(id).or_default();
                    for it in kind.children().iter().filter_map(|id| by_id.get(id.as_str())) {
                        inside.entry(it.name.as_str()).or_default().push(it);
                    }
                }
                Kind::Values(each) => {
                    let each = by_id.get(each.as_str()).map(|each| (*id, *each));
                    values.elements.extend(each);
                }
                Kind::Reference(reference) => {
                    let pattern = reference.id.as_deref().map(Pattern::parse);
                    values
                        .ids
                        .extend(pattern.and_then(Result::ok).map(|pattern| (*id, pattern)));
                }
                _ => {}
            }
        }
        values
    }

    /// What is wrong with a default, if anything. Requires a description whose parameters do not contain themselves.
    pub(super) fn default_fault(&self, parameter: &Parameter, value: &Json) -> Option<String> {
        if let Some(message) = faults(value) {
            return Some(message);
        }
        self.nested_fault(parameter, value, MAX_NESTING)
    }

    fn nested_fault(&self, parameter: &Parameter, value: &Json, levels: usize) -> Option<String> {
        let Some(levels) = levels.checked_sub(1) else {
            return Some("nested too deep".to_owned());
        };
        let expected = |what: &str| Some(format!("expected {what}, found {}", found(value)));
        match &parameter.kind {
            Kind::Secret => Some("a secret has no default: everybody would know it".to_owned()),
            Kind::AnyJson if value.is_null() => expected("no default rather than one of nothing"),
            Kind::Notice => Some("a notice has no value, and no default".to_owned()),
            Kind::Group(shape) => match under_key(shape.key.as_deref(), value) {
                Ok(fields) => self.members(&parameter.id, fields?, levels),
                Err(fault) => Some(fault),
            },
            Kind::Rows(shape) => match under_key(shape.key.as_deref(), value) {
                Ok(rows) => self.rows(&parameter.id, shape, rows?, levels),
                Err(fault) => Some(fault),
            },
            Kind::ChooseMany(_) => self.chosen(parameter, value),
            Kind::Values(_) => self.elements(parameter, value, levels),
            Kind::Columns(_) if !value.is_object() => expected("an object"),
            Kind::AnyJson | Kind::Columns(_) => None,
            _ => self.scalar_fault(parameter, value),
        }
    }

    /// What is wrong with a text, number or boolean that is a parameter's value or, for a list, in it, if anything. `None`
    /// for kinds that have neither.
    pub(super) fn scalar_fault(&self, parameter: &Parameter, value: &Json) -> Option<String> {
        let text = value.as_str();
        let fits = match &parameter.kind {
            Kind::Text | Kind::File => text.is_some_and(|text| !text.chars().any(is_deceptive)),
            Kind::Multiline => text.is_some_and(|text| {
                !text
                    .chars()
                    .any(|character| is_deceptive(character) && !matches!(character, '\n' | '\t'))
            }),
            Kind::Integer(range) => integer_fits(range, value),
            Kind::Number(range) => number_fits(range, value),
            Kind::Boolean => value.is_boolean(),
            Kind::Date => text.is_some_and(is_date),
            Kind::DateTime => text.is_some_and(is_date_time),
            Kind::Choice(choices) | Kind::ChooseMany(choices) if choices.is_closed() => self
                .choices
                .get(parameter.id.as_str())
                .is_some_and(|known| known.contains(&value.to_string())),
            Kind::Choice(_) | Kind::ChooseMany(_) => is_scalar(value),
            Kind::Reference(_) => is_scalar(value) && self.is_id(parameter, value),
            Kind::Values(_) => {
                let each = self.elements.get(parameter.id.as_str())?;
                return self.scalar_fault(each, value);
            }
            Kind::Secret
            | Kind::AnyJson
            | Kind::Group(_)
            | Kind::Rows(_)
            | Kind::Columns(_)
            | Kind::Notice => true,
        };
        (!fits).then(|| format!("expected {}, found {}", wanted(&parameter.kind), found(value)))
    }

    fn is_id(&self, parameter: &Parameter, value: &Json) -> bool {
        let pattern = self.ids.get(parameter.id.as_str());
        pattern.is_none_or(|pattern| match value {
            Json::String(text) => pattern.matches_whole(text),
            other => pattern.matches_whole(&other.to_string()),
        })
    }

    fn chosen(&self, parameter: &Parameter, value: &Json) -> Option<String> {
        let Json::Array(values) = value else {
            return Some(format!("expected a list, found {}", found(value)));
        };
        let mut seen = HashSet::new();
        values.iter().find_map(|value| {
            let twice = || format!("the value {} is there twice", found(value));
            let fault = self.scalar_fault(parameter, value);
            fault.or_else(|| (!seen.insert(value.to_string())).then(twice))
        })
    }

    fn elements(&self, parameter: &Parameter, value: &Json, levels: usize) -> Option<String> {
        let Json::Array(values) = value else {
            return Some(format!("expected a list, found {}", found(value)));
        };
        let each = self.elements.get(parameter.id.as_str())?;
        values
            .iter()
            .find_map(|value| self.nested_fault(each, value, levels))
    }

    fn members(&self, id: &str, value: &Json, levels: usize) -> Option<String> {
        let Json::Object(given) = value else {
            return Some(format!("expected an object, found {}", found(value)));
        };
        let inside = self.inside.get(id);
        given.iter().find_map(|(name, value)| {
            let Some(parameters) = inside.and_then(|inside| inside.get(name.as_str())) else {
                return Some(format!("unknown field {}", quoted(name)));
            };
            // Of parameters that share a name, one is shown: the value has to fit any of them.
            let faults = parameters.iter().map(|it| self.nested_fault(it, value, levels));
            let fault = faults.reduce(|first, other| other.and(first))??;
            Some(format!("field {}: {fault}", quoted(name)))
        })
    }

    fn rows(&self, id: &str, shape: &RowShape, rows: &Json, levels: usize) -> Option<String> {
        let Json::Array(rows) = rows else {
            return Some(format!("expected a list of rows, found {}", found(rows)));
        };
        let count = rows.len();
        let in_usize = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        if count < in_usize(shape.min) || shape.max.is_some_and(|max| count > in_usize(max)) {
            let max = shape.max.map_or(String::new(), |max| format!(" to {max}"));
            return Some(format!("expected {}{max} rows, found {count}", shape.min));
        }
        rows.iter().find_map(|row| self.members(id, row, levels))
    }
}

/// The value under the key of a group or of rows, if the default has one.
fn under_key<'j>(key: Option<&str>, value: &'j Json) -> Result<Option<&'j Json>, String> {
    let Some(key) = key else { return Ok(Some(value)) };
    let Json::Object(given) = value else {
        return Err(format!(
            "expected an object with the key {}, found {}",
            quoted(key),
            found(value)
        ));
    };
    match given.keys().find(|found| *found != key) {
        Some(found) => Err(format!(
            "expected the key {} alone, found {}",
            quoted(key),
            quoted(found)
        )),
        None => Ok(given.get(key)),
    }
}

/// The values that a kind takes, for `expected …`.
fn wanted(kind: &Kind) -> String {
    match kind {
        Kind::Text | Kind::File => "one line of text".to_owned(),
        Kind::Multiline => "a text".to_owned(),
        Kind::Integer(range) => format!("a whole number{}", limits(range)),
        Kind::Number(range) => format!("a number{}", limits(range)),
        Kind::Boolean => "true or false".to_owned(),
        Kind::Date => "a date as `yyyy-MM-dd`".to_owned(),
        Kind::DateTime => "an ISO 8601 date-time".to_owned(),
        Kind::Choice(choices) | Kind::ChooseMany(choices) if choices.is_closed() => {
            "one of the choices".to_owned()
        }
        Kind::Reference(reference) if reference.id.is_some() => "an ID as the pattern has it".to_owned(),
        _ => "a text, number or boolean".to_owned(),
    }
}

fn limits(range: &Range) -> String {
    let min = range.min.map_or(String::new(), |min| format!(" from {min}"));
    let max = range.max.map_or(String::new(), |max| format!(" up to {max}"));
    min + &max
}

/// Whether a parameter of this kind has one text, number or boolean as its value.
pub(crate) fn is_single(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Text
            | Kind::Multiline
            | Kind::Integer(_)
            | Kind::Number(_)
            | Kind::Boolean
            | Kind::Date
            | Kind::DateTime
            | Kind::Choice(_)
            | Kind::Reference(_)
            | Kind::File
    )
}

/// Whether a condition can compare a parameter of this kind.
pub(super) fn is_comparable(kind: &Kind) -> bool {
    is_single(kind) || matches!(kind, Kind::ChooseMany(_) | Kind::Values(_))
}

/// What is wrong with the limits of an integer, if anything.
pub(super) fn whole_fault(range: &Range) -> Option<String> {
    let limit = limits_of(range).find(|limit| limit.fract() != 0.0)?;
    Some(format!("expected whole numbers as its limits, found `{limit}`"))
}

/// What is wrong with a range, if anything.
pub(super) fn range_fault(range: &Range) -> Option<String> {
    if let Some(limit) = limits_of(range).find(|limit| !limit.is_finite()) {
        return Some(format!("expected numbers as its limits, found `{limit}`"));
    }
    match *range {
        Range {
            min: Some(min),
            max: Some(max),
        } if min > max => Some(format!(
            "expected the least value to be at most the greatest, found `{min}` and `{max}`"
        )),
        Range { .. } => None,
    }
}

fn limits_of(range: &Range) -> impl Iterator<Item = f64> {
    range.min.into_iter().chain(range.max)
}

/// A number in text form that a float cannot hold exactly is compared by the nearest float.
fn number_fits(range: &Range, value: &Json) -> bool {
    let Json::Number(number) = value else {
        return false;
    };
    let near = number.as_f64().unwrap_or(f64::NAN);
    range.min.is_none_or(|min| near >= min) && range.max.is_none_or(|max| near <= max)
}

fn integer_fits(range: &Range, value: &Json) -> bool {
    let Json::Number(number) = value else {
        return false;
    };
    // Examines the digits, because a float would lose the fraction of a long number.
    let digits = number.as_str().strip_prefix('-').unwrap_or(number.as_str());
    digits.bytes().all(|digit| digit.is_ascii_digit()) && number_fits(range, value)
}

fn is_date(text: &str) -> bool {
    text.len() == "yyyy-MM-dd".len() && text.parse::<Date>().is_ok()
}

fn is_date_time(text: &str) -> bool {
    text.parse::<Timestamp>().is_ok() || text.parse::<DateTime>().is_ok()
}
