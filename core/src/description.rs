//! What a node says about itself, as plain owned values.
//!
//! These are the records of the contract's `description` interface, with JSON documents parsed and nothing tied to
//! a running component: an engine draws forms from them, and `nodule describe --format json` prints exactly them.
//!
//! | in the contract | here, and in JSON |
//! | --- | --- |
//! | `display-name` | `display_name`, in JSON `displayName` |
//! | `option<…>` that is absent | `None`, in JSON a key that is absent |
//! | `json` and `scalar`, texts | [`Json`], in JSON the document itself, its numbers with all their digits |
//! | `keyed("a.b.c")` | [`Effect::Keyed`], in JSON `{"type": "keyed", "parameter": "a.b.c"}` |
//! | `request`, a text | [`DeclaredRequest`], in JSON the same text |
//!
//! A description comes out of the sandbox, so a hostile or broken one is an input like any other. Reading it from
//! JSON refuses unknown and missing fields; [`Node::check`] refuses the rest, with all problems at once. Code that
//! draws or prints a description may rely on what `check` promises, and still escapes for its own format.

use crate::json::Json;
use serde::{Deserialize, Deserializer, Serialize};

mod bounds;
mod check;
mod find;
mod icon;
mod json;
mod places;
mod repr;
mod request;
mod sizes;
mod text;
mod value;

pub use self::bounds::*;
pub use self::check::DescriptionProblem;
pub use self::check::{Problems, place_of_operation, place_of_parameter};
pub use self::find::{Indexed, Unknown, nearest};
pub use self::json::parse_json;
pub use self::json::values_in;
pub use self::request::{DeclaredRequest, DeclaredRequestError};
pub use self::text::is_deceptive;
pub use self::text::quoted;

/// The JSON Schema (2020-12) of a description in JSON. Whatever it refuses, reading refuses; [`Node::check`] refuses more.
pub const SCHEMA: &str = include_str!("description/schema.json");

/// A description in JSON that has every kind of parameter and every effect, for the tests of programs that draw or print
/// descriptions.
///
/// ```
/// use nodule_core::description::{EXAMPLE, Node};
///
/// let node = serde_json::from_str::<Node>(EXAMPLE)?.check().expect("a sound description");
/// assert_eq!(node.operations.len(), 4);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub const EXAMPLE: &str = include_str!("description/example.json");

/// A node: all that an engine needs to draw its form, check a call, document it and bind its credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Node {
    /// camelCase, as workflows store it.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// Raised when stored workflows would behave differently; from 1.
    pub version: u32,
    /// One or a few sentences.
    pub summary: String,
    /// An SVG document that draws and does nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon_svg: Option<String>,
    /// An http or https URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation_url: Option<String>,
    /// Absent where the service asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialSpec>,
    /// The groups that operations belong to, in the order to show.
    pub resources: Vec<ResourceGroup>,
    /// The operations, in the order to show.
    pub operations: Vec<Operation>,
    /// Every parameter of every operation and of the credential; the rest refers to it by ID.
    pub parameters: Vec<Parameter>,
    /// For people, and for facts that this version of the contract has no place for; an object. Nothing acts on them.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub hints: Option<Json>,
}

/// One tab of related operations; n8n calls it a resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceGroup {
    /// camelCase, as workflows store it.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// One sentence, or nothing.
    pub summary: String,
}

/// One thing that the node can do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Operation {
    /// The name of its [`ResourceGroup`].
    pub group: String,
    /// camelCase, as workflows store it; unique in its group.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// One or a few sentences.
    pub summary: String,
    /// What the button says: `Adjust member points`.
    pub action: String,
    /// An http or https URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation_url: Option<String>,
    /// IDs of [`Node::parameters`], in the order to show.
    pub parameters: Vec<String>,
    /// What running it twice does.
    pub effect: Effect,
    /// The request that one item makes, where it is one and can be told beforehand. Items with the same values in its path
    /// change the same thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<DeclaredRequest>,
    /// JSON Schema (2020-12) of one output item; an object.
    pub output_schema: Json,
    /// For people, and for facts that this version of the contract has no place for; an object. Nothing acts on them.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub hints: Option<Json>,
}

/// What running an operation twice does; engines decide from it what they may retry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "repr::Effect", into = "repr::Effect")]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Twice is the same as once.
    Idempotent,
    /// Twice is the same as once while the parameter with this ID keeps its value.
    Keyed(String),
    /// Twice may be twice.
    Write,
}

