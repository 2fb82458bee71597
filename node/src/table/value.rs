//! A checked value: what a kind accepts, what goes on the wire, and how a message says what was expected and found.

use std::borrow::Cow;

use super::parameter::{Choice, Kind, Parameter, Scalar};
use crate::excerpt::shown;
use crate::{date, json, number};

/// A checked value, in the form that goes on the wire.
pub enum Value<'a> {
    /// A JSON string with this content.
    Text(Cow<'a, str>),
    /// Any other JSON, as its compact text.
    Literal(Cow<'a, str>),
    Rows(Vec<Fields<'a>>),
}

impl Value<'_> {
    /// JSON that is no string, as its compact text.
    pub fn literal(json: String) -> Self {
        Self::Literal(Cow::Owned(json))
    }

    pub fn of(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Text(text) => Self::Text(Cow::Borrowed(text)),
            scalar => Self::Literal(scalar.text()),
        }
    }

    /// Whether it is that constant.
    pub fn is(&self, scalar: Scalar) -> bool {
        match (self, scalar) {
            (Self::Text(text), Scalar::Text(constant)) => text == constant,
            (Self::Literal(json), Scalar::Int(constant)) => is_int(json, constant),
            (Self::Literal(json), Scalar::Bool(true)) => json == "true",
            (Self::Literal(json), scalar) => *json == scalar.json(),
            _ => false,
        }
    }
}

/// Whether these are the digits of that number, without another copy of them.
fn is_int(digits: &str, number: i32) -> bool {
    digits.parse() == Ok(number) && !digits.starts_with('+')
}

/// A parameter that has a value.
pub struct Field<'a> {
    pub parameter: &'static Parameter,
    pub value: Value<'a>,
}

/// The parameters that have a value, in the operation's order.
pub type Fields<'a> = Vec<Field<'a>>;

/// The value of a parameter.
pub fn find<'f, 'a>(fields: &'f [Field<'a>], name: &str) -> Option<&'f Value<'a>> {
    fields
        .iter()
        .find(|field| field.parameter.name == name)
        .map(|field| &field.value)
}

/// The wire form of a value that is not blank; nothing, where the kind does not accept it.
pub fn accept(kind: Kind, raw: &str) -> Option<Value<'_>> {
    let given = json::kind(raw);
    match kind {
        Kind::Text | Kind::Secret => text(given, raw).map(Value::Text),
        Kind::Number => number(given, raw).map(Value::Literal),
        Kind::Integer { min, max } => {
            let whole = whole(number(given, raw)?)?;
            // What is too long for an i64 is outside every range that the table can state.
            let is_within = |value: i64| {
                min.is_none_or(|min| i64::from(min) <= value) && max.is_none_or(|max| value <= i64::from(max))
            };
            let beyond =
                || !whole.starts_with('-') && max.is_none() || whole.starts_with('-') && min.is_none();
            whole
                .parse()
                .map_or_else(|_| beyond(), is_within)
                .then_some(Value::Literal(whole))
        }
        Kind::EpochMillis => {
            let digits = whole(number(given, raw)?)?;
            date::epoch_ms(&digits).map(|_| Value::Literal(digits))
        }
        Kind::Boolean => {
            let text = if given == json::Kind::Boolean {
                Cow::Borrowed(raw)
            } else {
                trimmed(text(given, raw)?)
            };
            matches!(text.as_ref(), "true" | "false").then_some(Value::Literal(text))
        }
        Kind::Date => json::string(raw)
            .filter(|text| date::is_date(text))
            .map(Value::Text),
        Kind::LocalDateTime => json::string(raw)
            .filter(|text| date::is_local_date_time(text))
            .map(Value::Text),
        Kind::DateTime { as_millis } => date_time(raw, as_millis),
        Kind::Choice { known, is_open } => choose(text(given, raw)?, given, known, is_open),
        Kind::Object if given == json::Kind::Object => Some(Value::Literal(json::compact(raw))),
        Kind::Object => {
            let text = json::string(raw)?;
            let document = json::document(&text)
                .ok()
                .filter(|document| json::kind(document) == json::Kind::Object)?;
            Some(Value::literal(json::compact(document).into_owned()))
        }
        Kind::Rows(_) => None,
    }
}

/// A text, or a number's digits.
fn text(given: json::Kind, raw: &str) -> Option<Cow<'_, str>> {
    match given {
        json::Kind::Text => json::string(raw),
        json::Kind::Number => Some(Cow::Borrowed(raw)),
        _ => None,
    }
}

/// A number; one given as text is that number.
fn number(given: json::Kind, raw: &str) -> Option<Cow<'_, str>> {
    if given == json::Kind::Number {
        return Some(Cow::Borrowed(raw));
    }
    Some(trimmed(text(given, raw)?)).filter(|text| number::is_number(text))
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

