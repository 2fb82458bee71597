//! What parameters accept. A kind is data, and the functions that check and describe it.

mod choice;
mod dynamic;
#[cfg(feature = "files")]
mod file;
mod nested;
mod number;
mod text;
mod time;

pub(crate) use choice::OPEN_CHOICE;
pub use choice::{Choice, Reference, choice, choices, int_choice, reference, text_choice, worded};
pub use dynamic::{choice_of, choices_of, columns_of, reference_to};
#[cfg(feature = "files")]
pub use file::file;
pub(crate) use nested::MAP;
pub use nested::{Rows, bare_rows, columns, group, json, notice, object, rows, values};
pub use number::{
    NumberRange, boolean, epoch_millis, flag, int, int_between, int_from, number, number_between,
};
pub use text::{multiline, secret, text, texts};
pub(crate) use time::{MILLIS, SECONDS};
pub use time::{date, date_time, local_date_time};

use std::borrow::Cow;

use super::asked::Asked;
use super::parameter::Parameter;
use super::validate::Check;
use super::value::Value;
use crate::bindings::exports::workflow::node::description as contract;

/// What a parameter accepts.
#[derive(Clone, Copy)]
pub struct Kind {
    pub(crate) of: &'static Of,
    pub(crate) data: Data,
}

/// What the functions of a kind read.
#[derive(Clone, Copy)]
pub(crate) enum Data {
    Nothing,
    /// Inclusive; the least and the greatest number stand for no bound.
    Range(i32, i32),
    NumberRange(&'static NumberRange),
    Choices(&'static [Choice]),
    Rows(&'static Rows),
    Fields(&'static [Parameter]),
    Each(&'static Parameter),
    Reference(&'static Reference),
    Asked(&'static Asked),
    /// What is sent for yes and for no; nothing where it is empty.
    Words(&'static [&'static str; 2]),
}

/// The functions of a kind.
pub(crate) struct Of {
    pub id: Id,
    /// How it is written on the wire, where the description's kind does not say it.
    pub encoding: &'static str,
    pub accept: for<'a> fn(&mut Check, &'static Parameter, &'a str, &str) -> Accepted<'a>,
    /// What it accepts, for a message about this value.
    pub expected: fn(&Kind, Option<&str>) -> Cow<'static, str>,
    pub describe: fn(&Kind, &str) -> contract::Kind,
}

/// Which kind it is, for what looks at a table as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id {
    /// A text of one line or several.
    Text,
    /// A text that no message repeats.
    Secret,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Yes or no.
    Boolean,
    /// A number that is an instant.
    EpochMillis,
    /// `yyyy-MM-dd`
    Date,
    /// `yyyy-MM-dd HH:mm:ss`
    LocalDateTime,
    /// An instant.
    DateTime,
    /// One of several values.
    Choice,
    /// Several of several values.
    ChooseMany,
    /// A thing of the service.
    Reference,
    /// A JSON object.
    Object,
    /// Any JSON.
    Json,
    /// The key of a file of the item.
    File,
    /// Named optional fields.
    Group,
    /// Rows with the same columns.
    Rows,
    /// A list of single values.
    Values,
    /// Columns that only the service knows.
    Columns,
    /// No value.
    Notice,
}

/// What comes of a value that is not blank.
pub(crate) enum Accepted<'a> {
    Value(Value<'a>),
    /// What is wrong with it, `expected` says.
    Refused,
    /// What is wrong with it is said already.
    Reported,
}

impl<'a> From<Option<Value<'a>>> for Accepted<'a> {
    fn from(value: Option<Value<'a>>) -> Self {
        value.map_or(Self::Refused, Self::Value)
    }
}

impl Kind {
    pub(crate) const fn new(of: &'static Of) -> Self {
        Self {
            of,
            data: Data::Nothing,
        }
    }

    /// Which kind it is.
    pub const fn id(&self) -> Id {
        self.of.id
    }

    /// The choices that it names.
    pub const fn known(&self) -> &'static [Choice] {
        match self.data {
            Data::Choices(known) => known,
            Data::Asked(asked) => asked.known,
            _ => &[],
        }
    }

    /// What it asks the service for.
    pub const fn asked(&self) -> Option<&'static Asked> {
        match self.data {
            Data::Asked(asked) => Some(asked),
            _ => None,
        }
    }

    /// Columns and fields.
    pub const fn nested(&self) -> &'static [Parameter] {
        match self.data {
            Data::Rows(rows) => rows.columns,
            Data::Fields(fields) => fields,
            Data::Each(one) => std::slice::from_ref(one),
            _ => &[],
        }
    }

    /// Its rows, where it is a list of them.
    pub const fn rows(&self) -> Option<&'static Rows> {
        match self.data {
            Data::Rows(rows) => Some(rows),
            _ => None,
        }
    }

    /// The least and the greatest whole number.
    pub const fn bounds(&self) -> (Option<i32>, Option<i32>) {
        match self.data {
            Data::Range(min, max) => (
                if min == i32::MIN { None } else { Some(min) },
                if max == i32::MAX { None } else { Some(max) },
            ),
            _ => (None, None),
        }
    }
}
