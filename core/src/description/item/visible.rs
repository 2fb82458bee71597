//! Which parameters are certainly shown.
//!
//! A parameter that may be hidden is neither required nor checked. So a condition holds only if it holds for every way in
//! which a node may read the value that it names; a value that is invalid, or that a default may replace, is unsure.

use std::borrow::Cow;

use super::form::{Field, Known, Rule, Scope, Shape, Subject};
use super::given::Given;
use super::number::{is_same_whole, number};
use super::read::{JsonKind, elements, form, form_of, is_blank_text, is_empty, kind};
use super::reference::Read;
use super::scalar::{fits, is_choice, may_mean};
use crate::description::Holds;
use crate::json::Json;

/// The value of a parameter, as far as conditions are concerned.
#[derive(Debug, Clone, Default)]
pub(super) enum State<'a> {
    /// Certainly none.
    Absent,
    /// Certainly this JSON text.
    Given(Cow<'a, str>),
    /// Nodes may disagree.
    #[default]
    Unsure,
}

/// A scope with the state of each of its parameters that a condition names.
#[derive(Clone, Copy)]
pub(super) struct Level<'s> {
    pub(super) scope: &'s Scope,
    pub(super) states: &'s [State<'s>],
}

impl<'s> Level<'s> {
    fn subject(&self, index: usize) -> Option<(&'s Field, &'s State<'s>)> {
        Some((self.scope.fields.get(index)?, self.states.get(index)?))
    }
}

/// What is shown on one level, and what conditions need of it.
#[derive(Default)]
pub(super) struct Visible<'s> {
    /// Empty if all parameters are shown.
    shown: Vec<bool>,
    pub(super) states: Vec<State<'s>>,
}

impl<'s> Visible<'s> {
    /// Decides for a scope inside of a form whose own level is `top`.
    pub(super) fn new(scope: &'s Scope, given: &Given<'s>, top: Option<Level<'_>>) -> Self {
        if scope.order.is_empty() {
            return Self::default();
        }
        let mut visible = Self {
            shown: vec![false; scope.fields.len()],
            states: vec![State::Unsure; scope.fields.len()],
        };
        for &index in &scope.order {
            let Some(field) = scope.fields.get(index) else {
                continue;
            };
            let here = Level {
                scope,
                states: &visible.states,
            };
            let is_shown = field.conditions.iter().all(|rule| is_met(rule, here, top));
            let state = if field.is_subject {
                state(field, given.value(field), is_shown)
            } else {
                State::Unsure
            };
            if let Some(shown) = visible.shown.get_mut(index) {
                *shown = is_shown;
            }
            if let Some(known) = visible.states.get_mut(index) {
                *known = state;
            }
        }
        visible
    }

    pub(super) fn is_shown(&self, index: usize) -> bool {
        self.shown.get(index).copied().unwrap_or(true)
    }
}

fn state<'s>(field: &'s Field, raw: Option<&'s str>, is_shown: bool) -> State<'s> {
    let default = field.default.as_deref();
    let Some(raw) = raw else {
        return match default {
            None => State::Absent,
            _ if !is_shown => State::Unsure,
            Some(default) if is_blank_text(default) => State::Absent,
            Some(default) => State::Given(Cow::Borrowed(default)),
        };
    };
    // A node may read a blank as the default.
    let blank = if default.is_none() {
        State::Absent
    } else {
        State::Unsure
    };
    match &field.shape {
        _ if !is_shown => State::Unsure,
        _ if raw == "null" || is_blank_text(raw) => blank,
        Shape::Reference(reference) => match reference.read(raw) {
            Read::Nothing(_) => blank,
            Read::Id(id) => State::Given(id),
            Read::Fault => State::Unsure,
        },
        Shape::Group(_) | Shape::Rows(_) if is_empty(raw) => blank,
        Shape::Values(each) if !all(raw, |element| fits(&each.shape, element)) => State::Unsure,
        Shape::ChooseMany(known) if !all(raw, |element| is_choice(known, element)) => State::Unsure,
        shape if fits(shape, raw) => State::Given(Cow::Borrowed(raw)),
        _ => State::Unsure,
    }
}

