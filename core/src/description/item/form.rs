//! The form of an operation with everything looked up: lists of parameters, their conditions and their choices.

use std::collections::{HashMap, HashSet};

use super::read::form_of;
use crate::description::Pattern;
use crate::description::{
    Choices, Condition, Holds, Indexed, Kind, MAX_NESTING, Node, Operation, Parameter, Range,
};
use crate::json::Json;

/// A list of parameters: an operation's, a group's or a row's.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// In display order.
    pub(super) fields: Vec<Field>,
    /// Their names, each once. Siblings that are never shown together may share one.
    pub(super) names: Vec<String>,
    pub(super) by_name: HashMap<String, usize>,
    /// The order in which visibility is decided: a parameter after those that its conditions name. Empty if no
    /// parameter has a condition and none is named by one.
    pub(super) order: Vec<usize>,
    pub(super) has_references: bool,
}

/// A parameter.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) label: String,
    /// The position of its name in [`Scope::names`].
    pub(super) name: usize,
    pub(super) shape: Shape,
    pub(super) is_required: bool,
    /// The default as JSON text.
    pub(super) default: Option<String>,
    pub(super) conditions: Vec<Rule>,
    /// Whether a condition names it.
    pub(super) is_subject: bool,
}

/// A condition.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) subject: Subject,
    pub(super) holds: Holds,
}

/// The parameter that a condition names, by its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Sibling(usize),
    /// A parameter of the operation, seen from inside of another one.
    Top(usize),
    /// None that the description has here.
    Unknown,
}

/// What a parameter takes.
#[derive(Debug)]
pub(super) enum Shape {
    Text,
    Secret,
    Integer(Range),
    Number(Range),
    Boolean,
    Date,
    DateTime,
    Choice(Known),
    ChooseMany(Known),
    Reference(Reference),
    AnyJson,
    /// The key of a file of the item.
    File,
    Group(GroupForm),
    Rows(RowsForm),
    Values(Box<Field>),
    Columns,
    Notice,
}

/// The values of a choice.
#[derive(Debug)]
pub(super) struct Known {
    /// Label and value, in display order.
    pub(super) choices: Vec<(String, Json)>,
    /// The values as texts without quotes.
    pub(super) forms: HashSet<String>,
    pub(super) is_closed: bool,
}

/// How a thing of the service is given.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) id: Option<Pattern>,
    pub(super) id_in_url: Option<Pattern>,
}

#[derive(Debug)]
pub(super) struct GroupForm {
    pub(super) key: Option<String>,
    pub(super) fields: Scope,
}

#[derive(Debug)]
pub(super) struct RowsForm {
    pub(super) key: Option<String>,
    /// The name of one row.
    pub(super) label: String,
    pub(super) columns: Scope,
    pub(super) min: usize,
    pub(super) max: Option<usize>,
}

impl Shape {
    fn has_references(&self) -> bool {
        match self {
            Shape::Reference(_) => true,
            Shape::Group(group) => group.fields.has_references,
            Shape::Rows(rows) => rows.columns.has_references,
            Shape::Values(each) => each.shape.has_references(),
            _ => false,
        }
    }
}

