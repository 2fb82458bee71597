//! Parameters: of an operation, of a row, of a group.

use super::text::{Problems, eq};
use crate::table::kind::{Id, Kind};
use crate::table::parameter::{Parameter, Scalar};
use crate::table::place;

/// The parameters of an operation, and what they hold.
pub(super) const fn lint(parameters: &[Parameter], problems: &mut Problems) {
    level(parameters, "", Within::OPERATION, problems);
}

/// What a level of parameters stands in.
#[derive(Clone, Copy)]
struct Within {
    /// Whether its fields go where they say themselves.
    is_spread: bool,
    /// Whether they may be groups.
    has_groups: bool,
}

impl Within {
    const OPERATION: Self = Self {
        is_spread: false,
        has_groups: false,
    };
}

/// One level of parameters; `within` names the one that they are columns or fields of.
const fn level(parameters: &[Parameter], within: &str, of: Within, problems: &mut Problems) {
    let dot = if within.is_empty() { "" } else { "." };
    let mut index = 0;
    while index < parameters.len() {
        let parameter = &parameters[index];
        let (name, kind) = (parameter.name, &parameter.kind);
        let (earlier, _) = parameters.split_at(index);
        if find(earlier, name).is_some() {
            problems.report(&["has ", within, dot, name, " twice"]);
        }
        if name.is_empty() || parameter.label.is_empty() {
            problems.report(&["has ", within, dot, name, ", which has no name or no label"]);
        }
        if let [.., b'.'] = parameter.about.as_bytes() {
            problems.report(&["describes ", within, dot, name, " with a full stop at the end"]);
        }
        if let Some(default) = parameter.default
            && !is_of(kind, default)
        {
            problems.report(&[
                "has a default for ",
                within,
                dot,
                name,
                " that it does not accept",
            ]);
        }
        conditions(parameter, earlier, within, problems);
        if let (Some(min), Some(max)) = kind.bounds()
            && min > max
        {
            problems.report(&["has an empty range for ", within, dot, name]);
        }
        if matches!(kind.id(), Id::Choice | Id::ChooseMany) && kind.asked().is_none() && !are_choices(kind) {
            problems.report(&["has no choices for ", within, dot, name, ", or one twice"]);
        }
        if !within.is_empty() {
            let is_placed = parameter.place.id as u8 != place::Id::Auto as u8;
            if is_placed && !of.is_spread || parameter.fill.is_some() {
                problems.report(&["places or fills ", within, dot, name, " on its own"]);
            }
            if matches!(kind.id(), Id::Group) && of.has_groups {
                level(kind.nested(), name, Within::OPERATION, problems);
            } else if matches!(kind.id(), Id::Rows | Id::Group) {
                problems.report(&["nests ", within, dot, name, " deeper than one level"]);
            }
        } else if !kind.nested().is_empty() {
            let of = Within {
                is_spread: matches!(parameter.place.id, place::Id::Spread),
                has_groups: matches!(kind.id(), Id::Group),
            };
            level(kind.nested(), name, of, problems);
        } else if matches!(kind.id(), Id::Rows | Id::Group) {
            problems.report(&["has no columns or fields for ", name]);
        }
        index += 1;
    }
}

/// Whether a choice goes on the wire as another text than the one that a form has.
const fn is_sent_otherwise(kind: &Kind) -> bool {
    let known = kind.known();
    let mut index = 0;
    while index < known.len() {
        if !known[index].sent.is_empty() {
            return true;
        }
        index += 1;
    }
    false
}

const fn conditions(parameter: &Parameter, earlier: &[Parameter], within: &str, problems: &mut Problems) {
    let dot = if within.is_empty() { "" } else { "." };
    let mut index = 0;
    while index < parameter.when.len() {
        let condition = &parameter.when[index];
        match find(earlier, condition.parameter) {
            None => problems.report(&[
                "shows ",
                within,
                dot,
                parameter.name,
                " depending on ",
                condition.parameter,
                ", which is no earlier parameter",
            ]),
            Some(other) => {
                if is_sent_otherwise(&other.kind) && !condition.one_of.is_empty() {
                    problems.report(&[
                        "shows ",
                        within,
                        dot,
                        parameter.name,
                        " depending on ",
                        other.name,
                        ", which is sent as another text",
                    ]);
                }
                let mut value = 0;
                while value < condition.one_of.len() {
                    if !is_of(&other.kind, condition.one_of[value]) {
                        problems.report(&[
                            "shows ",
                            within,
                            dot,
                            parameter.name,
                            " depending on a value that ",
                            other.name,
                            " cannot have",
                        ]);
                    }
                    value += 1;
                }
            }
        }
        if condition.needs_values() && condition.one_of.is_empty() {
            problems.report(&["shows ", within, dot, parameter.name, " depending on no value"]);
        }
        index += 1;
    }
}

/// The parameter of that name.
pub(super) const fn find<'a>(parameters: &'a [Parameter], name: &str) -> Option<&'a Parameter> {
    let mut index = 0;
    while index < parameters.len() {
        if eq(parameters[index].name, name) {
            return Some(&parameters[index]);
        }
        index += 1;
    }
    None
}

const fn are_choices(kind: &Kind) -> bool {
    let known = kind.known();
    let mut index = 0;
    while index < known.len() {
        let mut other = 0;
        while other < index {
            if is_same(known[index].value, known[other].value) {
                return false;
            }
            other += 1;
        }
        index += 1;
    }
    !known.is_empty()
}

const fn is_same(one: Scalar, other: Scalar) -> bool {
    match (one, other) {
        (Scalar::Text(one), Scalar::Text(other)) | (Scalar::Json(one), Scalar::Json(other)) => eq(one, other),
        (Scalar::Int(one), Scalar::Int(other)) => one == other,
        (Scalar::Bool(one), Scalar::Bool(other)) => one == other,
        _ => false,
    }
}

/// Whether a kind has this value, as it goes on the wire.
const fn is_of(kind: &Kind, scalar: Scalar) -> bool {
    match (kind.id(), scalar) {
        (Id::Text | Id::Secret | Id::Reference | Id::File, Scalar::Text(_))
        | (Id::Number, Scalar::Int(_) | Scalar::Json(_))
        | (Id::Boolean, Scalar::Bool(_))
        | (Id::Json, _) => true,
        (Id::Integer, Scalar::Int(value)) => {
            let (min, max) = kind.bounds();
            let is_above = match min {
                Some(min) => min <= value,
                None => true,
            };
            let is_below = match max {
                Some(max) => value <= max,
                None => true,
            };
            is_above && is_below
        }
        (Id::ChooseMany | Id::Values | Id::Rows, Scalar::Json(json)) => {
            matches!(json.as_bytes(), [b'[', .., b']'])
        }
        // A condition asks whether a list has one.
        (Id::Choice | Id::ChooseMany, scalar) => is_choice(kind, scalar),
        (Id::Object | Id::Group | Id::Columns, Scalar::Json(json)) => {
            matches!(json.as_bytes(), [b'{', .., b'}'])
        }
        _ => false,
    }
}

const fn is_choice(kind: &Kind, scalar: Scalar) -> bool {
    let known = kind.known();
    let mut index = 0;
    while index < known.len() {
        if is_same(known[index].value, scalar) {
            return true;
        }
        index += 1;
    }
    false
}
