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
//! | `one-of([…])` | [`Holds::OneOf`], in JSON `"oneOf": […]` of the condition |
//!
//! A description comes out of the sandbox and is untrusted input. Reading it from JSON refuses unknown and missing
//! fields; [`Node::check`] refuses the rest and reports all problems at once. Code that draws or prints a description
//! may rely on what `check` guarantees, and still has to escape for its own format.

use crate::json::Json;
use serde::{Deserialize, Deserializer, Serialize};

mod access;
mod bounds;
mod check;
mod find;
mod icon;
mod item;
mod json;
mod kinds;
mod names;
mod nesting;
mod oauth2;
mod of_contract;
mod origin;
mod pattern;
mod places;
mod repr;
mod request;
mod sizes;
mod template;
mod text;
mod url_template;
mod value;

pub use self::bounds::*;
pub use self::check::DescriptionProblem;
pub use self::check::{Problems, place_of_operation, place_of_parameter};
pub use self::find::{Indexed, Unknown, nearest};
pub use self::item::{ItemCheck, MAX_ITEM_PROBLEMS};
pub use self::json::parse_json;
pub use self::json::values_in;
pub(crate) use self::kinds::check_choice;
pub use self::origin::{OriginPattern, ResolvedOrigin};
pub use self::pattern::{Pattern, PatternError};
pub use self::request::{DeclaredRequest, DeclaredRequestError};
pub use self::template::{Destination, RenderError, TemplateError, TextTemplate};
pub use self::text::is_deceptive;
pub use self::text::quoted;
pub use self::url_template::{UrlTemplate, UrlTemplateError};
pub(crate) use self::value::is_single as is_single_value;

/// The JSON Schema (2020-12) of a description in JSON. Reading refuses whatever the schema refuses; [`Node::check`]
/// refuses more.
pub const SCHEMA: &str = include_str!("description/schema.json");

/// An example description in JSON with every kind of parameter, every form of condition, every effect and every scheme of
/// a credential, for testing programs that draw or print descriptions.
///
/// ```
/// use nodule_core::description::{EXAMPLE, Node};
///
/// let node = serde_json::from_str::<Node>(EXAMPLE)?.check().expect("a sound description");
/// assert_eq!(node.operations.len(), 5);
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
    /// Other words that people search for.
    pub aliases: Vec<String>,
    /// The ways to log in, in display order; a user binds one. Empty if the service needs none.
    pub credentials: Vec<CredentialSpec>,
    /// Where else the node wants to go. An operator grants it.
    pub origins: Vec<Origin>,
    /// The groups of operations, in display order.
    pub resources: Vec<ResourceGroup>,
    /// The operations, in display order.
    pub operations: Vec<Operation>,
    /// Every parameter of every operation and of every credential. Everything else refers to a parameter by its ID.
    pub parameters: Vec<Parameter>,
    /// For people, and for facts that this version of the contract has no field for; an object. Nothing acts on them.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub hints: Option<Json>,
    /// What the component imports beyond what every node may: the host says it, and gives void versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
}

/// Where else a node wants to go. A credential's base URL is an origin by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Origin {
    /// `https://{bucket}.s3.amazonaws.com`: a field of a credential in braces, `*` for one label.
    pub url: String,
    /// The names of the credentials whose access is added there too.
    pub access: Vec<String>,
    /// Why, for the operator who decides.
    pub reason: String,
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
    /// The most requests other than GET and HEAD that one item needs. 0 for the effect `read`, where nothing is counted: some
    /// services want their searches as POST.
    pub write_requests: u32,
    /// The request that one item makes, if it makes exactly one that is known beforehand. Items with the same values in
    /// its path change the same thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<DeclaredRequest>,
    /// Whether an item may give rows while it goes on: those of a page. Only for the effect `read`.
    #[serde(default)]
    pub emits: bool,
    /// Whether its outputs may have files.
    #[serde(default)]
    pub gives_files: bool,
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
    /// The key in an item's parameters, as workflows store it; unique among siblings that are shown at the same time.
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
    Integer(Range),
    /// Any number.
    Number(Range),
    /// True or false.
    Boolean,
    /// `yyyy-MM-dd`
    Date,
    /// ISO 8601; without an offset it means UTC.
    DateTime,
    /// One of several values.
    Choice(Choices),
    /// Several of the values, as a list.
    ChooseMany(Choices),
    /// A thing of the service: chosen from a list, by its ID, or by the URL of its page.
    Reference(Reference),
    /// Any JSON value, or its text.
    AnyJson,
    /// A file that goes with the item; the value is the key under which the item has it.
    File,
    /// Named optional fields.
    Group(GroupShape),
    /// A list of rows with the same columns.
    Rows(RowShape),
    /// A list of single values, each as the parameter with this ID describes it.
    Values(String),
    /// An object whose columns only the service knows.
    Columns(Dynamic),
    /// No value: a text for the reader of the form.
    Notice,
}

/// The range of a number; both bounds are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Range {
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
    /// Present if the service has more of them.
    pub dynamic: Option<Dynamic>,
}

impl Choices {
    /// Whether only the known values are accepted.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.open && self.dynamic.is_none()
    }
}

/// A question to the service while the form is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dynamic {
    /// The IDs of parameters; when one of them changes, the question is asked again.
    pub depends_on: Vec<String>,
    /// Whether it takes a text to search for.
    pub search: bool,
}

/// How a thing of the service may be given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reference {
    /// Present if the service lists the things.
    pub dynamic: Option<Dynamic>,
    /// A regular expression (RFC 9485) with one group, for the URL of a thing's page; the group is the ID.
    pub id_in_url: Option<String>,
    /// A regular expression (RFC 9485) that the whole ID matches.
    pub id: Option<String>,
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

