//! Whether a value fits the kind of parameter that it is the default of, or that a condition compares it with.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde_json::Value;

use super::json::{faults, found, is_scalar};
use super::limits::MAX_NESTING;
use super::text::{is_deceptive, quoted};
use super::{Choices, IntegerRange, Kind, Node, RowShape};

/// What is wrong with a default. Only for a description whose parameters do not hold themselves.
pub(super) fn default_fault(node: &Node, kind: &Kind, value: &Value) -> Option<String> {
    if let Some(message) = faults(value) {
        return Some(message);
    }
    nested_fault(node, kind, value, MAX_NESTING)
}

fn nested_fault(node: &Node, kind: &Kind, value: &Value, levels: usize) -> Option<String> {
    let Some(levels) = levels.checked_sub(1) else {
        return Some("nested too deep".to_owned());
    };
    let expected = |what: &str| Some(format!("expected {what}, found {}", found(value)));
    match kind {
        Kind::Secret => Some("a secret has no default: everybody would know it".to_owned()),
        Kind::AnyJson if value.is_null() => expected("no default rather than one of nothing"),
        Kind::AnyJson => None,
        Kind::Group(fields) => members(node, fields, value, levels),
        Kind::Rows(shape) => rows(node, shape, value, levels),
        _ => scalar_fault(kind, value),
    }
}

/// What is wrong with a value for a kind that has texts, numbers or booleans as values; none for the others.
pub(super) fn scalar_fault(kind: &Kind, value: &Value) -> Option<String> {
    let text = value.as_str();
    let fits = match kind {
        Kind::Text => text.is_some_and(|text| !text.chars().any(is_deceptive)),
        Kind::Multiline => text.is_some_and(|text| {
            !text
                .chars()
                .any(|character| is_deceptive(character) && !matches!(character, '\n' | '\t'))
        }),
        Kind::Integer(range) => integer_fits(range, value),
        Kind::Number => value.is_number(),
        Kind::Boolean => value.is_boolean(),
        Kind::Date => text.is_some_and(is_date),
        Kind::DateTime => text.is_some_and(is_date_time),
        Kind::Choice(Choices { known, open: false }) => known.iter().any(|choice| choice.value == *value),
        Kind::Choice(_) => is_scalar(value),
        Kind::Secret | Kind::AnyJson | Kind::Group(_) | Kind::Rows(_) => true,
    };
    let expected = match kind {
        Kind::Text => "one line of text".to_owned(),
        Kind::Multiline => "a text".to_owned(),
        Kind::Integer(IntegerRange { min, max }) => {
            let min = min.map_or(String::new(), |min| format!(" from {min}"));
            let max = max.map_or(String::new(), |max| format!(" up to {max}"));
            format!("a whole number{min}{max}")
        }
        Kind::Number => "a number".to_owned(),
        Kind::Boolean => "true or false".to_owned(),
        Kind::Date => "a date as `yyyy-MM-dd`".to_owned(),
        Kind::DateTime => "an ISO 8601 date-time".to_owned(),
        Kind::Choice(Choices { open: false, .. }) => "one of the choices".to_owned(),
        _ => "a text, number or boolean".to_owned(),
    };
    (!fits).then(|| format!("expected {expected}, found {}", found(value)))
}

/// Whether a condition can compare a parameter of this kind with something.
pub(super) fn is_comparable(kind: &Kind) -> bool {
    !matches!(
        kind,
        Kind::Secret | Kind::AnyJson | Kind::Group(_) | Kind::Rows(_)
    )
}

/// What is wrong with a range.
pub(super) fn range_fault(range: &IntegerRange) -> Option<String> {
    let whole = |limit: Option<f64>| limit.is_none_or(|limit| limit.is_finite() && limit.fract() == 0.0);
    match *range {
        IntegerRange { min, max } if !whole(min) || !whole(max) => {
            let limit = if whole(min) { max } else { min }.unwrap_or_default();
            Some(format!("expected whole numbers as its limits, found `{limit}`"))
        }
        IntegerRange {
            min: Some(min),
            max: Some(max),
        } if min > max => Some(format!(
            "expected the least value to be at most the greatest, found `{min}` and `{max}`"
        )),
        IntegerRange { .. } => None,
    }
}

fn integer_fits(range: &IntegerRange, value: &Value) -> bool {
    let Value::Number(number) = value else {
        return false;
    };
    // Digits are looked at rather than a float, which would take the fraction off a long number.
    let digits = number.as_str().strip_prefix('-').unwrap_or(number.as_str());
    let whole = digits.bytes().all(|digit| digit.is_ascii_digit());
    let near = number.as_f64().unwrap_or(f64::NAN);
    whole && range.min.is_none_or(|min| near >= min) && range.max.is_none_or(|max| near <= max)
}

fn is_date(text: &str) -> bool {
    text.len() == "yyyy-MM-dd".len() && text.parse::<Date>().is_ok()
}

fn is_date_time(text: &str) -> bool {
    text.parse::<Timestamp>().is_ok() || text.parse::<DateTime>().is_ok()
}

fn members(node: &Node, ids: &[String], value: &Value, levels: usize) -> Option<String> {
    let Value::Object(given) = value else {
        return Some(format!("expected an object, found {}", found(value)));
    };
    given.iter().find_map(|(name, value)| {
        let Some(parameter) = node
            .parameters_by_id(ids)
            .find(|parameter| parameter.name == *name)
        else {
            return Some(format!("unknown field {}", quoted(name)));
        };
        let fault = nested_fault(node, &parameter.kind, value, levels)?;
        Some(format!("field {}: {fault}", quoted(name)))
    })
}

fn rows(node: &Node, shape: &RowShape, value: &Value, levels: usize) -> Option<String> {
    let Value::Object(given) = value else {
        return Some(format!("expected an object of rows, found {}", found(value)));
    };
    given.iter().find_map(|(key, rows)| {
        if *key != shape.name {
            return Some(format!(
                "expected the key {} alone, found {}",
                quoted(&shape.name),
                quoted(key)
            ));
        }
        let Value::Array(rows) = rows else {
            return Some(format!("expected a list of rows, found {}", found(rows)));
        };
        rows.iter()
            .find_map(|row| members(node, &shape.columns, row, levels))
    })
}
