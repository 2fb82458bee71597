//! From an item's parameters to what is sent: every problem of the item at once, in parameter order, before anything
//! leaves.
//!
//! | the caller gives | it becomes |
//! | --- | --- |
//! | nothing | the default; without one a problem where required, else nothing |
//! | a blank: `null`, or an empty text after trimming | a problem where required, else nothing; never the default |
//! | `null` for a body field of an update | `null`: the field is cleared |
//! | a value for a parameter that its condition hides | nothing, unchecked |
//! | a name that the operation does not have | a problem that suggests the nearest one |
//! | anything else | what [`accept`] makes of it |

use std::borrow::Cow;

use super::parameter::{Kind, Parameter, Place, Rows, Scalar};
use super::plan::Plan;
use super::value::{Field, Fields, Value, accept, expected, find, found, is_blank};
use crate::bindings::exports::workflow::node::types::{Failure, Problem};
use crate::excerpt::{nearest, shown};
use crate::json::{self, Object};

/// Most items have no more values: room for them at once is cheaper than to grow.
const FEW: usize = 12;

/// Check one item.
pub fn validate<'a>(plan: &Plan, item: &'a str) -> Result<Fields<'a>, Failure> {
    let item = json::read(item).map_err(|why| Failure::InvalidInput(format!("item is not JSON: {why}")))?;
    let Some(given) = item.members else {
        return Err(Failure::InvalidInput(format!(
            "expected an item that is a JSON object, found {}",
            found(item.text)
        )));
    };
    let operation = &plan.operation;
    let mut check = Check {
        problems: Vec::new(),
        is_update: operation.request.is_update,
        row: None,
    };
    let given = Given::new(operation.parameters, given);
    let fields = check.scope(operation.parameters, &given, "");
    check.path_values(plan, &fields);
    check.changes_something(plan, &fields);
    check.unknown_names(operation.parameters, &given, "", operation.title);
    if check.problems.is_empty() {
        Ok(fields)
    } else {
        Err(Failure::InvalidParameters(check.problems))
    }
}

/// Check a credential. What else it holds is none of the node's business: engines keep facts of their own there.
pub fn validate_credential<'a>(
    fields: &'static [Parameter],
    credential: &'a str,
) -> Result<Fields<'a>, Failure> {
    let credential = json::read(credential)
        .ok()
        .and_then(|credential| credential.members);
    let Some(given) = credential else {
        return Err(Failure::InvalidInput(
            "expected a credential that is a JSON object, found something else".into(),
        ));
    };
    let mut check = Check {
        problems: Vec::new(),
        is_update: false,
        row: None,
    };
    let given = Given::new(fields, given);
    let fields = check.scope(fields, &given, "");
    if check.problems.is_empty() {
        Ok(fields)
    } else {
        Err(Failure::InvalidParameters(check.problems))
    }
}

/// What is given on one level.
struct Given<'a> {
    object: Object<'a>,
    /// The value of each parameter that has one.
    values: Vec<Option<&'a str>>,
    has_unknown_names: bool,
}

impl<'a> Given<'a> {
    fn new(parameters: &[Parameter], object: Object<'a>) -> Self {
        let mut values = vec![None; parameters.len()];
        let mut has_unknown_names = false;
        let mut next = 0;
        for (name, value) in &object.0 {
            // They mostly stand in the parameters' order, so that each is looked for behind the one before.
            let (before, after) = parameters.split_at_checked(next).unwrap_or_default();
            let is = |parameter: &Parameter| parameter.name == name;
            let place = after.iter().position(is).map(|place| next + place);
            let Some(place) = place.or_else(|| before.iter().position(is)) else {
                has_unknown_names = true;
                continue;
            };
            next = place + 1;
            // The last of several with the same name, as JavaScript reads it.
            if let Some(known) = values.get_mut(place) {
                *known = Some(*value);
            }
        }
        Self {
            object,
            values,
            has_unknown_names,
        }
    }
}

struct Check {
    problems: Vec<Problem>,
    is_update: bool,
    /// The row that is being checked, counted from one as people do.
    row: Option<usize>,
}

impl Check {
    fn problem(&mut self, pointer: String, label: &str, expected: &str, found: &str) {
        let row = self.row.map(|row| format!("row {row}: ")).unwrap_or_default();
        let message = format!("{row}expected {expected}, found {found}");
        self.problems.push(Problem {
            pointer,
            label: label.to_owned(),
            message,
        });
    }

