//! `--format n8n`: `{"node": …, "credential": …}`, an `INodeTypeDescription` and an `ICredentialType` of n8n 2.x.
//!
//! The shapes come from `packages/workflow/src/interfaces.ts`, the conventions from n8n's own lint rules
//! (`eslint-plugin-n8n-nodes-base`, `@n8n/eslint-plugin-community-nodes`). Workflows store a parameter under its name,
//! so names and values stay unchanged.
//!
//! Three rules of n8n decide how texts are written here:
//!
//! - A parameter's text that starts with `=`, a default included, is an expression. A literal text of that form becomes
//!   an expression that evaluates to it.
//! - Descriptions and hints are HTML. Names and labels are not.
//! - A parameter without a value has its default. So a parameter that must stay unset until the user sets it needs a
//!   default that means unset: the empty text, even for numbers and choices. A switch cannot be unset, so it becomes a
//!   choice.

use std::collections::HashSet;

use nodule::description::{
    Choices, Condition, CredentialSpec, Effect, Indexed, IntegerRange, Kind, MAX_NESTING, Operation,
    Parameter, RowShape,
};
use nodule::json;
use nodule::json::{Json, Object};

use super::escape::html;

/// The node type, and the credential type or `null`.
pub fn render(node: &Indexed<'_>) -> Json {
    json!({
        "node": node_type(node),
        "credential": node.credential.as_ref().map(|credential| credential_type(node, credential)),
    })
}

fn node_type(node: &Indexed<'_>) -> Json {
    let mut properties = vec![selector("Resource", "resource", &resources(node), None)];
    for group in &node.resources {
        let operations: Vec<Object> = node.operations_of(&group.name).map(operation_option).collect();
        properties.push(selector("Operation", "operation", &operations, Some(&group.name)));
    }
    for operation in &node.operations {
        let form = Form {
            node,
            top: &operation.parameters,
            unset: unset(&operation.effect),
        };
        for parameter in node.parameters_by_id(&operation.parameters) {
            let mut property = form.property(parameter, 0);
            let mut show = Object::new();
            show.insert("resource", json!([operation.group]));
            show.insert("operation", json!([operation.name]));
            show.extend(form.conditions(parameter, 0));
            property.insert("displayOptions", json!({"show": show}));
            properties.push(Json::Object(property));
        }
    }

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
    if let Some(credential) = &node.credential {
        description.insert(
            "credentials",
            json!([{"name": credential.name, "required": true}]),
        );
    }
    description.insert("properties", Json::Array(properties));
    Json::Object(description)
}

fn credential_type(node: &Indexed<'_>, credential: &CredentialSpec) -> Json {
    let form = Form {
        node,
        top: &credential.fields,
        unset: NOT_SET,
    };
    let properties: Vec<Json> = node
        .parameters_by_id(&credential.fields)
        .map(|field| {
            let mut property = form.property(field, 0);
            let show = form.conditions(field, 0);
            if !show.is_empty() {
                property.insert("displayOptions", json!({"show": show}));
            }
            Json::Object(property)
        })
        .collect();
    let mut description = object(json!({"name": credential.name, "displayName": credential.display_name}));
    if let Some(url) = &credential.documentation_url {
        description.insert("documentationUrl", json!(url));
    }
    description.insert("properties", Json::Array(properties));
    Json::Object(description)
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

/// One entry of a list, with a description if it says more than the name.
fn option(name: &str, value: &Json, about: &str) -> Object {
    let mut option = object(json!({"name": name, "value": value}));
    if let Some(description) = description(name, about) {
        option.insert("description", json!(description));
    }
    option
}

fn description(name: &str, about: &str) -> Option<String> {
    (!about.trim().is_empty() && about != name).then(|| html(about.trim()))
}

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
struct Form<'a> {
    node: &'a Indexed<'a>,
    /// The IDs of the parameters outside rows and groups.
    top: &'a [String],
    unset: &'static str,
}

