//! Checks requests as a strict server would: missing, blank, mistyped and unknown fields are refused by name.
//!
//! A real server may well be more lenient. This one is strict so that a wrong wire format is noticed: a field that the
//! API does not have, a number sent as text, an optional field sent as `""`, a date that does not exist.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use nodule_core::json::{Json, Object};

use crate::envelope::{Refused, codes};

/// One field of a body, a row or a query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    kind: Kind,
    required: bool,
    clearable: bool,
}

/// A required field.
pub(crate) const fn must(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: true,
        clearable: false,
    }
}

/// An optional field, which must not be blank if present.
pub(crate) const fn may(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: false,
        clearable: false,
    }
}

/// A field of an update: if absent it is unchanged, and `null` clears it.
pub(crate) const fn clearable(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: false,
        clearable: true,
    }
}

/// The values that a field accepts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A text that is not blank.
    Text,
    /// A whole number of any length, without fraction or exponent.
    Int,
    /// Any JSON number.
    Number,
    /// One of these whole numbers.
    Code(&'static [i64]),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A country's dialling prefix: `+` and digits. A `+` that was not percent-encoded in a query arrives as a space and
    /// is refused here.
    PhonePrefix,
    /// A calendar date, `yyyy-MM-dd`.
    Date,
    /// A local date and time, `yyyy-MM-dd HH:mm:ss`.
    DateTime,
    /// An ISO 8601 date or date-time, or Unix milliseconds as a number.
    Instant,
    /// A JSON object.
    Object,
    /// A list of at least one row.
    Rows(&'static [Field]),
}

/// Checks every field of an object, and that it has no other fields.
pub(crate) fn object(map: &Object, fields: &[Field], at: &str) -> Result<(), Refused> {
    for field in fields {
        match map.get(field.name) {
            None | Some(Json::Null) if field.required => return Err(missing(at, field.name)),
            None => {}
            Some(Json::Null) if field.clearable => {}
            Some(found) => value(found, *field, at)?,
        }
    }
    match map
        .keys()
        .find(|name| fields.iter().all(|field| field.name != *name))
    {
        None => Ok(()),
        Some(name) => Err(Refused::new(
            codes::UNKNOWN_FIELD,
            format!("`{at}{name}`: there is no field of this name here"),
        )),
    }
}

/// Checks a list of rows.
pub(crate) fn rows(found: &Json, fields: &[Field], name: &str) -> Result<(), Refused> {
    let Json::Array(list) = found else {
        return Err(wrong_type(name, "a list", found));
    };
    if list.is_empty() {
        return Err(Refused::new(
            codes::MISSING,
            format!("`{name}`: expected at least one row"),
        ));
    }
    for (index, row) in list.iter().enumerate() {
        let Json::Object(row) = row else {
            return Err(wrong_type(&format!("{name}[{index}]"), "an object", row));
        };
        object(row, fields, &format!("{name}[{index}]."))?;
    }
    Ok(())
}

fn value(found: &Json, field: Field, at: &str) -> Result<(), Refused> {
    let name = || format!("{at}{}", field.name);
    let wrong = |expected: &str| Err(wrong_type(&name(), expected, found));
    let refused = |expected: &str| Err(not_allowed(&name(), expected, found));
    match (field.kind, found) {
        (Kind::Number, Json::Number(_)) | (Kind::Object, Json::Object(_)) => Ok(()),
        (Kind::Int, Json::Number(number)) if is_int(&number.to_string()) => Ok(()),
        (Kind::Instant, Json::Number(number)) if is_int(&number.to_string()) => Ok(()),
        (Kind::Code(allowed), Json::Number(number)) => match number.as_i64() {
            Some(code) if allowed.contains(&code) => Ok(()),
            _ => refused(&format!("one of {allowed:?}")),
        },
        (Kind::Rows(fields), _) => rows(found, fields, &name()),
        (Kind::Int, _) => wrong("a whole number"),
        (Kind::Number | Kind::Code(_), _) => wrong("a number"),
        (Kind::Object, _) => wrong("an object"),
        (_, Json::String(text)) if text.trim().is_empty() => Err(if field.required {
            missing(at, field.name)
        } else {
            not_allowed(&name(), "no blank text", found)
        }),
        (kind, Json::String(text)) => match expected_text(kind, text) {
            None => Ok(()),
            Some(expected) => refused(expected),
        },
        (Kind::Instant, _) => wrong("a date-time or milliseconds"),
        _ => wrong("text"),
    }
}

/// What was expected, if the text is not it.
fn expected_text(kind: Kind, text: &str) -> Option<&'static str> {
    match kind {
        Kind::Word(allowed) if !allowed.contains(&text) => Some("one of the documented words"),
        Kind::PhonePrefix if !is_prefix(text) => Some("`+` and digits"),
        Kind::Date if !(text.len() == 10 && text.parse::<Date>().is_ok()) => Some("a date, yyyy-MM-dd"),
        Kind::DateTime if date_time(text).is_none() => Some("a date and time, yyyy-MM-dd HH:mm:ss"),
        Kind::Instant if instant(text).is_none() => Some("an ISO 8601 date-time"),
        _ => None,
    }
}

