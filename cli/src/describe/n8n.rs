//! `--format n8n`: what a package for n8n 2.x is made of.
//!
//! | key | what it is |
//! | --- | --- |
//! | `node` | an `INodeTypeDescription` |
//! | `credentials` | an `ICredentialType` for each way to log in |
//! | `authentication` | the parameter that selects one of several credentials, or `null` |
//! | `codex` | what the editor's search finds the node by |
//! | `methods` | what the form asks while it is filled in, for `INodeType.methods` |
//! | `runtime` | of the description what running the node needs |
//!
//! The shapes come from `packages/workflow/src/interfaces.ts`, the conventions from n8n's own lint rules
//! (`eslint-plugin-n8n-nodes-base`, `@n8n/eslint-plugin-community-nodes`). Workflows store a parameter under its name,
//! so names and values stay unchanged.
//!
//! Three rules of n8n decide how texts are written here:
//!
//! - A parameter's text that starts with `=`, a default included, is an expression. A literal text of that form becomes
//!   an expression that evaluates to it.
//! - Descriptions, hints and notices are HTML. Names and labels are not.
//! - A parameter without a value has its default. So a parameter that must stay unset until the user sets it needs a
//!   default that means unset: the empty text, even for numbers and choices. A switch cannot be unset, so it becomes a
//!   choice.

use nodule::description::{Indexed, Operation};
use nodule::json;
use nodule::json::{Json, Object};

mod credential;
mod display;
mod form;
mod kinds;
mod methods;
mod runtime;
mod values;

pub use self::runtime::inexpressible;

use self::form::Form;
use self::values::{object, option};

/// The node type, the credential types, and what belongs to them.
pub fn render(node: &Indexed<'_>) -> Json {
    json!({
        "node": node_type(node),
        "credentials": credential::types(node),
        "authentication": credential::selector_name(node),
        "codex": {"alias": node.aliases},
        "methods": methods::all(node),
        "runtime": runtime::facts(node),
    })
}

fn node_type(node: &Indexed<'_>) -> Json {
    let mut description = object(json!({
        "displayName": node.display_name,
        "name": node.name,
        // The package puts this file beside the node.
        "icon": format!("file:{}.svg", node.name),
        "group": ["transform"],
        "version": node.version,
        "subtitle": "={{$parameter[\"operation\"] + \": \" + $parameter[\"resource\"]}}",
        "description": node.summary,
    }));
    if let Some(url) = &node.documentation_url {
        description.insert("documentationUrl", json!(url));
    }
    description.extend(object(json!({
        "defaults": {"name": node.display_name},
        "usableAsTool": true,
        "inputs": ["main"],
        "outputs": ["main"],
    })));
    if !node.credentials.is_empty() {
        description.insert("credentials", credential::wanted(node));
    }
    description.insert("properties", Json::Array(properties(node)));
    Json::Object(description)
}

fn properties(node: &Indexed<'_>) -> Vec<Json> {
    let mut properties: Vec<Json> = credential::selector(node).into_iter().collect();
    properties.push(selector("Resource", "resource", &resources(node), None));
    for group in &node.resources {
        let operations: Vec<Object> = node.operations_of(&group.name).map(operation_option).collect();
        properties.push(selector("Operation", "operation", &operations, Some(&group.name)));
    }
    for operation in &node.operations {
        properties.extend(Form::of_operation(node, operation).properties());
    }
    properties
}

/// The list to select a resource or an operation from. Neither can be an expression, since they decide which form is
/// shown.
fn selector(display_name: &str, name: &str, options: &[Object], resource: Option<&str>) -> Json {
    let first = options.first().and_then(|option| option.get("value"));
    let mut property = object(json!({
        "displayName": display_name,
        "name": name,
        "type": "options",
        "noDataExpression": true,
    }));
    if let Some(resource) = resource {
        property.insert("displayOptions", json!({"show": {"resource": [resource]}}));
    }
    property.insert("options", json!(options));
    property.insert("default", json!(first.unwrap_or(&json!(""))));
    Json::Object(property)
}

fn resources(node: &Indexed<'_>) -> Vec<Object> {
    let resources = node.resources.iter();
    resources
        .map(|group| option(&group.display_name, &json!(group.name), &group.summary))
        .collect()
}

fn operation_option(operation: &Operation) -> Object {
    let mut option = option(
        &operation.display_name,
        &json!(operation.name),
        &operation.summary,
    );
    option.insert("action", json!(operation.action));
    option
}
