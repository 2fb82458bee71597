//! What the kind of a parameter becomes in n8n: type, options, limits, and the default, which n8n requires for each
//! property.

use nodule::description::{
    Choices, Dynamic, GroupShape, Kind, MAX_NESTING, Parameter, Pattern, Range, Reference, RowShape,
};
use nodule::json;
use nodule::json::{Json, Object};

use super::form::Form;
use super::values::{ROWS_KEY, literal, object, option, plain, stored};
use crate::describe::escape::html;

impl Form<'_> {
    /// The part of a property that depends on the kind; `depth` is 0 outside rows and groups.
    pub fn typed(&self, parameter: &Parameter, depth: usize) -> Object {
        let default = || self.default(parameter, json!(""));
        object(match &parameter.kind {
            Kind::Text => json!({"type": "string", "default": default()}),
            Kind::Multiline => json!({"type": "string", "typeOptions": {"rows": 4}, "default": default()}),
            Kind::Secret => json!({"type": "string", "typeOptions": {"password": true}, "default": ""}),
            Kind::Integer(range) => {
                let mut options = limits(range);
                options.insert("numberPrecision", json!(0));
                json!({"type": "number", "typeOptions": options, "default": default()})
            }
            Kind::Number(range) => {
                let mut number = object(json!({"type": "number"}));
                let options = limits(range);
                if !options.is_empty() {
                    number.insert("typeOptions", Json::Object(options));
                }
                number.insert("default", default());
                Json::Object(number)
            }
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
            Kind::Choice(choices) => Json::Object(self.choice(parameter, choices, depth)),
            Kind::ChooseMany(choices) => Json::Object(self.choose_many(parameter, choices, depth)),
            Kind::Reference(reference) => self.reference(parameter, reference, depth),
            Kind::AnyJson => json!({"type": "json", "default": default()}),
            Kind::File => json!({
                "type": "string",
                "default": default(),
                "hint": "The name of the input's binary field that holds the file",
            }),
            Kind::Group(shape) => self.group(parameter, shape, depth),
            Kind::Rows(shape) => self.rows(parameter, shape, depth),
            Kind::Values(each) => self.values(parameter, each, depth),
            Kind::Columns(dynamic) => self.columns(parameter, dynamic, depth),
            Kind::Notice => json!({"displayName": notice(parameter), "type": "notice", "default": ""}),
        })
    }

    fn default(&self, parameter: &Parameter, none: Json) -> Json {
        let default = parameter.default.as_ref();
        default.map_or(none, |value| stored(self.node, &parameter.kind, value))
    }

    fn group(&self, parameter: &Parameter, shape: &GroupShape, depth: usize) -> Json {
        match &shape.key {
            None => json!({
                "type": "collection",
                "placeholder": "Add Field",
                "default": self.default(parameter, json!({})),
                "options": self.nested(&shape.fields, depth, true),
            }),
            // n8n fails on a default of a collection of this kind: the host adds it where the user adds nothing.
            Some(key) => json!({
                "type": "fixedCollection",
                "placeholder": format!("Add {}", parameter.display_name),
                "default": {},
                "options": [{
                    "name": key,
                    "displayName": parameter.display_name,
                    "values": self.nested(&shape.fields, depth, false),
                }],
            }),
        }
    }

    fn rows(&self, parameter: &Parameter, shape: &RowShape, depth: usize) -> Json {
        let mut type_options = object(json!({"multipleValues": true}));
        // A required list has one row at least. An optional one may be left out, and then has none.
        if parameter.required && shape.min > 1 {
            type_options.insert("minRequiredFields", json!(shape.min));
        }
        if let Some(max) = shape.max {
            type_options.insert("maxAllowedFields", json!(max));
        }
        json!({
            "type": "fixedCollection",
            "typeOptions": type_options,
            "placeholder": format!("Add {}", shape.display_name),
            "default": self.default(parameter, json!({})),
            "options": [{
                "name": shape.key.as_deref().unwrap_or(ROWS_KEY),
                "displayName": shape.display_name,
                "values": self.nested(&shape.columns, depth, false),
            }],
        })
    }

    fn choice(&self, parameter: &Parameter, choices: &Choices, depth: usize) -> Object {
        let mut property = self.options(parameter, listed(parameter, choices));
        if choices.open {
            // Without it the editor reports every other value as unsupported.
            property.insert("allowArbitraryValues", json!(true));
            property.insert("hint", json!("Other values are passed on too, by expression"));
        }
        self.load_options(&mut property, &parameter.id, choices.dynamic.as_ref(), depth);
        property
    }

    fn choose_many(&self, parameter: &Parameter, choices: &Choices, depth: usize) -> Object {
        let mut property = object(json!({
            "type": "multiOptions",
            "options": listed(parameter, choices),
            "default": self.default(parameter, json!([])),
        }));
        if choices.open {
            property.insert("allowArbitraryValues", json!(true));
            property.insert("hint", json!("Other values are passed on too, by expression"));
        }
        self.load_options(&mut property, &parameter.id, choices.dynamic.as_ref(), depth);
        property
    }

    /// The entries that a method of a dynamic choice has to list before those of the service. One of many values, or of a
    /// list, is never unset.
    pub fn known(&self, parameter: &Parameter, choices: &Choices, is_each: bool) -> Vec<Object> {
        let mut known = listed(parameter, choices);
        if matches!(parameter.kind, Kind::Choice(_)) && !is_each {
            self.add_unset(parameter, &mut known);
        }
        known
    }

    fn load_options(&self, property: &mut Object, id: &str, dynamic: Option<&Dynamic>, depth: usize) {
        let Some((dynamic, method)) = dynamic.zip(self.method(id)) else {
            return;
        };
        let mut options = object(json!({"loadOptionsMethod": method}));
        let depends_on = self.depends_on(dynamic, depth);
        if !depends_on.is_empty() {
            options.insert("loadOptionsDependsOn", json!(depends_on));
        }
        property.insert("typeOptions", Json::Object(options));
    }

    /// A list of options, with an entry for the unset value if the parameter is optional and has no default.
    fn options(&self, parameter: &Parameter, mut options: Vec<Object>) -> Object {
        self.add_unset(parameter, &mut options);
        let default = parameter.default.as_ref().map_or(json!(""), literal);
        object(json!({"type": "options", "options": options, "default": default}))
    }

    fn add_unset(&self, parameter: &Parameter, options: &mut Vec<Object>) {
        let has_blank = options
            .iter()
            .any(|option| option.get("value") == Some(&json!("")));
        if !parameter.required && parameter.default.is_none() && !has_blank {
            options.insert(0, option(self.unset, &json!(""), ""));
        }
    }

    fn reference(&self, parameter: &Parameter, reference: &Reference, depth: usize) -> Json {
        let mut modes = Vec::new();
        let dynamic = reference.dynamic.as_ref();
        let mut type_options = Object::new();
        if let Some((dynamic, method)) = dynamic.zip(self.method(&parameter.id)) {
            modes.push(json!({
                "displayName": "From List",
                "name": "list",
                "type": "list",
                "typeOptions": {"searchListMethod": method, "searchable": dynamic.search},
            }));
            let depends_on = self.depends_on(dynamic, depth);
            if !depends_on.is_empty() {
                type_options.insert("loadOptionsDependsOn", json!(depends_on));
            }
        }
        if let Some(pattern) = &reference.id_in_url {
            let mut mode = object(json!({"displayName": "By URL", "name": "url", "type": "string"}));
            if let Some(regex) = regex(pattern) {
                mode.insert("extractValue", json!({"type": "regex", "regex": regex}));
                let message = format!("Not the URL of a page of {}", parameter.display_name);
                mode.insert("validation", validation(parameter, &regex, &message));
            }
            modes.push(Json::Object(mode));
        }
        let mut mode = object(json!({"displayName": "By ID", "name": "id", "type": "string"}));
        if let Some(regex) = reference.id.as_deref().and_then(regex) {
            let message = format!("Not an ID of {}", parameter.display_name);
            mode.insert("validation", validation(parameter, &regex, &message));
        }
        modes.push(Json::Object(mode));
        let is_listed = dynamic.is_some() && parameter.default.is_none();
        let mut property = object(json!({
            "type": "resourceLocator",
            "default": {
                "mode": if is_listed { "list" } else { "id" },
                "value": self.default(parameter, json!("")),
            },
            "modes": modes,
        }));
        if !type_options.is_empty() {
            property.insert("typeOptions", Json::Object(type_options));
        }
        Json::Object(property)
    }

    /// A list of single values. n8n takes the property's default for each value that the user adds, so that the list
    /// itself cannot have one in the form: the host adds it where the user adds none. What n8n adds to has to be a list in
    /// the form; in rows and groups n8n makes the list itself, and adds a default that is one to it.
    fn values(&self, parameter: &Parameter, each: &str, depth: usize) -> Json {
        let Some(each) = self.node.parameter(each).filter(|_| depth < MAX_NESTING) else {
            return json!({"type": "json", "default": ""});
        };
        if let Kind::Reference(reference) = &each.kind
            && reference.dynamic.is_some()
        {
            let mut property = object(json!({
                "type": "multiOptions",
                "options": [],
                "default": self.default(parameter, json!([])),
                "allowArbitraryValues": true,
                "hint": "Other IDs are passed on too, by expression",
            }));
            self.load_options(&mut property, &each.id, reference.dynamic.as_ref(), depth);
            return Json::Object(property);
        }
        // A value that the user adds is there: it needs no entry that means unset.
        let mut single = each.clone();
        single.required = true;
        let mut property = match &single.kind {
            Kind::Reference(_) => object(json!({"type": "string", "default": ""})),
            Kind::Boolean => object(json!({"type": "boolean", "default": false})),
            _ => self.typed(&single, depth),
        };
        let type_options = property.remove("typeOptions").unwrap_or(json!({}));
        let mut type_options = object(type_options);
        type_options.insert("multipleValues", json!(true));
        type_options.insert(
            "multipleValueButtonText",
            json!(format!("Add {}", each.display_name)),
        );
        property.insert("typeOptions", Json::Object(type_options));
        property.insert("default", if depth == 0 { json!([]) } else { json!("") });
        Json::Object(property)
    }

    fn columns(&self, parameter: &Parameter, dynamic: &Dynamic, depth: usize) -> Json {
        let mut options = Object::new();
        let depends_on = self.depends_on(dynamic, depth);
        if !depends_on.is_empty() {
            options.insert("loadOptionsDependsOn", json!(depends_on));
        }
        options.insert(
            "resourceMapper",
            json!({
                "resourceMapperMethod": self.method(&parameter.id),
                "mode": "add",
                "fieldWords": {"singular": "column", "plural": "columns"},
                "addAllFields": true,
                "multiKeyMatch": false,
                // An item's data has no columns of a description: each value is mapped by the user.
                "supportAutoMap": false,
            }),
        );
        let default = parameter.default.as_ref().and_then(Json::as_object);
        let value = default.map(|columns| {
            let columns = columns.iter().map(|(name, value)| (name.clone(), literal(value)));
            Json::Object(columns.collect())
        });
        json!({
            "type": "resourceMapper",
            "noDataExpression": true,
            "typeOptions": options,
            "default": {"mappingMode": "defineBelow", "value": value},
        })
    }
}

