//! A node's description as plain owned values.
//!
//! These types mirror the records of the contract's `description` interface, with parsed JSON documents and no tie to a
//! running component. Engines draw forms from them, and `nodule describe --format json` prints exactly them.
//!
//! | in the contract | here, and in JSON |
//! | --- | --- |
//! | `display-name` | `display_name`, in JSON `displayName` |
//! | an absent `option<…>` | `None`, in JSON an absent key |
//! | `json` and `scalar`, texts | [`Json`], in JSON the document itself, with all digits of its numbers |
//! | `keyed("a.b.c")` | [`Effect::Keyed`], in JSON `{"type": "keyed", "parameter": "a.b.c"}` |
//! | `request`, a text | [`DeclaredRequest`], in JSON the same text |
//!
//! A description comes out of the sandbox and is untrusted input. Reading it from JSON refuses unknown and missing
//! fields; [`Node::check`] refuses the rest and reports all problems at once. Code that draws or prints a description
//! may rely on what `check` guarantees, and still has to escape for its own format.

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

/// The JSON Schema (2020-12) of a description in JSON. Reading refuses whatever the schema refuses; [`Node::check`]
/// refuses more.
pub const SCHEMA: &str = include_str!("description/schema.json");

/// An example description in JSON with every kind of parameter and every effect, for testing programs that draw or
/// print descriptions.
///
/// ```
/// use nodule_core::description::{EXAMPLE, Node};
///
/// let node = serde_json::from_str::<Node>(EXAMPLE)?.check().expect("a sound description");
/// assert_eq!(node.operations.len(), 4);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub const EXAMPLE: &str = include_str!("description/example.json");

/// A node: everything that an engine needs to draw its form, check a call, document it and bind its credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Node {
    /// camelCase, as workflows store it.
    pub name: String,
    /// The name that people see.
    pub display_name: String,
    /// Raised when stored workflows would behave differently; starts at 1.
    pub version: u32,
    /// One or a few sentences.
    pub summary: String,
    /// An SVG document that only draws.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon_svg: Option<String>,
    /// An http or https URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation_url: Option<String>,
    /// Absent if the service needs no credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialSpec>,
    /// The groups of operations, in display order.
    pub resources: Vec<ResourceGroup>,
    /// The operations, in display order.
    pub operations: Vec<Operation>,
    /// Every parameter of every operation and of the credential. Everything else refers to a parameter by its ID.
    pub parameters: Vec<Parameter>,
    /// For people, and for facts that this version of the contract has no field for; an object. Nothing acts on them.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub hints: Option<Json>,
}

/// A group of related operations; n8n calls it a resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceGroup {
    /// camelCase, as workflows store it.
    pub name: String,
    /// The name that people see.
    pub display_name: String,
    /// One sentence, or empty.
    pub summary: String,
}

/// One operation of the node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Operation {
    /// The name of its [`ResourceGroup`].
    pub group: String,
    /// camelCase, as workflows store it; unique in its group.
    pub name: String,
    /// The name that people see.
    pub display_name: String,
    /// One or a few sentences.
    pub summary: String,
    /// The label of the button: `Adjust member points`.
    pub action: String,
    /// An http or https URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation_url: Option<String>,
    /// IDs of [`Node::parameters`], in display order.
    pub parameters: Vec<String>,
    /// What running it twice does.
    pub effect: Effect,
    /// The request that one item makes, if it makes exactly one that is known beforehand. Items with the same values in
    /// its path change the same thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<DeclaredRequest>,
    /// JSON Schema (2020-12) of one output item; an object.
    pub output_schema: Json,
    /// For people, and for facts that this version of the contract has no field for; an object. Nothing acts on them.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub hints: Option<Json>,
}

/// What running an operation twice does; engines derive from it what they may retry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "repr::Effect", into = "repr::Effect")]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Running it twice has the same effect as running it once.
    Idempotent,
    /// Running it twice has the same effect as once while the parameter with this ID keeps its value.
    Keyed(String),
    /// Running it twice may have its effect twice.
    Write,
}

/// One value that an operation, row, group or credential takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameter {
    /// The ID that lists, conditions and effects refer to; unique in the node.
    pub id: String,
    /// The key in an item's parameters, as workflows store it; unique among its siblings.
    pub name: String,
    /// The name that people see.
    pub display_name: String,
    /// One or a few sentences, or empty.
    pub summary: String,
    /// Shown in the empty field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placeholder: Option<String>,
    /// The kind of values it takes.
    pub kind: Kind,
    /// Whether a call without it is refused while its conditions are met.
    pub required: bool,
    /// Absent: nothing is sent unless the user sets a value.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub default: Option<Json>,
    /// Unless all are met, the parameter is neither shown, required nor sent.
    pub visible_when: Vec<Condition>,
    /// For people, and for facts that this version of the contract has no field for; an object. Nothing acts on them.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub hints: Option<Json>,
}

/// The kind of values that a parameter takes.
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
    /// ISO 8601; without an offset it means UTC.
    DateTime,
    /// One of several values.
    Choice(Choices),
    /// Any JSON value, or its text.
    AnyJson,
    /// Named optional fields, by ID.
    Group(Vec<String>),
    /// A list of rows with the same columns.
    Rows(RowShape),
}

/// The range of an integer; both bounds are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct IntegerRange {
    /// Absent: no lower bound.
    pub min: Option<f64>,
    /// Absent: no upper bound.
    pub max: Option<f64>,
}

/// The values of a choice.
#[derive(Debug, Clone, PartialEq)]
pub struct Choices {
    /// In display order.
    pub known: Vec<Choice>,
    /// Whether other values are accepted too: the list then only suggests.
    pub open: bool,
}

/// One value of a choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Choice {
    /// The label that people see.
    pub label: String,
    /// A text, number or boolean: `1` and `"1"` are different on the wire.
    pub value: Json,
    /// One sentence, or empty.
    pub summary: String,
}

/// How a list of rows is stored, `{"detail": [ … ]}`, and which columns a row has.
#[derive(Debug, Clone, PartialEq)]
pub struct RowShape {
    /// The key that holds the list.
    pub name: String,
    /// The name of one row, as people see it.
    pub display_name: String,
    /// IDs of [`Node::parameters`], in display order.
    pub columns: Vec<String>,
    /// The fewest rows of a list, if there is a list.
    pub min: u32,
}

/// A condition for a parameter: another parameter has one of these values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Condition {
    /// The ID of a sibling, or of a parameter of the operation itself.
    pub parameter: String,
    /// Texts, numbers or booleans; never empty.
    pub one_of: Vec<Json>,
}

/// The fields that a user enters once; only the node's `authenticate` receives them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CredentialSpec {
    /// camelCase, as engines store it.
    pub name: String,
    /// The name that people see.
    pub display_name: String,
    /// An http or https URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation_url: Option<String>,
    /// IDs of [`Node::parameters`], in display order.
    pub fields: Vec<String>,
    /// The ID of the field that contains the base URL. The credential may be sent to that origin and path prefix only.
    pub base_url: String,
}

impl Kind {
    /// The name of the kind in JSON and messages: `dateTime`, `anyJson`.
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

    /// IDs of the nested parameters: a group's fields, or a row's columns; otherwise empty.
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
    /// The name of the effect in JSON and messages.
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

/// Tells a JSON `null` apart from a missing key, so that the check can refuse it by name.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests;