impl Form<'_> {
    /// A parameter without its display options; `depth` is 0 outside rows and groups.
    fn property(&self, parameter: &Parameter, depth: usize) -> Object {
        let mut property = object(json!({"displayName": parameter.display_name, "name": parameter.name}));
        property.extend(self.typed(parameter, depth));
        if parameter.required {
            property.insert("required", json!(true));
        }
        if let Some(description) = description(&parameter.display_name, &parameter.summary) {
            property.insert("description", json!(description));
        }
        if let Some(placeholder) = &parameter.placeholder {
            property.insert("placeholder", json!(placeholder));
        }
        property
    }

    /// What the kind decides: type, options, limits, and the default, which n8n requires for each property.
    fn typed(&self, parameter: &Parameter, depth: usize) -> Object {
        let default = || {
            parameter
                .default
                .as_ref()
                .map_or(json!(""), |value| stored(self.node, &parameter.kind, value))
        };
        object(match &parameter.kind {
            Kind::Text => json!({"type": "string", "default": default()}),
            Kind::Multiline => json!({"type": "string", "typeOptions": {"rows": 4}, "default": default()}),
            Kind::Secret => json!({"type": "string", "typeOptions": {"password": true}, "default": ""}),
            Kind::Integer(range) => {
                json!({"type": "number", "typeOptions": integer_options(range), "default": default()})
            }
            Kind::Number => json!({"type": "number", "default": default()}),
            Kind::Boolean if parameter.default.is_some() => json!({"type": "boolean", "default": default()}),
            Kind::Boolean => {
                let yes_or_no = vec![option("Yes", &json!(true), ""), option("No", &json!(false), "")];
                Json::Object(self.options(parameter, yes_or_no))
            }
            // n8n's date picker adds a time.
            Kind::Date => json!({"type": "string", "default": default(), "placeholder": "yyyy-MM-dd"}),
            Kind::DateTime => json!({
                "type": "dateTime",
                "default": default(),
                // The package adds that offset before the call; the component would assume UTC.
                "hint": "A time without an offset is in the workflow's time zone",
            }),
            Kind::Choice(choices) => self.choice(parameter, choices),
            Kind::AnyJson => json!({"type": "json", "default": default()}),
            Kind::Group(fields) => json!({
                "type": "collection",
                "placeholder": "Add Field",
                "default": parameter.default.as_ref().map_or(json!({}), |_| default()),
                "options": self.nested(fields, depth, true),
            }),
            Kind::Rows(shape) => self.rows(parameter, shape, depth),
        })
    }

    fn rows(&self, parameter: &Parameter, shape: &RowShape, depth: usize) -> Json {
        let default = parameter.default.as_ref();
        json!({
            "type": "fixedCollection",
            "typeOptions": {"multipleValues": true},
            "placeholder": format!("Add {}", shape.display_name),
            "default": default.map_or(json!({}), |value| stored(self.node, &parameter.kind, value)),
            "options": [{
                "name": shape.name,
                "displayName": shape.display_name,
                "values": self.nested(&shape.columns, depth, false),
            }],
        })
    }

    fn choice(&self, parameter: &Parameter, choices: &Choices) -> Json {
        let mut known: Vec<Object> = choices
            .known
            .iter()
            .map(|choice| option(&choice.label, &literal(&choice.value), &choice.summary))
            .collect();
        if let Some(default) = &parameter.default {
            // An open choice may have an unlisted default, and n8n shows listed values only.
            if !choices.known.iter().any(|choice| choice.value == *default) {
                known.push(option(&plain(default), &literal(default), ""));
            }
        }
        let mut property = self.options(parameter, known);
        if choices.open {
            // Without it the editor reports every other value as unsupported.
            property.insert("allowArbitraryValues", json!(true));
            property.insert("hint", json!("Other values are passed on too, by expression"));
        }
        Json::Object(property)
    }

    /// A list of options, with an entry for the unset value if the parameter is optional and has no default.
    fn options(&self, parameter: &Parameter, mut options: Vec<Object>) -> Object {
        let has_blank = options
            .iter()
            .any(|option| option.get("value") == Some(&json!("")));
        if !parameter.required && parameter.default.is_none() && !has_blank {
            options.insert(0, option(self.unset, &json!(""), ""));
        }
        let default = parameter.default.as_ref().map_or(json!(""), literal);
        object(json!({"type": "options", "options": options, "default": default}))
    }

    /// The properties of a group's fields or a row's columns.
    fn nested(&self, ids: &[String], depth: usize, optional: bool) -> Vec<Json> {
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
                let show = self.conditions(parameter, depth + 1);
                if !show.is_empty() {
                    property.insert("displayOptions", json!({"show": show}));
                }
                Json::Object(property)
            })
            .collect()
    }

    /// The conditions as `displayOptions.show`. Names are relative to the parameter's position, or to the whole form
    /// with a leading `/`. Values of one name are alternatives, so two conditions on one name become the intersection
    /// of their values.
    fn conditions(&self, parameter: &Parameter, depth: usize) -> Object {
        let mut show = Object::new();
        for Condition {
            parameter: id,
            one_of,
        } in &parameter.visible_when
        {
            let Some(subject) = self.node.parameter(id) else {
                continue;
            };
            let key = if depth > 0 && self.top.contains(id) {
                format!("/{}", subject.name)
            } else {
                subject.name.clone()
            };
            let mut values: Vec<Json> = one_of.iter().map(literal).collect();
            if let Some(earlier) = show.get(&key).and_then(Json::as_array) {
                let earlier: HashSet<String> = earlier.iter().map(Json::to_string).collect();
                values.retain(|value| earlier.contains(&value.to_string()));
            }
            show.insert(key, Json::Array(values));
        }
        show
    }
}

