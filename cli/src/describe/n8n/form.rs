//! The properties of one form: an operation's, or a credential's.

use nodule::description::{CredentialSpec, Effect, Indexed, MAX_NESTING, Operation, Parameter};
use nodule::json;
use nodule::json::{Json, Object};

use super::kinds::untold_default;
use super::values::{description, object};
use crate::describe::escape::html;

/// Label of the unset value, for operations where unset fields change nothing.
const NOT_SET: &str = "Not Set";

/// The label of the unset value. An idempotent operation is an update: unset fields keep their value.
fn unset(effect: &Effect) -> &'static str {
    if *effect == Effect::Idempotent {
        "Leave Unchanged"
    } else {
        NOT_SET
    }
}

/// The context of one form's properties.
pub struct Form<'a> {
    pub node: &'a Indexed<'a>,
    /// The IDs of the parameters outside rows and groups.
    pub top: &'a [String],
    /// The label of the unset value.
    pub unset: &'static str,
    /// `None` for a credential.
    pub operation: Option<&'a Operation>,
}

impl<'a> Form<'a> {
    /// The form of an operation.
    pub fn of_operation(node: &'a Indexed<'a>, operation: &'a Operation) -> Self {
        Self {
            node,
            top: &operation.parameters,
            unset: unset(&operation.effect),
            operation: Some(operation),
        }
    }

    /// The form of a credential.
    pub fn of_credential(node: &'a Indexed<'a>, credential: &'a CredentialSpec) -> Self {
        Self {
            node,
            top: &credential.fields,
            unset: NOT_SET,
            operation: None,
        }
    }

    /// All properties, with the conditions under which each is shown.
    pub fn properties(&self) -> Vec<Json> {
        self.node
            .parameters_by_id(self.top)
            .map(|parameter| {
                let mut property = self.property(parameter, 0);
                let mut display = self.display(parameter, 0);
                if let Some(operation) = self.operation {
                    let mut show = Object::new();
                    show.insert("resource", json!([operation.group]));
                    show.insert("operation", json!([operation.name]));
                    show.extend(display.show);
                    display.show = show;
                }
                display.add_to(&mut property);
                Json::Object(property)
            })
            .collect()
    }

    /// A parameter without its display options; `depth` is 0 outside rows and groups.
    pub fn property(&self, parameter: &Parameter, depth: usize) -> Object {
        let mut property = object(json!({"displayName": parameter.display_name, "name": parameter.name}));
        property.extend(self.typed(parameter, depth));
        if property.get("type") == Some(&json!("notice")) {
            return property;
        }
        if parameter.required {
            property.insert("required", json!(true));
        }
        let summary = description(&parameter.display_name, &parameter.summary);
        // The editor shows no hint of a collection or a list.
        let default =
            untold_default(parameter, &property).map(|default| html(&format!("When empty: {default}")));
        let lines: Vec<String> = summary.into_iter().chain(default).collect();
        if !lines.is_empty() {
            property.insert("description", json!(lines.join("<br>")));
        }
        if let Some(placeholder) = &parameter.placeholder {
            property.insert("placeholder", json!(placeholder));
        }
        property
    }

    /// The properties of a group's fields or a row's columns.
    pub fn nested(&self, ids: &[String], depth: usize, optional: bool) -> Vec<Json> {
        // The check limits the depth; this also stops for an unchecked description.
        if depth >= MAX_NESTING {
            return Vec::new();
        }
        self.node
            .parameters_by_id(ids)
            .map(|parameter| {
                let mut property = self.property(parameter, depth + 1);
                if optional {
                    // A collection's field is always optional: the user adds it.
                    property.remove("required");
                }
                self.display(parameter, depth + 1).add_to(&mut property);
                Json::Object(property)
            })
            .collect()
    }
}
