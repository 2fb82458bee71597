//! Credential types, and the parameter that selects one of several.

use nodule::description::{CredentialSpec, Indexed};
use nodule::json;
use nodule::json::Json;

use super::form::Form;
use super::values::{object, option};

/// The names of the selector: the usual one, and the one to use where a parameter of the node has that name.
const SELECTORS: [&str; 2] = ["authentication", "nodeAuthentication"];

/// The parameter that selects one of several credentials.
pub fn selector_name(node: &Indexed<'_>) -> Option<String> {
    if node.credentials.len() < 2 {
        return None;
    }
    let is_taken = |name: &str| node.parameters.iter().any(|parameter| parameter.name == name);
    let [usual, other] = SELECTORS;
    let mut name = if is_taken(usual) { other } else { usual }.to_owned();
    while is_taken(&name) {
        name.push('_');
    }
    Some(name)
}

/// The property of that parameter.
pub fn selector(node: &Indexed<'_>) -> Option<Json> {
    let name = selector_name(node)?;
    let options: Vec<_> = node
        .credentials
        .iter()
        .map(|credential| option(&credential.display_name, &json!(credential.name), ""))
        .collect();
    let first = node.credentials.first().map(|credential| &credential.name);
    Some(json!({
        "displayName": "Authentication",
        "name": name,
        "type": "options",
        "noDataExpression": true,
        "options": options,
        "default": first,
    }))
}

/// The credentials that the node takes, each shown while it is selected.
pub fn wanted(node: &Indexed<'_>) -> Json {
    let selector = selector_name(node);
    let wanted = node.credentials.iter().map(|credential| {
        let mut wanted = object(json!({"name": credential.name, "required": true}));
        if let Some(selector) = &selector {
            let mut show = json::Object::new();
            show.insert(selector.clone(), json!([credential.name]));
            wanted.insert("displayOptions", json!({"show": show}));
        }
        Json::Object(wanted)
    });
    Json::Array(wanted.collect())
}

/// The credential types.
pub fn types(node: &Indexed<'_>) -> Json {
    let types = node.credentials.iter();
    Json::Array(
        types
            .map(|credential| credential_type(node, credential))
            .collect(),
    )
}

fn credential_type(node: &Indexed<'_>, credential: &CredentialSpec) -> Json {
    let mut description = object(json!({"name": credential.name, "displayName": credential.display_name}));
    if let Some(url) = &credential.documentation_url {
        description.insert("documentationUrl", json!(url));
    }
    description.insert(
        "properties",
        Json::Array(Form::of_credential(node, credential).properties()),
    );
    Json::Object(description)
}