fn integer_options(range: &IntegerRange) -> Json {
    let mut options = Object::new();
    let mut limit = |name: &str, value: Option<f64>| {
        if let Some(value) = value {
            options.insert(name.to_owned(), number(value));
        }
    };
    limit("minValue", range.min);
    limit("maxValue", range.max);
    options.insert("numberPrecision", json!(0));
    Json::Object(options)
}

/// `1` rather than `1.0`.
fn number(value: f64) -> Json {
    Json::parse(&value.to_string()).unwrap_or_default()
}

/// A default as n8n stores values of that kind: JSON as text, everything else as itself.
fn stored(node: &Indexed<'_>, kind: &Kind, value: &Json) -> Json {
    match (kind, value) {
        (Kind::AnyJson, value) => Json::String(value.to_string()),
        (Kind::Group(fields), Json::Object(given)) => members(node, fields, given),
        (Kind::Rows(shape), Json::Object(given)) => {
            let rows = given.iter().map(|(key, rows)| {
                let rows = rows.as_array().into_iter().flatten().filter_map(Json::as_object);
                (
                    key.clone(),
                    rows.map(|row| members(node, &shape.columns, row)).collect(),
                )
            });
            Json::Object(rows.collect())
        }
        (_, value) => literal(value),
    }
}

fn members(node: &Indexed<'_>, ids: &[String], given: &Object) -> Json {
    let known = node.parameters_by_id(ids);
    let members = known.filter_map(|parameter| {
        let value = given.get(&parameter.name)?;
        Some((parameter.name.clone(), stored(node, &parameter.kind, value)))
    });
    Json::Object(members.collect())
}

/// A value that n8n takes literally. A text that starts with `=` would be an expression, so it becomes an expression
/// that evaluates to it. Braces are escaped, since two of them would close the expression.
fn literal(value: &Json) -> Json {
    match value {
        Json::String(text) if text.starts_with('=') => {
            let quoted = Json::String(text.clone()).to_string();
            let quoted = quoted.replace('{', "\\u007b").replace('}', "\\u007d");
            Json::String(format!("={{{{ {quoted} }}}}"))
        }
        value => value.clone(),
    }
}

/// A scalar as a label: a text loses its quotes.
fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn object(value: Json) -> Object {
    match value {
        Json::Object(object) => object,
        _ => Object::new(),
    }
}