/// Whether it is a list of such elements.
fn all(raw: &str, fits: impl Fn(&str) -> bool) -> bool {
    elements(raw).is_some_and(|elements| elements.into_iter().all(fits))
}

/// Whether a condition certainly holds.
fn is_met(rule: &Rule, here: Level<'_>, top: Option<Level<'_>>) -> bool {
    let subject = match rule.subject {
        Subject::Sibling(index) => here.subject(index),
        // On the operation's own level, every parameter is a sibling.
        Subject::Top(index) => top.and_then(|top| top.subject(index)),
        Subject::Unknown => None,
    };
    match (subject, &rule.holds) {
        (None | Some((_, State::Unsure)), _) | (Some((_, State::Absent)), Holds::OneOf(_) | Holds::Set) => {
            false
        }
        // A node may compare a blank text as it was given.
        (Some((_, State::Absent)), Holds::NoneOf(values)) => {
            !values.iter().any(|value| form_of(value).trim().is_empty())
        }
        (Some((field, State::Given(raw))), Holds::OneOf(values)) => {
            values.iter().any(|value| is_certainly(&field.shape, raw, value))
        }
        (Some((_, State::Given(raw))), Holds::NoneOf(values)) => {
            !values.iter().any(|value| may_be(raw, value))
        }
        (Some((field, State::Given(raw))), Holds::Set) => is_certainly_set(&field.shape, raw),
    }
}

/// Whether every node reads this value from the JSON text, or from an element of the list.
fn is_certainly(shape: &Shape, raw: &str, value: &Json) -> bool {
    let any = |is: &dyn Fn(&str) -> bool| elements(raw).is_some_and(|list| list.into_iter().any(is));
    match shape {
        Shape::Choice(known) => is_certainly_choice(known, raw, value),
        Shape::ChooseMany(known) => any(&|element| is_certainly_choice(known, element, value)),
        Shape::Values(each) => any(&|element| is_certainly(&each.shape, element, value)),
        Shape::Boolean => {
            matches!(value, Json::Bool(_)) && form(raw).is_some_and(|form| form.trim() == form_of(value))
        }
        Shape::Integer(_) => {
            value.is_number() && number(raw).is_some_and(|digits| is_same_whole(&digits, &form_of(value)))
        }
        Shape::Number(_) => value.is_number() && number(raw).is_some_and(|digits| digits == form_of(value)),
        _ => {
            (value.is_string() || kind(raw) == JsonKind::Number)
                && form(raw).is_some_and(|form| form == form_of(value))
        }
    }
}

/// `1` and `"1"` may both be choices: then only the node knows which one is meant.
fn is_certainly_choice(known: &Known, raw: &str, value: &Json) -> bool {
    let Some(form) = form(raw) else {
        return false;
    };
    let mut meant = known
        .choices
        .iter()
        .map(|(_, choice)| choice)
        .filter(|choice| may_mean(choice, &form))
        .peekable();
    if meant.peek().is_none() {
        return value.is_string() && kind(raw) == JsonKind::Text && form == form_of(value);
    }
    meant.all(|choice| choice == value)
}

/// Whether some node may read this value from the JSON text, or from an element of the list.
fn may_be(raw: &str, value: &Json) -> bool {
    match elements(raw) {
        Some(elements) => elements.into_iter().any(|element| may_be(element, value)),
        None => form(raw).is_none_or(|form| may_mean(value, &form)),
    }
}

/// Whether there is something in it.
fn is_certainly_set(shape: &Shape, raw: &str) -> bool {
    match shape {
        // The list may be empty behind its key.
        Shape::Group(_) | Shape::Rows(_) => false,
        _ => !is_empty(raw),
    }
}
