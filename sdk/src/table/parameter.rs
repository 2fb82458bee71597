//! A parameter as a constant: what users know it as, what is accepted, and what goes on the wire.

use std::borrow::Cow;

use super::condition::{Condition, is};
use super::kind::{self, Kind};
use super::place::{self, Place};
use crate::pages::{self, Page};
use crate::transport::Requests;

/// One parameter of an operation, one column of its rows, one field of a group or of the credential.
#[derive(Clone, Copy)]
pub struct Parameter {
    /// As workflows store it.
    pub name: &'static str,
    /// As users know it.
    pub label: &'static str,
    /// One sentence for who fills in the form, without a full stop.
    pub about: &'static str,
    /// An example of a value.
    pub placeholder: &'static str,
    /// What is accepted.
    pub kind: Kind,
    /// Whether the caller must set it.
    pub is_required: bool,
    /// Taken, and sent, where the caller leaves the parameter out; never where it is explicitly blank.
    pub default: Option<Scalar>,
    /// The name on the wire, where it differs.
    pub wire: Option<&'static str>,
    /// All must hold, or the parameter is neither shown, checked nor sent.
    pub when: &'static [Condition],
    pub(crate) place: &'static Place,
    /// What the node itself sends where there is no value.
    pub(crate) fill: Option<&'static Fill>,
}

/// A constant JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A text.
    Text(&'static str),
    /// A whole number.
    Int(i32),
    /// `true` or `false`.
    Bool(bool),
    /// Any other, as its JSON text.
    Json(&'static str),
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
            Self::Text(text) | Self::Json(text) => Cow::Borrowed(text),
            // Most codes are one digit.
            Self::Int(value) => digit(value).map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
        }
    }
}

/// What the node supplies itself.
pub struct Fill {
    pub(crate) id: FillId,
    /// As the description says it.
    pub(crate) hint: &'static str,
    pub(crate) value: fn(&Parameter, &Filling) -> Option<String>,
}

/// What it is that the node supplies, for what looks at a table as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FillId {
    Other,
    Number,
    Offset,
    Size,
}

/// What values are filled in from.
pub(crate) struct Filling<'a> {
    pub requests: &'a Requests,
    /// The page that is asked for, where the node turns the pages.
    pub page: Option<&'a Page>,
}

/// Epoch milliseconds.
pub static CLOCK: Fill = Fill {
    id: FillId::Other,
    hint: "clock",
    value: |_, from| Some(from.requests.now_ms().to_string()),
};

/// 32 random hexadecimal digits.
pub static RANDOM: Fill = Fill {
    id: FillId::Other,
    hint: "random",
    value: |_, from| Some(format!("{:032x}", from.requests.random())),
};

impl Parameter {
    pub(crate) const fn new(name: &'static str, label: &'static str, kind: Kind) -> Self {
        Self {
            name,
            label,
            about: "",
            placeholder: "",
            kind,
            is_required: false,
            default: None,
            wire: None,
            when: &[],
            place: &place::AUTO,
            fill: None,
        }
    }

    /// The caller must set it.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// One sentence for who fills in the form, without a full stop.
    #[must_use]
    pub const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// An example of a value.
    #[must_use]
    pub const fn placeholder(mut self, placeholder: &'static str) -> Self {
        self.placeholder = placeholder;
        self
    }

    /// The default.
    #[must_use]
    pub const fn or(mut self, default: Scalar) -> Self {
        self.default = Some(default);
        self
    }

    /// The default, a text.
    #[must_use]
    pub const fn or_text(self, default: &'static str) -> Self {
        self.or(Scalar::Text(default))
    }

    /// The default, a number.
    #[must_use]
    pub const fn or_int(self, default: i32) -> Self {
        self.or(Scalar::Int(default))
    }

    /// The default, `true` or `false`.
    #[must_use]
    pub const fn or_bool(self, default: bool) -> Self {
        self.or(Scalar::Bool(default))
    }

    /// The default, as JSON: `["open"]`.
    #[must_use]
    pub const fn or_json(self, default: &'static str) -> Self {
        self.or(Scalar::Json(default))
    }

    /// The name on the wire.
    #[must_use]
    pub const fn wire(mut self, wire: &'static str) -> Self {
        self.wire = Some(wire);
        self
    }

    /// It is shown, checked and sent only where all of these hold of earlier parameters.
    #[must_use]
    pub const fn when(mut self, conditions: &'static [Condition]) -> Self {
        self.when = conditions;
        self
    }

    /// The node fills it in where it has no value.
    #[must_use]
    pub const fn filled(mut self, fill: &'static Fill) -> Self {
        self.fill = Some(fill);
        self
    }

    /// It is a header, by this name.
    #[must_use]
    pub const fn header(mut self, name: &'static str) -> Self {
        self.place = &place::HEADER;
        self.wire(name)
    }

    /// It goes into the query, although other parameters of the operation go into the body.
    #[must_use]
    pub const fn query(mut self) -> Self {
        self.place = &place::QUERY;
        self
    }

