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
//! | anything else | what its kind makes of it |

use std::borrow::Cow;

use super::kind::{Accepted, Id};
use super::parameter::{Parameter, Scalar};
use super::place;
use super::plan::Plan;
use super::value::{Field, Fields, Value, find, found, is_blank};
use crate::bindings::exports::workflow::node::types::{Failure, Problem};
use crate::excerpt::{nearest, shown};
use crate::json::{self, Object};

/// Most items have no more values: room for them at once is cheaper than to grow.
const FEW: usize = 12;

/// Check one item.
pub(crate) fn validate<'a>(plan: &Plan, item: &'a str) -> Result<Fields<'a>, Failure> {
    let item = json::read(item).map_err(|why| Failure::InvalidInput(format!("item is not JSON: {why}")))?;
    let Some(given) = item.members else {
        return Err(Failure::InvalidInput(format!(
            "expected an item that is a JSON object, found {}",
            found(item.text)
        )));
    };
    let operation = &plan.operation;
    let mut check = Check::new(operation.request.is_update);
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
pub(crate) fn validate_credential<'a>(
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
    let mut check = Check::new(false);
    let given = Given::new(fields, given);
    let fields = check.scope(fields, &given, "");
    if check.problems.is_empty() {
        Ok(fields)
    } else {
        Err(Failure::InvalidParameters(check.problems))
    }
}

/// What is given on one level.
pub(crate) struct Given<'a> {
    object: Object<'a>,
    /// The value of each parameter that has one.
    values: Vec<Option<&'a str>>,
    has_unknown_names: bool,
}

impl<'a> Given<'a> {
    pub fn new(parameters: &[Parameter], object: Object<'a>) -> Self {
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

/// The check of one item.
pub(crate) struct Check {
    pub problems: Vec<Problem>,
    is_update: bool,
    /// The row that is being checked, counted from one as people do.
    pub row: Option<usize>,
}

impl Check {
    fn new(is_update: bool) -> Self {
        Self {
            problems: Vec::new(),
            is_update,
            row: None,
        }
    }

    pub fn problem(&mut self, pointer: String, label: &str, expected: &str, found: &str) {
        let row = self.row.map(|row| format!("row {row}: ")).unwrap_or_default();
        let message = format!("{row}expected {expected}, found {found}");
        self.problems.push(Problem {
            pointer,
            label: label.to_owned(),
            message,
        });
    }

    /// The problem of a value that its kind does not accept.
    pub fn refused(&mut self, parameter: &Parameter, raw: Option<&str>, pointer: String, label: &str) {
        let found = match raw {
            None => Cow::Borrowed("nothing"),
            Some(_) if parameter.kind.id() == Id::Secret => Cow::Borrowed("something else"),
            Some(raw) => found(raw),
        };
        let expected = (parameter.kind.of.expected)(&parameter.kind, raw);
        self.problem(pointer, label, &expected, &found);
    }

    /// One level of parameters: the item's own, one row's columns, or a group's fields.
    pub fn scope<'a>(
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
        let is_blank = raw.is_some_and(|raw| is_blank(&parameter.kind, raw));
        // Nothing is sent of a parameter that steers the node, so that a blank can only mean its default.
        let takes_default = raw.is_none() || (is_blank && parameter.place.id == place::Id::Nowhere);
        match raw {
            _ if takes_default && parameter.default.is_some() => parameter
                .default
                .filter(|default| *default != Scalar::Text(""))
                .map(Value::of),
            Some("null") if self.is_update && !parameter.is_required && self.row.is_none() => {
                Some(Value::Literal(Cow::Borrowed("null")))
            }
            Some(raw) if !is_blank => {
                let pointer = [pointer, "/", parameter.name].concat();
                self.accepted(parameter, raw, &pointer, parameter.label)
            }
            raw => {
                if parameter.is_required {
                    // A blank of a secret is no secret.
                    let found = raw.map_or(Cow::Borrowed("nothing"), found);
                    let expected = (parameter.kind.of.expected)(&parameter.kind, raw);
                    let pointer = [pointer, "/", parameter.name].concat();
                    self.problem(pointer, parameter.label, &expected, &found);
                }
                None
            }
        }
    }

    /// What its kind makes of a value that is not blank.
    pub fn accepted<'a>(
        &mut self,
        parameter: &'static Parameter,
        raw: &'a str,
        pointer: &str,
        label: &str,
    ) -> Option<Value<'a>> {
        match (parameter.kind.of.accept)(self, parameter, raw, pointer) {
            Accepted::Value(value) => Some(value),
            Accepted::Refused => {
                self.refused(parameter, Some(raw), pointer.to_owned(), label);
                None
            }
            Accepted::Reported => None,
        }
    }

    /// A problem where an object has another name than the only one that it may have.
    pub fn only_name(&mut self, object: &Object, only: &str, pointer: &str) {
        if let Some((name, _)) = object.0.iter().find(|(name, _)| name != only) {
            let expected = format!("`{only}` only");
            let found = format!("`{}`", shown(name));
            self.problem(member(pointer, name), name, &expected, &found);
        }
    }

    pub fn unknown_names(
        &mut self,
        parameters: &'static [Parameter],
        given: &Given,
        pointer: &str,
        of: &str,
    ) {
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
        for (_, parameter, _) in &plan.path {
            let Some(Value::Text(text)) = find(fields, parameter.name) else {
                continue;
            };
            let is_dots = |segment: &str| matches!(segment.trim(), "." | "..");
            let has_segments = plan.operation.request.encode_segments.is_some();
            if is_dots(text) || has_segments && text.split('/').any(is_dots) {
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
                .any(|(_, known, _)| std::ptr::eq(*known, field.parameter))
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
    parameter.when.iter().all(|condition| condition.holds(fields))
}

/// A JSON pointer's next step (RFC 6901).
pub(crate) fn member(pointer: &str, name: &str) -> String {
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
