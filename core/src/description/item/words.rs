//! What a problem says was expected, and what was found.

use std::borrow::Cow;

use super::form::{GroupForm, Known, RowsForm, Shape};
use super::read::{JsonKind, form_of, kind};
use crate::description::Range;

/// A message shows this many characters of a value: enough to recognise it by.
const SHOWN_CHARS: usize = 60;
/// A message lists this many choices.
const SHOWN_CHOICES: usize = 50;

/// What a parameter takes, for a message about this value.
pub(super) fn expected(shape: &Shape, raw: Option<&str>) -> String {
    match shape {
        Shape::Text => "a text".to_owned(),
        Shape::Secret => "a secret text".to_owned(),
        Shape::File => "the key of a file of the item".to_owned(),
        Shape::Integer(range) => format!("a whole number{}", bounds(range)),
        Shape::Number(range) => format!("a number{}", bounds(range)),
        Shape::Boolean => "`true` or `false`".to_owned(),
        Shape::Date => "a calendar date as `yyyy-MM-dd`".to_owned(),
        // Whoever gave an instant as a number is told how many digits it has.
        Shape::DateTime if raw.is_some_and(is_digits) => {
            "an ISO 8601 date-time or epoch milliseconds (13 digits where seconds have 10)".to_owned()
        }
        Shape::DateTime => "an ISO 8601 date-time".to_owned(),
        Shape::Choice(known) => choice(known),
        Shape::ChooseMany(known) if known.is_closed => format!("a list, each of it {}", choice(known)),
        Shape::ChooseMany(_) | Shape::Values(_) => "a list of values".to_owned(),
        Shape::Reference(reference) if reference.id_in_url.is_some() => {
            "an ID, or the URL of its page".to_owned()
        }
        Shape::Reference(_) => "an ID".to_owned(),
        Shape::AnyJson | Shape::Notice => "a JSON value, or its text".to_owned(),
        Shape::Group(GroupForm { key: Some(key), .. }) => format!("fields as `{{\"{key}\": {{ … }}}}`"),
        Shape::Group(_) => "an object of fields".to_owned(),
        Shape::Rows(rows) => all_rows(rows),
        Shape::Columns => "an object of columns".to_owned(),
    }
}

fn bounds(range: &Range) -> String {
    match (range.min, range.max) {
        (None, None) => String::new(),
        (Some(min), None) => format!(" from {min} on"),
        (None, Some(max)) => format!(" up to {max}"),
        (Some(min), Some(max)) => format!(" from {min} to {max}"),
    }
}

/// What a single value of a choice is.
pub(super) fn choice(known: &Known) -> String {
    if !known.is_closed {
        return "a text or number".to_owned();
    }
    let named = known
        .choices
        .iter()
        .filter(|(_, value)| *value != "")
        .map(|(label, value)| format!("`{}` {label}", cut(form_of(value).chars())));
    let mut listed: Vec<String> = named.take(SHOWN_CHOICES).collect();
    if let Some(more @ 1..) = known.choices.len().checked_sub(SHOWN_CHOICES) {
        listed.push(format!("or one of {more} more"));
    }
    format!("one of {}", listed.join(", "))
}

fn all_rows(rows: &RowsForm) -> String {
    let least = least_rows(rows.min.max(1));
    match &rows.key {
        Some(key) => format!("{least} as `{{\"{key}\": [ … ]}}`"),
        None => format!("{least} as a list"),
    }
}

/// `at least one row`
pub(super) fn least_rows(min: usize) -> String {
    match min {
        1 => "at least one row".to_owned(),
        min => format!("at least {min} rows"),
    }
}

/// Whether it is a number, or a text of digits.
fn is_digits(raw: &str) -> bool {
    raw.len() > 2 && raw.bytes().all(|byte| byte.is_ascii_digit() || byte == b'"')
}

/// What was given: a text in quotes, other JSON in back-ticks, the beginning of a long one.
pub(super) fn found(raw: &str) -> String {
    let mut is_inside = false;
    let mut is_escaped = false;
    let compact = raw.chars().filter(|character| {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = is_inside,
            '"' => is_inside = !is_inside,
            _ => {}
        }
        is_inside || !character.is_ascii_whitespace()
    });
    let shown = cut(compact);
    if kind(raw) == JsonKind::Text {
        shown
    } else {
        format!("`{shown}`")
    }
}

/// The beginning of a name that nobody knows.
pub(super) fn shown(name: &str) -> Cow<'_, str> {
    if name.len() <= SHOWN_CHARS {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(cut(name.chars()))
    }
}

/// The first characters, with an ellipsis as the last one if some are missing.
fn cut(characters: impl Iterator<Item = char>) -> String {
    let mut cut: String = characters.take(SHOWN_CHARS + 1).collect();
    if let Some((last, _)) = cut.char_indices().nth(SHOWN_CHARS - 1)
        && cut.chars().count() > SHOWN_CHARS
    {
        cut.truncate(last);
        cut.push('…');
    }
    cut
}