/// Builds scopes from a description.
pub(super) struct Builder<'a> {
    node: Indexed<'a>,
    /// The operation's parameters, by ID.
    top: HashMap<&'a str, usize>,
    /// The operation's parameters that conditions inside of others name.
    named_from_inside: HashSet<usize>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(node: &'a Node) -> Self {
        Self {
            node: Indexed::new(node),
            top: HashMap::new(),
            named_from_inside: HashSet::new(),
        }
    }

    pub(super) fn operation(mut self, operation: &'a Operation) -> Scope {
        self.top = self.positions(&operation.parameters);
        let mut scope = self.scope(&operation.parameters, 0);
        for index in std::mem::take(&mut self.named_from_inside) {
            if let Some(field) = scope.fields.get_mut(index) {
                field.is_subject = true;
            }
        }
        scope.order = order(&scope.fields);
        scope
    }

    /// The position of each known ID. A checked description knows them all.
    fn positions(&self, ids: &'a [String]) -> HashMap<&'a str, usize> {
        let known = ids.iter().filter(|id| self.node.parameter(id).is_some());
        known
            .enumerate()
            .map(|(index, id)| (id.as_str(), index))
            .collect()
    }

    fn scope(&mut self, ids: &'a [String], level: usize) -> Scope {
        let mut scope = Scope::default();
        if level > MAX_NESTING {
            return scope;
        }
        let here = self.positions(ids);
        for id in ids {
            let Some(parameter) = self.node.parameter(id) else {
                continue;
            };
            let next = scope.names.len();
            let name = *scope.by_name.entry(parameter.name.clone()).or_insert(next);
            if name == next {
                scope.names.push(parameter.name.clone());
            }
            let field = self.field(parameter, name, &here, level);
            scope.has_references |= field.shape.has_references();
            scope.fields.push(field);
        }
        mark_subjects(&mut scope.fields);
        scope.order = order(&scope.fields);
        scope
    }

    fn field(
        &mut self,
        parameter: &'a Parameter,
        name: usize,
        here: &HashMap<&str, usize>,
        level: usize,
    ) -> Field {
        let conditions = parameter.visible_when.iter();
        let conditions = conditions.map(|condition| self.rule(condition, here)).collect();
        Field {
            label: parameter.display_name.clone(),
            name,
            shape: self.shape(&parameter.kind, level),
            is_required: parameter.required && parameter.kind != Kind::Notice,
            default: parameter.default.as_ref().map(ToString::to_string),
            conditions,
            is_subject: false,
        }
    }

    fn rule(&mut self, condition: &Condition, here: &HashMap<&str, usize>) -> Rule {
        let id = condition.parameter.as_str();
        let subject = match (here.get(id), self.top.get(id)) {
            (Some(sibling), _) => Subject::Sibling(*sibling),
            (None, Some(top)) => {
                self.named_from_inside.insert(*top);
                Subject::Top(*top)
            }
            (None, None) => Subject::Unknown,
        };
        Rule {
            subject,
            holds: condition.holds.clone(),
        }
    }

    fn shape(&mut self, kind: &'a Kind, level: usize) -> Shape {
        match kind {
            Kind::Text | Kind::Multiline => Shape::Text,
            Kind::Secret => Shape::Secret,
            Kind::Integer(range) => Shape::Integer(*range),
            Kind::Number(range) => Shape::Number(*range),
            Kind::Boolean => Shape::Boolean,
            Kind::Date => Shape::Date,
            Kind::DateTime => Shape::DateTime,
            Kind::Choice(choices) => Shape::Choice(known(choices)),
            Kind::ChooseMany(choices) => Shape::ChooseMany(known(choices)),
            Kind::Reference(reference) => Shape::Reference(Reference {
                id: reference.id.as_deref().and_then(parsed),
                id_in_url: reference.id_in_url.as_deref().and_then(parsed),
            }),
            Kind::AnyJson => Shape::AnyJson,
            Kind::File => Shape::File,
            Kind::Group(group) => Shape::Group(GroupForm {
                key: group.key.clone(),
                fields: self.scope(&group.fields, level + 1),
            }),
            Kind::Rows(rows) => Shape::Rows(RowsForm {
                key: rows.key.clone(),
                label: rows.display_name.clone(),
                columns: self.scope(&rows.columns, level + 1),
                min: usize::try_from(rows.min).unwrap_or(usize::MAX),
                max: rows.max.and_then(|max| usize::try_from(max).ok()),
            }),
            Kind::Values(each) => match self.node.parameter(each) {
                Some(each) if level < MAX_NESTING => {
                    Shape::Values(Box::new(self.field(each, 0, &HashMap::new(), level + 1)))
                }
                _ => Shape::AnyJson,
            },
            Kind::Columns(_) => Shape::Columns,
            Kind::Notice => Shape::Notice,
        }
    }
}

fn known(choices: &Choices) -> Known {
    let values = choices.known.iter();
    Known {
        choices: values
            .clone()
            .map(|choice| (choice.label.clone(), choice.value.clone()))
            .collect(),
        forms: values.map(|choice| form_of(&choice.value).into_owned()).collect(),
        is_closed: choices.is_closed(),
    }
}

fn mark_subjects(fields: &mut [Field]) {
    let subjects: Vec<usize> = fields
        .iter()
        .flat_map(|field| &field.conditions)
        .filter_map(|rule| match rule.subject {
            Subject::Sibling(index) => Some(index),
            _ => None,
        })
        .collect();
    for index in subjects {
        if let Some(field) = fields.get_mut(index) {
            field.is_subject = true;
        }
    }
}

/// The order in which visibility is decided. Parameters whose conditions lead back to themselves, which a checked
/// description does not have, go last.
fn order(fields: &[Field]) -> Vec<usize> {
    if !fields
        .iter()
        .any(|field| field.is_subject || !field.conditions.is_empty())
    {
        return Vec::new();
    }
    let mut order: Vec<usize> = Vec::with_capacity(fields.len());
    let mut is_placed = vec![false; fields.len()];
    loop {
        let before = order.len();
        for (index, field) in fields.iter().enumerate() {
            let is_ready = field.conditions.iter().all(|rule| match rule.subject {
                Subject::Sibling(subject) => is_placed.get(subject).copied().unwrap_or(true),
                _ => true,
            });
            if let Some(placed @ false) = is_placed.get_mut(index)
                && is_ready
            {
                *placed = true;
                order.push(index);
            }
        }
        if order.len() == before {
            break;
        }
    }
    let rest = is_placed.iter().enumerate().filter(|(_, placed)| !**placed);
    order.extend(rest.map(|(index, _)| index));
    order
}

/// A description that passed its check has only patterns that parse.
fn parsed(pattern: &str) -> Option<Pattern> {
    Pattern::parse(pattern).ok()
}
