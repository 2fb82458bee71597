//! What a form asks the service while it is filled in. n8n calls a method of the node by its name; the package answers
//! with what the component's `choices` says.

use nodule::description::{Dynamic, Indexed, Kind, Operation};
use nodule::json;
use nodule::json::{Json, Object};

use super::form::Form;
use crate::describe::words;

/// The name of the method for a parameter in the form of an operation. IDs have dots and names have neither dots nor
/// underscores, so that each has a name of its own.
pub fn name(operation: &Operation, id: &str) -> String {
    let name = format!("{}_{}_{id}", operation.group, operation.name);
    let is_plain = |character: char| character.is_ascii_alphanumeric();
    name.chars()
        .map(|character| if is_plain(character) { character } else { '_' })
        .collect()
}

/// All methods, each with the question that it stands for.
pub fn all(node: &Indexed<'_>) -> Json {
    let mut methods: Vec<Json> = Vec::new();
    for operation in &node.operations {
        let form = Form::of_operation(node, operation);
        for place in words::places(node, &operation.parameters) {
            let parameter = place.parameter;
            let Some(dynamic) = parameter.kind.dynamic() else {
                continue;
            };
            let kind = match parameter.kind {
                Kind::Columns(_) => "resourceMapping",
                Kind::Reference(_) if !place.is_each => "listSearch",
                _ => "loadOptions",
            };
            let mut method = Object::new();
            method.insert("method", json!(name(operation, &parameter.id)));
            method.insert("kind", json!(kind));
            method.insert("group", json!(operation.group));
            method.insert("operation", json!(operation.name));
            method.insert("parameter", json!(parameter.id));
            if let Some(choices) = parameter.kind.choices() {
                // n8n shows what the method returns in place of the property's own options.
                let known = form.known(parameter, choices, place.is_each);
                method.insert("known", json!(known));
            }
            if dynamic.search {
                method.insert("search", json!(true));
            }
            let method = Json::Object(method);
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
    }
    Json::Array(methods)
}

impl Form<'_> {
    /// The method's name, if the form is one that can ask.
    pub fn method(&self, id: &str) -> Option<String> {
        self.operation.map(|operation| name(operation, id))
    }

    /// Where n8n finds the parameters on which an answer depends: from the form's root, or beside the parameter with a
    /// leading `&`.
    pub fn depends_on(&self, dynamic: &Dynamic, depth: usize) -> Vec<String> {
        let subjects = dynamic.depends_on.iter();
        subjects
            .filter_map(|id| Some((id, self.node.parameter(id)?)))
            .map(|(id, subject)| {
                let place = if depth > 0 && !self.top.contains(id) {
                    "&"
                } else {
                    ""
                };
                let value = match subject.kind {
                    Kind::Reference(_) => ".value",
                    _ => "",
                };
                format!("{place}{}{value}", subject.name)
            })
            .collect()
    }
}