/// Checks a query: known names, no repetition, and each value as it would be written in JSON.
pub(crate) fn query(pairs: &[(String, String)], fields: &[Field]) -> Result<(), Refused> {
    for (index, (name, text)) in pairs.iter().enumerate() {
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            let message = format!("`{name}`: there is no query parameter of this name here");
            return Err(Refused::new(codes::UNKNOWN_FIELD, message));
        };
        if pairs.iter().take(index).any(|(earlier, _)| earlier == name) {
            return Err(Refused::new(codes::UNREADABLE, format!("`{name}`: given twice")));
        }
        let found = match field.kind {
            Kind::Int | Kind::Number | Kind::Code(_) if is_int(text) => Json::parse(text).ok(),
            _ => None,
        };
        value(&found.unwrap_or_else(|| Json::String(text.clone())), *field, "")?;
    }
    for field in fields.iter().filter(|field| field.required) {
        if pairs.iter().all(|(name, _)| name != field.name) {
            return Err(missing("", field.name));
        }
    }
    Ok(())
}

/// Unix milliseconds of an ISO 8601 date-time or date, in UTC if it has no offset.
pub(crate) fn instant(text: &str) -> Option<i64> {
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Some(timestamp.as_millisecond());
    }
    let civil = text.parse::<DateTime>().ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// Unix milliseconds of `yyyy-MM-dd HH:mm:ss`, read as UTC.
pub(crate) fn date_time(text: &str) -> Option<i64> {
    let plain = text.len() == 19 && text.as_bytes().get(10) == Some(&b' ');
    if plain { instant(text) } else { None }
}

fn is_int(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    !digits.is_empty() && !leading_zero && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_prefix(text: &str) -> bool {
    text.strip_prefix('+')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn missing(at: &str, name: &str) -> Refused {
    Refused::new(
        codes::MISSING,
        format!("`{at}{name}`: required, and missing or blank"),
    )
}

fn wrong_type(name: &str, expected: &str, found: &Json) -> Refused {
    Refused::new(
        codes::WRONG_TYPE,
        format!("`{name}`: expected {expected}, found `{}`", excerpt(found)),
    )
}

fn not_allowed(name: &str, expected: &str, found: &Json) -> Refused {
    Refused::new(
        codes::NOT_ALLOWED,
        format!("`{name}`: expected {expected}, found `{}`", excerpt(found)),
    )
}

/// The start of a value, so that no error message contains a megabyte.
fn excerpt(found: &Json) -> String {
    let text = found.to_string();
    match text.char_indices().nth(80) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] = &[
        must("name", Kind::Text),
        may("count", Kind::Int),
        may("day", Kind::Date),
        clearable("note", Kind::Text),
        may("rows", Kind::Rows(&[must("at", Kind::DateTime)])),
    ];

    fn refusal(json: &str) -> Option<(&'static str, String)> {
        let Json::Object(map) = Json::parse(json).unwrap() else {
            panic!("an object")
        };
        object(&map, FIELDS, "")
            .err()
            .map(|refused| (refused.code, refused.message))
    }

    #[test]
    fn accepts_what_the_fields_say() {
        for json in [
            r#"{"name":"x"}"#,
            r#"{"name":"x","count":12345678901234567890,"day":"2024-02-29","note":null}"#,
            r#"{"name":"x","rows":[{"at":"2025-01-31 23:59:59"}]}"#,
        ] {
            assert_eq!(refusal(json), None, "{json}");
        }
    }

    #[test]
    fn refuses_by_name_and_code() {
        for (json, code, name) in [
            ("{}", codes::MISSING, "`name`"),
            (r#"{"name":null}"#, codes::MISSING, "`name`"),
            (r#"{"name":"  "}"#, codes::MISSING, "`name`"),
            (r#"{"name":7}"#, codes::WRONG_TYPE, "`name`"),
            (r#"{"name":"x","count":"7"}"#, codes::WRONG_TYPE, "`count`"),
            (r#"{"name":"x","count":7.5}"#, codes::WRONG_TYPE, "`count`"),
            (r#"{"name":"x","day":"2025-02-30"}"#, codes::NOT_ALLOWED, "`day`"),
            (r#"{"name":"x","day":""}"#, codes::NOT_ALLOWED, "`day`"),
            (r#"{"name":"x","count":null}"#, codes::WRONG_TYPE, "`count`"),
            (r#"{"name":"x","extra":1}"#, codes::UNKNOWN_FIELD, "`extra`"),
            (r#"{"name":"x","rows":[]}"#, codes::MISSING, "`rows`"),
            (
                r#"{"name":"x","rows":[{"at":"2025-01-31T23:59:59"}]}"#,
                codes::NOT_ALLOWED,
                "`rows[0].at`",
            ),
        ] {
            let (found, message) = refusal(json).unwrap_or_else(|| panic!("{json} passed"));
            assert_eq!(found, code, "{json}: {message}");
            assert!(message.starts_with(name), "{json}: {message}");
        }
    }

    #[test]
    fn reads_instants_in_each_spelling() {
        for text in [
            "2025-01-01T00:00:00Z",
            "2025-01-01T08:00:00+08:00",
            "2025-01-01 00:00:00",
            "2025-01-01",
        ] {
            assert_eq!(instant(text), Some(1_735_689_600_000), "{text}");
        }
        assert_eq!(instant("tomorrow"), None);
    }
}