/// How named fields are stored, and which there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupShape {
    /// The key that holds the fields, `{"range": { … }}`. Absent: the value itself holds them.
    pub key: Option<String>,
    /// IDs of [`Node::parameters`], in display order.
    pub fields: Vec<String>,
}

/// How a list of rows is stored, and which columns a row has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowShape {
    /// The key that holds the list, `{"detail": [ … ]}`. Absent: the value itself is the list.
    pub key: Option<String>,
    /// The name of one row, as people see it.
    pub display_name: String,
    /// IDs of [`Node::parameters`], in display order.
    pub columns: Vec<String>,
    /// The fewest rows of a list, if there is a list.
    pub min: u32,
    /// The most rows. Absent: there is no bound.
    pub max: Option<u32>,
}

/// A condition for a parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "repr::Condition", into = "repr::Condition")]
pub struct Condition {
    /// The ID of a sibling, or of a parameter of the operation itself.
    pub parameter: String,
    /// What holds of its value.
    pub holds: Holds,
}

/// What holds of a parameter's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Holds {
    /// It is one of these texts, numbers or booleans; a list contains one of them.
    OneOf(Vec<Json>),
    /// It is none of these; a list contains none of them. It holds without a value, too.
    NoneOf(Vec<Json>),
    /// There is a value.
    Set,
}

/// One way to log in: the fields that a user enters once, and how they become access.
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
    /// The ID of the field that contains the base URL. The credential may be sent to that origin and path prefix, and to
    /// granted origins that name it.
    pub base_url: String,
    /// How it becomes access.
    pub scheme: Scheme,
    /// The path below the base URL of a GET that succeeds when the credential works. Absent: `authenticate` is the test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
}

/// How a credential becomes access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "repr::Scheme", into = "repr::Scheme")]
pub enum Scheme {
    /// The host puts fields into headers and the query.
    Fixed(Placement),
    /// The host gets a token and adds `Authorization: Bearer …`.
    Oauth2(Box<Oauth2>),
    /// The node's `authenticate` makes a session.
    Session,
    /// The node's `sign` is shown each request.
    Signed(BodyNeed),
}

/// Where the fields of a credential go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placement {
    /// Headers of each request.
    pub headers: Vec<Template>,
    /// Parameters of each request's query.
    pub query: Vec<Template>,
}

/// A value with fields of the credential in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Template {
    /// The name of a header or of a parameter of the query.
    pub name: String,
    /// `Bearer {token}`, with fields by their names; `{basic:user:password}` is the Base64 of both with a colon between.
    pub template: String,
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pair {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// How the host gets a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Oauth2 {
    /// What is exchanged for a token.
    pub grant: Grant,
    /// Where the user consents, with fields by their names in braces. Only [`Grant::AuthorizationCode`] has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_url: Option<String>,
    /// Where tokens come from, with fields by their names in braces.
    pub token_url: String,
    /// What access is asked for.
    pub scopes: Vec<String>,
    /// What stands between scopes: mostly a space.
    pub scope_separator: String,
    /// Whether the client's ID and secret go into the body of a token request, not into `Authorization`.
    pub client_in_body: bool,
    /// Proof Key for Code Exchange (RFC 7636), with S256.
    pub pkce: bool,
    /// Added to the authorization request.
    pub authorization_query: Vec<Pair>,
    /// Added to each token request.
    pub token_body: Vec<Pair>,
    /// The ID of the field with the client's ID.
    pub client_id: String,
    /// The ID of the field with the client's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
}

/// What is exchanged for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Grant {
    /// The code that the service gives after the user's consent.
    AuthorizationCode,
    /// The client's own secret.
    ClientCredentials,
}

/// What `sign` is shown of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BodyNeed {
    /// Its length.
    Size,
    /// Its SHA-256 and length.
    Digest,
    /// All of it.
    Whole,
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
            Kind::Number(_) => "number",
            Kind::Boolean => "boolean",
            Kind::Date => "date",
            Kind::DateTime => "dateTime",
            Kind::Choice(_) => "choice",
            Kind::ChooseMany(_) => "chooseMany",
            Kind::Reference(_) => "reference",
            Kind::AnyJson => "anyJson",
            Kind::File => "file",
            Kind::Group(_) => "group",
            Kind::Rows(_) => "rows",
            Kind::Values(_) => "values",
            Kind::Columns(_) => "columns",
            Kind::Notice => "notice",
        }
    }

    /// IDs of the nested parameters: a group's fields, a row's columns, or the one of a list's values; otherwise empty.
    #[must_use]
    pub fn children(&self) -> &[String] {
        match self {
            Kind::Group(shape) => &shape.fields,
            Kind::Rows(shape) => &shape.columns,
            Kind::Values(each) => std::slice::from_ref(each),
            _ => &[],
        }
    }

    /// The choices of a choice, of one or of several values.
    #[must_use]
    pub fn choices(&self) -> Option<&Choices> {
        match self {
            Kind::Choice(choices) | Kind::ChooseMany(choices) => Some(choices),
            _ => None,
        }
    }

    /// What is asked of the service while the form is filled in.
    #[must_use]
    pub fn dynamic(&self) -> Option<&Dynamic> {
        match self {
            Kind::Choice(choices) | Kind::ChooseMany(choices) => choices.dynamic.as_ref(),
            Kind::Reference(reference) => reference.dynamic.as_ref(),
            Kind::Columns(dynamic) => Some(dynamic),
            _ => None,
        }
    }
}

impl Holds {
    /// The values that the condition names.
    #[must_use]
    pub fn values(&self) -> &[Json] {
        match self {
            Holds::OneOf(values) | Holds::NoneOf(values) => values,
            Holds::Set => &[],
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
