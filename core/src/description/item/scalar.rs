//! Whether a value can be read as a kind of single values.

use super::date::{is_date, is_epoch_ms, is_instant};
use super::form::{Known, Shape};
use super::number::{is_whole, is_within, may_be_same, number};
use super::read::{JsonKind, form, form_of, kind, string};
use crate::json::Json;

/// Whether the value, which is not blank, can be read. Kinds that contain others take anything here.
pub(super) fn fits(shape: &Shape, raw: &str) -> bool {
    let given = kind(raw);
    // Half of a surrogate pair: only the node knows what it makes of it.
    let is_unreadable = || given == JsonKind::Text && string(raw).is_none();
    let is_read = match shape {
        Shape::Text | Shape::Secret | Shape::File => matches!(given, JsonKind::Text | JsonKind::Number),
        Shape::Number(range) => number(raw).is_some_and(|digits| is_within(range, &digits)),
        Shape::Integer(range) => {
            number(raw).is_some_and(|digits| is_whole(&digits) && is_within(range, &digits))
        }
        Shape::Boolean => form(raw).is_some_and(|text| matches!(text.trim(), "true" | "false")),
        Shape::Date => string(raw).is_some_and(|text| is_date(&text)),
        Shape::DateTime if given == JsonKind::Number => is_epoch_ms(raw),
        Shape::DateTime => string(raw).is_some_and(|text| is_instant(&text)),
        Shape::Choice(known) => is_choice(known, raw),
        Shape::Columns => given == JsonKind::Object,
        Shape::Values(_) | Shape::ChooseMany(_) => given == JsonKind::List,
        Shape::Reference(_) | Shape::AnyJson | Shape::Group(_) | Shape::Rows(_) | Shape::Notice => true,
    };
    is_read || is_unreadable()
}

/// Whether a value is one of the choices, in whatever type it is given; for an open choice, any single value.
pub(super) fn is_choice(known: &Known, raw: &str) -> bool {
    let Some(form) = form(raw) else {
        return false;
    };
    !known.is_closed
        || known.forms.contains(form.trim())
        || known.choices.iter().any(|(_, value)| may_mean(value, &form))
}

/// Whether a text, or the letters of a number or boolean, may mean this value.
pub(super) fn may_mean(value: &Json, form: &str) -> bool {
    let value = form_of(value);
    value.trim() == form.trim() || may_be_same(value.trim(), form.trim())
}