    /// One level of parameters: the item's own, or one row's columns.
    fn scope<'a>(
        &mut self,
        parameters: &'static [Parameter],
        given: &Given<'a>,
        pointer: &str,
    ) -> Fields<'a> {
        let mut fields = Fields::with_capacity(parameters.len().min(FEW));
        for (parameter, raw) in parameters.iter().zip(&given.values) {
            if let Some(value) = is_visible(parameter, &fields)
                .then(|| self.value(parameter, *raw, pointer))
                .flatten()
            {
                fields.push(Field { parameter, value });
            }
        }
        fields
    }

    fn value<'a>(
        &mut self,
        parameter: &'static Parameter,
        raw: Option<&'a str>,
        pointer: &str,
    ) -> Option<Value<'a>> {
        let is_blank = raw.is_some_and(|raw| is_blank(parameter, raw));
        // Nothing is sent of a parameter that steers the node, so that a blank can only mean its default.
        let takes_default = raw.is_none() || (is_blank && parameter.place == Place::Nowhere);
        match raw {
            _ if takes_default && parameter.default.is_some() => parameter
                .default
                .filter(|default| *default != Scalar::Text(""))
                .map(Value::of),
            Some("null") if self.is_update && !parameter.is_required && self.row.is_none() => {
                Some(Value::Literal(Cow::Borrowed("null")))
            }
            Some(raw) if !is_blank => self.accepted(parameter, raw, pointer),
            raw => {
                if parameter.is_required {
                    let found = raw.map_or(Cow::Borrowed("nothing"), found);
                    self.problem(
                        format!("{pointer}/{}", parameter.name),
                        parameter.label,
                        &expected(parameter.kind, raw),
                        &found,
                    );
                }
                None
            }
        }
    }

    fn accepted<'a>(
        &mut self,
        parameter: &'static Parameter,
        raw: &'a str,
        pointer: &str,
    ) -> Option<Value<'a>> {
        if let Kind::Rows(rows) = parameter.kind {
            return self.rows(parameter, rows, raw, &format!("{pointer}/{}", parameter.name));
        }
        let value = accept(parameter.kind, raw);
        if value.is_none() {
            let pointer = format!("{pointer}/{}", parameter.name);
            let found = if matches!(parameter.kind, Kind::Secret) {
                "something else".into()
            } else {
                found(raw)
            };
            self.problem(
                pointer,
                parameter.label,
                &expected(parameter.kind, Some(raw)),
                &found,
            );
        }
        value
    }

    /// `{"detail": [ … ]}`, or `{"detail": { … }}` for a list of one.
    fn rows<'a>(
        &mut self,
        parameter: &Parameter,
        rows: &Rows,
        raw: &'a str,
        pointer: &str,
    ) -> Option<Value<'a>> {
        let stored = json::object(raw);
        let list = stored.as_ref().and_then(|stored| stored.get(rows.name));
        let (Some(stored), Some(list)) = (stored, list) else {
            self.problem(
                pointer.to_owned(),
                parameter.label,
                &expected(parameter.kind, Some(raw)),
                &found(raw),
            );
            return None;
        };
        if let Some((name, _)) = stored.0.iter().find(|(name, _)| name != rows.name) {
            let expected = format!("`{}` only", rows.name);
            self.problem(
                member(pointer, name),
                name,
                &expected,
                &format!("`{}`", shown(name)),
            );
        }
        let pointer = member(pointer, rows.name);
        let elements = match json::kind(list) {
            json::Kind::Array => json::elements(list).unwrap_or_default(),
            json::Kind::Object => vec![list],
            json::Kind::Null => Vec::new(),
            _ => {
                self.problem(
                    pointer,
                    rows.label,
                    &format!("a list of rows as `{}`", rows.name),
                    &found(list),
                );
                return None;
            }
        };
        if elements.is_empty() {
            self.problem(
                pointer,
                rows.label,
                &format!("at least one row as `{}`", rows.name),
                "none",
            );
            return None;
        }
        let is_list = json::kind(list) == json::Kind::Array;
        let mut checked = Vec::with_capacity(elements.len());
        for (index, element) in elements.into_iter().enumerate() {
            let pointer = if is_list {
                format!("{pointer}/{index}")
            } else {
                pointer.clone()
            };
            self.row = Some(index + 1);
            if let Some(row) = json::object(element) {
                let row = Given::new(rows.columns, row);
                checked.push(self.scope(rows.columns, &row, &pointer));
                self.unknown_names(rows.columns, &row, &pointer, rows.label);
            } else {
                self.problem(
                    pointer,
                    rows.label,
                    &format!("an object as row of `{}`", rows.name),
                    &found(element),
                );
            }
        }
        self.row = None;
        Some(Value::Rows(checked))
    }

    fn unknown_names(&mut self, parameters: &'static [Parameter], given: &Given, pointer: &str, of: &str) {
        if !given.has_unknown_names {
            return;
        }
        for (name, _) in &given.object.0 {
            if parameters.iter().any(|parameter| parameter.name == name) {
                continue;
            }
            let known = nearest(name, &mut parameters.iter().map(|parameter| parameter.name));
            let hint = known
                .map(|known| format!("; did you mean `{known}`?"))
                .unwrap_or_default();
            let expected = format!("a parameter of {of}");
            self.problem(
                member(pointer, name),
                &shown(name),
                &expected,
                &format!("`{}`{hint}", shown(name)),
            );
        }
    }

    /// A `.` or `..` would be taken out of the path on the way, and the request reach another endpoint.
    fn path_values(&mut self, plan: &Plan, fields: &Fields) {
        for (_, parameter) in &plan.path {
            let Some(Value::Text(text)) = find(fields, parameter.name) else {
                continue;
            };
            if matches!(text.trim(), "." | "..") {
                let found = found(&json::quote(text)).into_owned();
                self.problem(
                    format!("/{}", parameter.name),
                    parameter.label,
                    "a text other than `.` and `..`",
                    &found,
                );
            }
        }
    }

    fn changes_something(&mut self, plan: &Plan, fields: &Fields) {
        let is_change = |field: &Field| {
            !plan
                .path
                .iter()
                .any(|(_, known)| std::ptr::eq(*known, field.parameter))
        };
        if self.is_update && self.problems.is_empty() && !fields.iter().any(is_change) {
            self.problem(
                String::new(),
                plan.operation.title,
                "at least one field to change",
                "none",
            );
        }
    }
}

fn is_visible(parameter: &Parameter, fields: &Fields) -> bool {
    parameter.when.is_none_or(|(name, one_of)| {
        find(fields, name).is_some_and(|value| one_of.iter().any(|scalar| value.is(*scalar)))
    })
}

/// A JSON pointer's next step (RFC 6901).
fn member(pointer: &str, name: &str) -> String {
    let mut member = format!("{pointer}/");
    for c in name.chars() {
        match c {
            '~' => member.push_str("~0"),
            '/' => member.push_str("~1"),
            c => member.push(c),
        }
    }
    member
}