    /// A list goes into the query as one text, with commas between its values.
    #[must_use]
    pub const fn joined(mut self) -> Self {
        self.place = &place::JOINED;
        self
    }

    /// It is a field of the body, although other parameters of the operation go into the query.
    #[must_use]
    pub const fn body(mut self) -> Self {
        self.place = &place::BODY;
        self
    }

    /// It is a field of an object in the JSON body, by its JSON pointer: `/address/city`.
    #[must_use]
    pub const fn at(mut self, pointer: &'static str) -> Self {
        self.place = &place::NESTED;
        self.wire(pointer)
    }

    /// It is the body, not a field of it.
    #[must_use]
    pub const fn whole_body(mut self) -> Self {
        self.place = &place::WHOLE_BODY;
        self
    }

    /// Each field of a group is sent as a parameter of its own, where it says so itself; the group is only how workflows store them.
    #[must_use]
    pub const fn spread(mut self) -> Self {
        self.place = &place::SPREAD;
        self
    }

    /// It steers the node and is not sent.
    #[must_use]
    pub const fn unsent(mut self) -> Self {
        self.place = &place::NOWHERE;
        self
    }

    /// An instant goes on the wire as epoch milliseconds.
    #[must_use]
    pub const fn as_millis(mut self) -> Self {
        self.kind.of = &kind::MILLIS;
        self
    }

    /// An instant goes on the wire as seconds since 1970.
    #[must_use]
    pub const fn as_seconds(mut self) -> Self {
        self.kind.of = &kind::SECONDS;
        self
    }

    /// Rows of two columns go on the wire as an object: the first column is the name, the second the value.
    #[must_use]
    pub const fn as_map(mut self) -> Self {
        self.kind.of = &kind::MAP;
        self
    }

    /// The choices are a help, not a limit.
    #[must_use]
    pub const fn open(mut self) -> Self {
        self.kind.of = &kind::OPEN_CHOICE;
        self
    }

    /// Whether it is sent, and does not only steer the node.
    pub fn is_sent(&self) -> bool {
        self.place.id != place::Id::Nowhere
    }

    /// The name on the wire.
    pub fn wire_name(&self) -> &'static str {
        self.wire.unwrap_or(self.name)
    }
}

/// The name of [`RETURN_ALL`], for whoever acts on it.
pub const RETURN_ALL_NAME: &str = "returnAll";
/// The name of [`LIMIT`], for whoever acts on it.
pub const LIMIT_NAME: &str = "limit";

/// Whether all pages are wanted.
pub const RETURN_ALL: Parameter = kind::boolean(RETURN_ALL_NAME, "Return All")
    .about("Whether to fetch every page and return one item per row")
    .or_bool(false)
    .unsent();

/// The most rows, where all pages are wanted.
pub const LIMIT: Parameter = kind::int_from(LIMIT_NAME, "Limit", 1, None)
    .about("The most rows to return; all when empty")
    .when(&[is(RETURN_ALL_NAME, &[Scalar::Bool(true)])])
    .unsent();

/// The most rows, where not all are wanted: the node turns as many pages as they take.
pub const fn limit(default: i32) -> Parameter {
    kind::int_from(LIMIT_NAME, "Limit", 1, None)
        .about("The most rows to return")
        .or_int(default)
        .when(ONE_PAGE)
        .unsent()
}

/// Where not all pages are wanted.
const ONE_PAGE: &[Condition] = &[is(RETURN_ALL_NAME, &[Scalar::Bool(false)])];

/// Which page to fetch; the first is 1.
pub const fn page_number(name: &'static str) -> Parameter {
    kind::int_from(name, "Page Number", 1, None)
        .about("Which page to fetch; the first is 1")
        .or_int(1)
        .when(ONE_PAGE)
        .filled(&pages::NUMBER)
}

/// Which page to fetch, of a service whose first page is 0.
pub const fn page_index(name: &'static str) -> Parameter {
    kind::int_from(name, "Page", 0, None)
        .about("Which page to fetch; the first is 0")
        .or_int(0)
        .when(ONE_PAGE)
        .filled(&pages::INDEX)
}

/// How many rows a page has: at most 100, and as many where the node turns the pages.
pub const fn page_size(name: &'static str, default: i32) -> Parameter {
    page_size_up_to(name, default, 100)
}

/// How many rows a page has: at most so many, and as many where the node turns the pages.
pub const fn page_size_up_to(name: &'static str, default: i32, most: i32) -> Parameter {
    kind::int_from(name, "Page Size", 1, Some(most))
        .about("How many rows a page has")
        .or_int(default)
        .when(ONE_PAGE)
        .filled(&pages::SIZE)
}

/// How many rows to skip.
pub const fn page_offset(name: &'static str) -> Parameter {
    kind::int_from(name, "Offset", 0, None)
        .about("How many rows to skip")
        .or_int(0)
        .when(ONE_PAGE)
        .filled(&pages::OFFSET)
}
