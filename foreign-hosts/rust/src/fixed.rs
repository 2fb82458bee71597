//! The access of a credential of the scheme `fixed`: the host fills the credential's fields into the templates of the
//! description, and the node is not asked.

use crate::exports::workflow::node::description::{Condition, Holds, Node, Placement, Template};
use crate::exports::workflow::node::types::{Access, Field};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

/// `credential` is its JSON object.
pub fn access(placement: &Placement, node: &Node, credential: &Value) -> Access {
    let form = Form { node, credential };
    let fill = |templates: &[Template]| -> Vec<Field> {
        let field = |one: &Template| {
            let (name, value) = (one.name.clone(), form.filled(&one.template)?);
            Some(Field { name, value })
        };
        templates.iter().filter_map(field).collect()
    };
    Access {
        headers: fill(&placement.headers),
        query: fill(&placement.query),
    }
}

/// A credential as it is filled in.
struct Form<'a> {
    node: &'a Node,
    credential: &'a Value,
}

impl Form<'_> {
    /// A template with fields in it; `None` where one of them has no value.
    fn filled(&self, template: &str) -> Option<String> {
        let (mut text, mut rest) = (String::new(), template);
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            text += before;
            if from.starts_with("{{") || from.starts_with("}}") {
                text += &from[..1];
                rest = &from[2..];
                continue;
            }
            let (name, after) = from[1..].split_once('}')?;
            let pair = name.strip_prefix("basic:").and_then(|pair| pair.split_once(':'));
            text += &match pair {
                Some((user, password)) => {
                    let password = self.field(password).unwrap_or_default();
                    BASE64_STANDARD.encode(format!("{}:{password}", self.field(user)?))
                }
                None => self.field(name)?,
            };
            rest = after;
        }
        Some(text + rest)
    }

    /// The value of the field with this name, as a text. One that the form hides has none.
    fn field(&self, name: &str) -> Option<String> {
        let ids = self.node.credentials.iter().flat_map(|one| &one.fields);
        let mut fields = ids.filter_map(|id| self.node.parameters.iter().find(|one| one.id == *id));
        let field = fields.find(|field| field.name == name)?;
        if !field.visible_when.iter().all(|condition| self.holds(condition)) {
            return None;
        }
        match self.value(&field.id)? {
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }

    fn holds(&self, condition: &Condition) -> bool {
        let value = self.value(&condition.parameter);
        // Each is a JSON text.
        let is_one = |texts: &[String]| {
            let mut values = texts.iter().map(|text| serde_json::from_str(text).ok());
            value.is_some() && values.any(|one| one == value)
        };
        match &condition.holds {
            Holds::OneOf(texts) => is_one(texts),
            Holds::NoneOf(texts) => !is_one(texts),
            Holds::Set => value.is_some(),
        }
    }

    /// What was filled in, or the default.
    fn value(&self, id: &str) -> Option<Value> {
        let field = self.node.parameters.iter().find(|one| one.id == id)?;
        let given = self.credential.get(&field.name);
        let is_set =
            |value: &&Value| !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty());
        let default = || serde_json::from_str(field.default.as_deref()?).ok();
        given.filter(is_set).cloned().or_else(default)
    }
}