/// The known choices.
fn listed(parameter: &Parameter, choices: &Choices) -> Vec<Object> {
    let mut known: Vec<Object> = choices
        .known
        .iter()
        .map(|choice| option(&choice.label, &literal(&choice.value), &choice.summary))
        .collect();
    let default = parameter.default.as_ref();
    let chosen = match default {
        Some(Json::Array(many)) => many.as_slice(),
        one => one.map(std::slice::from_ref).unwrap_or_default(),
    };
    for value in chosen {
        // An open choice may have an unlisted default, and n8n shows listed values only.
        if !choices.known.iter().any(|choice| choice.value == *value) {
            known.push(option(&plain(value), &literal(value), ""));
        }
    }
    known
}

/// What the host takes where the user sets nothing, if n8n has no place for such a default.
pub fn untold_default<'a>(parameter: &'a Parameter, property: &Object) -> Option<&'a Json> {
    let is_told = match &parameter.kind {
        Kind::Group(shape) => shape.key.is_none(),
        Kind::Values(_) => property.get("type") == Some(&json!("multiOptions")),
        _ => true,
    };
    parameter.default.as_ref().filter(|_| !is_told)
}

/// The text of a notice, which n8n draws as HTML.
fn notice(parameter: &Parameter) -> String {
    let (label, summary) = (parameter.display_name.trim(), parameter.summary.trim());
    if summary.is_empty() || summary == label {
        html(label)
    } else {
        html(&format!("{label}: {summary}"))
    }
}

fn limits(range: &Range) -> Object {
    let mut options = Object::new();
    for (name, limit) in [("minValue", range.min), ("maxValue", range.max)] {
        if let Some(limit) = limit {
            options.insert(name, number(limit));
        }
    }
    options
}

/// `1` rather than `1.0`.
fn number(value: f64) -> Json {
    Json::parse(&value.to_string()).unwrap_or_default()
}

/// A pattern that matches the whole text, for n8n's engine. n8n does not use the `u` flag, without which JavaScript does
/// not know `\p`: such a pattern is left to the host.
fn regex(pattern: &str) -> Option<String> {
    let has_category = pattern.contains("\\p") || pattern.contains("\\P");
    let pattern = Pattern::parse(pattern).ok().filter(|_| !has_category)?;
    Some(pattern.javascript())
}

/// What a value has to match. n8n compares an empty field too, which may be empty where the parameter is optional.
fn validation(parameter: &Parameter, regex: &str, message: &str) -> Json {
    let regex = if parameter.required {
        regex.to_owned()
    } else {
        format!("(?:{regex})?")
    };
    json!([{"type": "regex", "properties": {"regex": regex, "errorMessage": message}}])
}