fn whole(number: Cow<'_, str>) -> Option<Cow<'_, str>> {
    match number {
        Cow::Borrowed(number) => number::whole(number),
        Cow::Owned(number) => number::whole(&number).map(|whole| Cow::Owned(whole.into_owned())),
    }
}

/// An instant that is sent as given keeps its form, a number of epoch milliseconds too: nothing public says that the API
/// takes one there, and nothing says that it does not.
fn date_time(raw: &str, as_millis: bool) -> Option<Value<'_>> {
    let (ms, given) = if json::kind(raw) == json::Kind::Number {
        let whole = number::whole(raw)?;
        (date::epoch_ms(&whole)?, Value::Literal(whole))
    } else {
        let text = json::string(raw)?;
        // Only what is sent as given has to be without blanks around it.
        (
            date::instant(if as_millis { text.trim() } else { &text })?,
            Value::Text(text),
        )
    };
    Some(if as_millis {
        Value::literal(ms.to_string())
    } else {
        given
    })
}

/// A choice goes on the wire with its own type, in whatever type it was given; so does a value that an open choice does
/// not list, where the type of the listed ones can hold it.
fn choose<'a>(
    text: Cow<'a, str>,
    given: json::Kind,
    known: &'static [Choice],
    is_open: bool,
) -> Option<Value<'a>> {
    let number = number::is_number(text.trim())
        .then(|| number::whole(text.trim()))
        .flatten();
    let is = |choice: &&Choice| match choice.value {
        Scalar::Int(value) => number.as_ref().is_some_and(|number| is_int(number, value)),
        Scalar::Text(value) => value == text.trim(),
        value => value.text() == text.trim(),
    };
    if let Some(choice) = known.iter().find(is) {
        return Some(Value::of(choice.value));
    }
    if !is_open {
        return None;
    }
    let is_numeric = known.iter().all(|choice| matches!(choice.value, Scalar::Int(_)));
    Some(match number {
        Some(number) if is_numeric => Value::literal(number.into_owned()),
        _ if is_numeric && given == json::Kind::Number => Value::Literal(text),
        _ => Value::Text(text),
    })
}

/// Whether a value says that there is none.
pub fn is_blank(parameter: &Parameter, raw: &str) -> bool {
    match json::kind(raw) {
        json::Kind::Null => true,
        json::Kind::Text => match raw.as_bytes() {
            // Most texts are seen not to be by their first letter.
            [b'"', first, ..] if first.is_ascii_alphanumeric() => false,
            _ => json::string(raw).is_some_and(|text| text.trim().is_empty()),
        },
        // What an engine stores for rows before the first one is added.
        json::Kind::Array | json::Kind::Object if matches!(parameter.kind, Kind::Rows(_)) => {
            matches!(json::compact(raw).as_ref(), "{}" | "[]")
        }
        _ => false,
    }
}

/// What a kind accepts, for a message about this value. Whoever gave an instant as a number is told how many digits it has.
pub fn expected(kind: Kind, raw: Option<&str>) -> String {
    match kind {
        Kind::DateTime { .. } if raw.is_some_and(is_digits) => {
            "an ISO 8601 date-time or epoch milliseconds (13 digits where seconds have 10)".into()
        }
        Kind::EpochMillis if raw.is_some_and(|raw| !raw.contains('.')) => {
            "epoch milliseconds (13 digits where seconds have 10)".into()
        }
        Kind::Text => "a text".into(),
        Kind::Secret => "a secret text".into(),
        Kind::Number => "a number".into(),
        Kind::Integer { min: None, max: None } | Kind::EpochMillis => "a whole number".into(),
        Kind::Integer {
            min: Some(min),
            max: Some(max),
        } => format!("a whole number from {min} to {max}"),
        Kind::Integer { min: Some(min), .. } => format!("a whole number from {min} on"),
        Kind::Integer { max: Some(max), .. } => format!("a whole number up to {max}"),
        Kind::Boolean => "`true` or `false`".into(),
        Kind::Date => "a calendar date as `yyyy-MM-dd`".into(),
        Kind::LocalDateTime => "a date and time as `yyyy-MM-dd HH:mm:ss`".into(),
        Kind::DateTime { .. } => "an ISO 8601 date-time".into(),
        Kind::Choice { is_open: true, .. } => "a text or number".into(),
        Kind::Choice { known, .. } => {
            let known = known.iter().filter(|choice| choice.value != Scalar::Text(""));
            let known: Vec<_> = known
                .map(|choice| format!("`{}` {}", choice.value.text(), choice.label))
                .collect();
            format!("one of {}", known.join(", "))
        }
        Kind::Object => "a JSON object, or its text".into(),
        Kind::Rows(rows) => format!("at least one row as `{{\"{}\": [ … ]}}`", rows.name),
    }
}

/// Whether it is a number or a text of digits alone.
fn is_digits(raw: &str) -> bool {
    raw.len() > 2 && raw.bytes().all(|byte| byte.is_ascii_digit() || byte == b'"')
}

/// What was given, for a message: a text in quotes, other JSON in back-ticks, the beginning of what is long.
pub fn found(raw: &str) -> Cow<'_, str> {
    let compact = shown(&json::compact(raw));
    if json::kind(raw) == json::Kind::Text {
        compact.into()
    } else {
        format!("`{compact}`").into()
    }
}
