//! Numbers and booleans. Numbers keep their digits.

use std::borrow::Cow;

use super::text::{of as text, trimmed};
use super::{Accepted, Data, Id, Kind, Of};
use crate::bindings::exports::workflow::node::description as contract;
use crate::table::parameter::Parameter;
use crate::table::value::Value;
use crate::{date, json, number as digits};

/// A range of numbers, both bounds inclusive.
pub struct NumberRange {
    /// The least; absent: there is none.
    pub min: Option<f64>,
    /// The greatest; absent: there is none.
    pub max: Option<f64>,
}

/// Every number.
const ANY: contract::Range = contract::Range { min: None, max: None };

/// A whole number.
pub const fn int(name: &'static str, label: &'static str) -> Parameter {
    int_between(name, label, i32::MIN, i32::MAX)
}

/// A whole number from `min` on.
pub const fn int_from(name: &'static str, label: &'static str, min: i32, max: Option<i32>) -> Parameter {
    int_between(
        name,
        label,
        min,
        match max {
            Some(max) => max,
            None => i32::MAX,
        },
    )
}

/// A whole number of a range; `i32::MIN` and `i32::MAX` are no bounds.
pub const fn int_between(name: &'static str, label: &'static str, min: i32, max: i32) -> Parameter {
    Parameter::new(
        name,
        label,
        Kind {
            of: &INTEGER,
            data: Data::Range(min, max),
        },
    )
}

/// An instant as a whole number of milliseconds since 1970, sent as it is.
pub const fn epoch_millis(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::new(&EPOCH_MILLIS))
}

/// A number.
pub const fn number(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::new(&NUMBER))
}

/// A number of a range.
pub const fn number_between(
    name: &'static str,
    label: &'static str,
    range: &'static NumberRange,
) -> Parameter {
    Parameter::new(
        name,
        label,
        Kind {
            of: &NUMBER_BETWEEN,
            data: Data::NumberRange(range),
        },
    )
}

/// `true` or `false`.
pub const fn boolean(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::new(&BOOLEAN))
}

/// Yes or no, sent as one of these texts; an empty one is not sent.
pub const fn flag(
    name: &'static str,
    label: &'static str,
    yes_and_no: &'static [&'static str; 2],
) -> Parameter {
    Parameter::new(
        name,
        label,
        Kind {
            of: &FLAG,
            data: Data::Words(yes_and_no),
        },
    )
}

static FLAG: Of = Of {
    id: Id::Boolean,
    encoding: "flag",
    accept: |check, parameter, raw, pointer| {
        let Data::Words([yes, no]) = parameter.kind.data else {
            return Accepted::Refused;
        };
        let accepted = (BOOLEAN.accept)(check, parameter, raw, pointer);
        let Accepted::Value(value) = &accepted else {
            return accepted;
        };
        let word = if value.plain() == "true" { yes } else { no };
        if word.is_empty() {
            return Accepted::Reported;
        }
        Accepted::Value(Value::Text(Cow::Borrowed(word)))
    },
    expected: BOOLEAN.expected,
    describe: BOOLEAN.describe,
};

static INTEGER: Of = Of {
    id: Id::Integer,
    encoding: "",
    accept: |_, parameter, raw, _| integer(parameter.kind.bounds(), raw).into(),
    expected: |kind, _| match kind.bounds() {
        (None, None) => Cow::Borrowed("a whole number"),
        (Some(min), Some(max)) => format!("a whole number from {min} to {max}").into(),
        (Some(min), None) => format!("a whole number from {min} on").into(),
        (None, Some(max)) => format!("a whole number up to {max}").into(),
    },
    describe: |kind, _| {
        let (min, max) = kind.bounds();
        contract::Kind::Integer(contract::Range {
            min: min.map(f64::from),
            max: max.map(f64::from),
        })
    },
};

static EPOCH_MILLIS: Of = Of {
    id: Id::EpochMillis,
    encoding: "",
    accept: |_, _, raw, _| {
        let millis = || {
            let digits = whole(number_of(raw)?)?;
            date::epoch_ms(&digits).map(|_| Value::Literal(digits))
        };
        millis().into()
    },
    expected: |_, raw| {
        Cow::Borrowed(if raw.is_some_and(|raw| !raw.contains('.')) {
            "epoch milliseconds (13 digits where seconds have 10)"
        } else {
            "a whole number"
        })
    },
    describe: |_, _| contract::Kind::Integer(ANY),
};

static NUMBER: Of = Of {
    id: Id::Number,
    encoding: "",
    accept: |_, _, raw, _| number_of(raw).map(Value::Literal).into(),
    expected: |_, _| Cow::Borrowed("a number"),
    describe: |_, _| contract::Kind::Number(ANY),
};

static NUMBER_BETWEEN: Of = Of {
    id: Id::Number,
    encoding: "",
    accept: |_, parameter, raw, _| {
        let range = range_of(&parameter.kind);
        let is_within = |number: &Cow<str>| {
            number.parse::<f64>().is_ok_and(|number| {
                range.min.is_none_or(|min| min <= number) && range.max.is_none_or(|max| number <= max)
            })
        };
        number_of(raw).filter(is_within).map(Value::Literal).into()
    },
    expected: |kind, _| match range_of(kind) {
        contract::Range { min: None, max: None } => Cow::Borrowed("a number"),
        contract::Range {
            min: Some(min),
            max: Some(max),
        } => format!("a number from {min} to {max}").into(),
        contract::Range { min: Some(min), .. } => format!("a number from {min} on").into(),
        contract::Range { max: Some(max), .. } => format!("a number up to {max}").into(),
    },
    describe: |kind, _| contract::Kind::Number(range_of(kind)),
};

static BOOLEAN: Of = Of {
    id: Id::Boolean,
    encoding: "",
    accept: |_, _, raw, _| {
        let given = json::kind(raw);
        let text = if given == json::Kind::Boolean {
            Some(Cow::Borrowed(raw))
        } else {
            text(given, raw).map(trimmed)
        };
        text.filter(|text| matches!(text.as_ref(), "true" | "false"))
            .map(Value::Literal)
            .into()
    },
    expected: |_, _| Cow::Borrowed("`true` or `false`"),
    describe: |_, _| contract::Kind::Boolean,
};

const fn range_of(kind: &Kind) -> contract::Range {
    match kind.data {
        Data::NumberRange(NumberRange { min, max }) => contract::Range { min: *min, max: *max },
        _ => ANY,
    }
}

fn integer((min, max): (Option<i32>, Option<i32>), raw: &str) -> Option<Value<'_>> {
    let whole = whole(number_of(raw)?)?;
    // What is too long for an i64 is outside every range that the table can state.
    let is_within = |value: i64| {
        min.is_none_or(|min| i64::from(min) <= value) && max.is_none_or(|max| value <= i64::from(max))
    };
    let beyond = || !whole.starts_with('-') && max.is_none() || whole.starts_with('-') && min.is_none();
    whole
        .parse()
        .map_or_else(|_| beyond(), is_within)
        .then_some(Value::Literal(whole))
}

/// A number; one given as text is that number.
fn number_of(raw: &str) -> Option<Cow<'_, str>> {
    let given = json::kind(raw);
    if given == json::Kind::Number {
        return Some(Cow::Borrowed(raw));
    }
    Some(trimmed(text(given, raw)?)).filter(|text| digits::is_number(text))
}

fn whole(number: Cow<'_, str>) -> Option<Cow<'_, str>> {
    match number {
        Cow::Borrowed(number) => digits::whole(number),
        Cow::Owned(number) => digits::whole(&number).map(|whole| Cow::Owned(whole.into_owned())),
    }
}
