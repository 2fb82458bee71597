//! Days and instants.

use std::borrow::Cow;

use super::{Id, Kind, Of};
use crate::bindings::exports::workflow::node::description as contract;
use crate::table::parameter::Parameter;
use crate::table::value::Value;
use crate::{date as read, json, number};

/// `yyyy-MM-dd`, sent as given.
pub const fn date(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::new(&DATE)).placeholder("1990-01-31")
}

/// `yyyy-MM-dd HH:mm:ss`, sent as given; for the contract a text.
pub const fn local_date_time(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::new(&LOCAL)).placeholder("2025-01-31 13:45:00")
}

/// An instant, sent as given; else as [`Parameter::as_millis`] or [`Parameter::as_seconds`] says.
pub const fn date_time(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::new(&AS_GIVEN)).placeholder("2025-01-31T13:45:00Z")
}

static DATE: Of = Of {
    id: Id::Date,
    encoding: "",
    accept: |_, _, raw, _| {
        json::string(raw)
            .filter(|text| read::is_date(text))
            .map(Value::Text)
            .into()
    },
    expected: |_, _| Cow::Borrowed("a calendar date as `yyyy-MM-dd`"),
    describe: |_, _| contract::Kind::Date,
};

static LOCAL: Of = Of {
    id: Id::LocalDateTime,
    encoding: "yyyy-MM-dd HH:mm:ss",
    accept: |_, _, raw, _| {
        json::string(raw)
            .filter(|text| read::is_local_date_time(text))
            .map(Value::Text)
            .into()
    },
    expected: |_, _| Cow::Borrowed("a date and time as `yyyy-MM-dd HH:mm:ss`"),
    describe: |_, _| contract::Kind::Text,
};

/// An instant that is sent as given keeps its form, a number of epoch milliseconds too: few services say that they take one
/// there, and few that they do not. Only what is sent as given has to be without blanks around it.
static AS_GIVEN: Of = Of {
    id: Id::DateTime,
    encoding: "as-given",
    accept: |_, _, raw, _| instant(raw, false).map(|(_, given)| given).into(),
    expected,
    describe: |_, _| contract::Kind::DateTime,
};

pub(crate) static MILLIS: Of = Of {
    id: Id::DateTime,
    encoding: "epoch-milliseconds",
    accept: |_, _, raw, _| {
        instant(raw, true)
            .map(|(ms, _)| Value::literal(ms.to_string()))
            .into()
    },
    expected,
    describe: |_, _| contract::Kind::DateTime,
};

pub(crate) static SECONDS: Of = Of {
    id: Id::DateTime,
    encoding: "epoch-seconds",
    accept: |_, _, raw, _| {
        instant(raw, true)
            .map(|(ms, _)| Value::literal(ms.div_euclid(1_000).to_string()))
            .into()
    },
    expected,
    describe: |_, _| contract::Kind::DateTime,
};

/// Epoch milliseconds, and the value as it was given.
fn instant(raw: &str, is_trimmed: bool) -> Option<(i64, Value<'_>)> {
    if json::kind(raw) == json::Kind::Number {
        let whole = number::whole(raw)?;
        return Some((read::epoch_ms(&whole)?, Value::Literal(whole)));
    }
    let text = json::string(raw)?;
    let ms = read::instant(if is_trimmed { text.trim() } else { &text })?;
    Some((ms, Value::Text(text)))
}

/// Whoever gave an instant as a number is told how many digits it has.
fn expected(_: &Kind, raw: Option<&str>) -> Cow<'static, str> {
    let is_digits =
        |raw: &str| raw.len() > 2 && raw.bytes().all(|byte| byte.is_ascii_digit() || byte == b'"');
    Cow::Borrowed(if raw.is_some_and(is_digits) {
        "an ISO 8601 date-time or epoch milliseconds (13 digits where seconds have 10)"
    } else {
        "an ISO 8601 date-time"
    })
}
