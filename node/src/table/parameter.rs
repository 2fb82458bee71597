//! A parameter as a constant: what users know it as, what is accepted, and what goes on the wire.

use std::borrow::Cow;

/// One parameter of an operation, one column of its rows or one field of the credential.
#[derive(Clone, Copy)]
pub struct Parameter {
    /// As workflows store it.
    pub name: &'static str,
    /// As users know it.
    pub label: &'static str,
    pub about: &'static str,
    pub placeholder: &'static str,
    pub kind: Kind,
    pub is_required: bool,
    /// Taken, and sent, where the caller leaves the parameter out; never where it is explicitly blank.
    pub default: Option<Scalar>,
    /// The name on the wire, where it differs.
    pub wire: Option<&'static str>,
    /// An earlier parameter and the values with which this one is shown, checked and sent.
    pub when: Option<(&'static str, &'static [Scalar])>,
    pub place: Place,
    /// What the node itself sends where there is no value.
    pub fill: Option<Fill>,
}

/// What a parameter accepts.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A text, or a number, whose digits are the text.
    Text,
    /// A text that no message repeats.
    Secret,
    Integer {
        min: Option<i32>,
        max: Option<i32>,
    },
    Number,
    Boolean,
    /// An instant as a whole number, sent as it is; for the contract an integer.
    EpochMillis,
    /// `yyyy-MM-dd`, sent as given.
    Date,
    /// `yyyy-MM-dd HH:mm:ss`, sent as given; for the contract a text.
    LocalDateTime,
    /// An instant, sent as epoch milliseconds or as given.
    DateTime {
        as_millis: bool,
    },
    Choice {
        known: &'static [Choice],
        is_open: bool,
    },
    /// A JSON object or its text, sent as the object.
    Object,
    Rows(&'static Rows),
}

/// A list of rows with the same columns, stored as `{name: [ … ]}` and sent as the bare list.
#[derive(Clone, Copy)]
pub struct Rows {
    pub name: &'static str,
    pub label: &'static str,
    pub columns: &'static [Parameter],
}

/// One value of a choice.
#[derive(Clone, Copy)]
pub struct Choice {
    pub value: Scalar,
    pub label: &'static str,
}

/// A constant JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    Text(&'static str),
    Int(i32),
    Bool(bool),
    /// `{}`
    EmptyObject,
}

impl Scalar {
    /// Its JSON text.
    pub fn json(self) -> String {
        match self {
            Self::Text(text) => crate::json::quote(text),
            scalar => scalar.text().into_owned(),
        }
    }

    /// Its JSON text, a text without its quotes.
    pub fn text(self) -> Cow<'static, str> {
        const DIGITS: &str = "0123456789";
        let digit = |value: i32| {
            let digit = usize::try_from(value).ok()?;
            DIGITS.get(digit..=digit)
        };
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            // Most codes are one digit.
            Self::Int(value) => digit(value).map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::EmptyObject => Cow::Borrowed("{}"),
        }
    }
}

/// Where a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// As the one rule of placement says.
    Auto,
    Path,
    Query,
    Body,
    /// It is the body.
    WholeBody,
    /// It steers the node and is not sent.
    Nowhere,
}

/// What the node supplies itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Epoch milliseconds.
    Clock,
    /// 32 random hexadecimal digits.
    Random,
    /// The page that is being asked for, with `returnAll`.
    PageNumber,
    /// The most rows a page can have, with `returnAll`.
    PageSize,
}

impl Parameter {
    pub const fn new(name: &'static str, label: &'static str, kind: Kind) -> Self {
        Self {
            name,
            label,
            about: "",
            placeholder: "",
            kind,
            is_required: false,
            default: None,
            wire: None,
            when: None,
            place: Place::Auto,
            fill: None,
        }
    }

    pub const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    pub const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    pub const fn placeholder(mut self, placeholder: &'static str) -> Self {
        self.placeholder = placeholder;
        self
    }

    pub const fn or(mut self, default: Scalar) -> Self {
        self.default = Some(default);
        self
    }

    pub const fn or_text(self, default: &'static str) -> Self {
        self.or(Scalar::Text(default))
    }

    pub const fn or_int(self, default: i32) -> Self {
        self.or(Scalar::Int(default))
    }

    pub const fn wire(mut self, wire: &'static str) -> Self {
        self.wire = Some(wire);
        self
    }

    pub const fn when(mut self, parameter: &'static str, one_of: &'static [Scalar]) -> Self {
        self.when = Some((parameter, one_of));
        self
    }

    pub const fn filled(mut self, fill: Fill) -> Self {
        self.fill = Some(fill);
        self
    }

    /// The rows are the body, not a field of it.
    pub const fn whole_body(mut self) -> Self {
        self.place = Place::WholeBody;
        self
    }

    /// It steers the node and is not sent.
    pub const fn unsent(mut self) -> Self {
        self.place = Place::Nowhere;
        self
    }

    /// An instant goes on the wire as epoch milliseconds.
    pub const fn as_millis(mut self) -> Self {
        self.kind = Kind::DateTime { as_millis: true };
        self
    }

    /// The choices are a help, not a limit.
    pub const fn open(mut self) -> Self {
        if let Kind::Choice { known, .. } = self.kind {
            self.kind = Kind::Choice { known, is_open: true };
        }
        self
    }

    /// The name on the wire.
    pub fn wire_name(&self) -> &'static str {
        self.wire.unwrap_or(self.name)
    }
}

pub const fn text(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::Text)
}

pub const fn secret(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::Secret)
}

pub const fn int(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::Integer { min: None, max: None })
}

pub const fn int_from(name: &'static str, label: &'static str, min: i32, max: Option<i32>) -> Parameter {
    Parameter::new(name, label, Kind::Integer { min: Some(min), max })
}

pub const fn epoch_millis(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::EpochMillis)
}

pub const fn number(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::Number)
}

pub const fn boolean(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::Boolean)
}

pub const fn date(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::Date).placeholder("1990-01-31")
}

pub const fn local_date_time(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::LocalDateTime).placeholder("2025-01-31 13:45:00")
}

pub const fn date_time(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::DateTime { as_millis: false }).placeholder("2025-01-31T13:45:00Z")
}

pub const fn choice(name: &'static str, label: &'static str, known: &'static [Choice]) -> Parameter {
    Parameter::new(
        name,
        label,
        Kind::Choice {
            known,
            is_open: false,
        },
    )
}

pub const fn object(name: &'static str, label: &'static str) -> Parameter {
    Parameter::new(name, label, Kind::Object)
}

pub const fn rows(name: &'static str, label: &'static str, rows: &'static Rows) -> Parameter {
    Parameter::new(name, label, Kind::Rows(rows))
}

/// A choice whose value is a number on the wire.
pub const fn int_choice(value: i32, label: &'static str) -> Choice {
    Choice {
        value: Scalar::Int(value),
        label,
    }
}

/// A choice whose value is a text on the wire.
pub const fn text_choice(value: &'static str, label: &'static str) -> Choice {
    Choice {
        value: Scalar::Text(value),
        label,
    }
}