/// One value that an operation, a row, a group or the credential takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameter {
    /// What lists, conditions and effects refer to; unique in the node.
    pub id: String,
    /// The key in an item's parameters, as workflows store it; unique among its siblings.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// One or a few sentences, or nothing.
    pub summary: String,
    /// Shown in the empty field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placeholder: Option<String>,
    /// What values it takes.
    pub kind: Kind,
    /// Whether a call without it is refused, where its conditions hold.
    pub required: bool,
    /// Absent: nothing is sent unless the user sets it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub default: Option<Json>,
    /// All must hold, or the parameter is neither shown, required nor sent.
    pub visible_when: Vec<Condition>,
    /// For people, and for facts that this version of the contract has no place for; an object. Nothing acts on them.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub hints: Option<Json>,
}

/// What values a parameter takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "repr::Kind", into = "repr::Kind")]
pub enum Kind {
    /// One line of text.
    Text,
    /// Several lines of text.
    Multiline,
    /// Shown masked; never logged, recorded or returned. Only a credential has such fields.
    Secret,
    /// A whole number.
    Integer(IntegerRange),
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// `yyyy-MM-dd`
    Date,
    /// ISO 8601; without an offset it is UTC.
    DateTime,
    /// One of some values.
    Choice(Choices),
    /// Any JSON value, or its text.
    AnyJson,
    /// Named optional fields, by ID.
    Group(Vec<String>),
    /// A list of rows with the same columns.
    Rows(RowShape),
}

/// The least and the greatest value that an integer may have; both are allowed values.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct IntegerRange {
    /// Absent: no least value.
    pub min: Option<f64>,
    /// Absent: no greatest value.
    pub max: Option<f64>,
}

/// The values of a choice.
#[derive(Debug, Clone, PartialEq)]
pub struct Choices {
    /// In the order to show.
    pub known: Vec<Choice>,
    /// Other values are passed on too: the list is a help, not a limit.
    pub open: bool,
}

/// One value of a choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Choice {
    /// What people read.
    pub label: String,
    /// A text, number or boolean: `1` and `"1"` are different on the wire.
    pub value: Json,
    /// One sentence, or nothing.
    pub summary: String,
}

/// How a list of rows is stored, `{"detail": [ … ]}`, and what a row holds.
#[derive(Debug, Clone, PartialEq)]
pub struct RowShape {
    /// The key that holds the list.
    pub name: String,
    /// What people call one row.
    pub display_name: String,
    /// IDs of [`Node::parameters`], in the order to show.
    pub columns: Vec<String>,
    /// The fewest rows of a list that is given.
    pub min: u32,
}

/// When a parameter is there: while another one has one of these values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Condition {
    /// The ID of a sibling, or of a parameter of the operation itself.
    pub parameter: String,
    /// Texts, numbers or booleans; never empty.
    pub one_of: Vec<Json>,
}

/// What a user enters once, and only the node's `authenticate` is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CredentialSpec {
    /// camelCase, as engines store it.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// An http or https URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation_url: Option<String>,
    /// IDs of [`Node::parameters`], in the order to show.
    pub fields: Vec<String>,
    /// The ID of the field that holds the base URL: the credential may be sent there, to that origin and path
    /// prefix, and nowhere else.
    pub base_url: String,
}

impl Kind {
    /// The kind's name as JSON and messages have it: `dateTime`, `anyJson`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Multiline => "multiline",
            Kind::Secret => "secret",
            Kind::Integer(_) => "integer",
            Kind::Number => "number",
            Kind::Boolean => "boolean",
            Kind::Date => "date",
            Kind::DateTime => "dateTime",
            Kind::Choice(_) => "choice",
            Kind::AnyJson => "anyJson",
            Kind::Group(_) => "group",
            Kind::Rows(_) => "rows",
        }
    }

    /// IDs of the parameters inside it: a group's fields, a row's columns; else none.
    #[must_use]
    pub fn children(&self) -> &[String] {
        match self {
            Kind::Group(fields) => fields,
            Kind::Rows(shape) => &shape.columns,
            _ => &[],
        }
    }
}

impl Effect {
    /// The effect's name as JSON and messages have it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Effect::Read => "read",
            Effect::Idempotent => "idempotent",
            Effect::Keyed(_) => "keyed",
            Effect::Write => "write",
        }
    }
}

/// Keeps a JSON `null` apart from a missing key, so that the check can refuse it by name.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests;
