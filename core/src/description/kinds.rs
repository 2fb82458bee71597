//! Checks what a kind says by itself: ranges, choices, patterns, keys.

use std::collections::HashSet;

use super::check::{Problems, label, name, scalar, summary};
use super::json::found;
use super::text::quoted;
use super::{Choice, Choices, Kind, Pattern, Reference, RowShape, value};

pub(super) fn check(at: &str, kind: &Kind, problems: &mut Problems) {
    match kind {
        Kind::Integer(range) => {
            if let Some(message) = value::whole_fault(range).or_else(|| value::range_fault(range)) {
                problems.add(format!("{at}, range"), message);
            }
        }
        Kind::Number(range) => {
            if let Some(message) = value::range_fault(range) {
                problems.add(format!("{at}, range"), message);
            }
        }
        Kind::Choice(choices) | Kind::ChooseMany(choices) => choice_values(at, choices, problems),
        Kind::Reference(reference) => patterns(at, reference, problems),
        Kind::Group(shape) => {
            if let Some(key) = &shape.key {
                name(format!("{at}, key of its fields"), key, problems);
            }
        }
        Kind::Rows(shape) => rows(at, shape, problems),
        _ => {}
    }
}

fn rows(at: &str, shape: &RowShape, problems: &mut Problems) {
    if let Some(key) = &shape.key {
        name(format!("{at}, key of its rows"), key, problems);
    }
    label(
        format!("{at}, display name of a row"),
        &shape.display_name,
        problems,
    );
    if let Some(max) = shape.max.filter(|max| *max == 0 || *max < shape.min) {
        let min = shape.min.max(1);
        problems.add(
            format!("{at}, rows"),
            format!("expected a maximum of at least `{min}`, found `{max}`"),
        );
    }
}

fn patterns(at: &str, reference: &Reference, problems: &mut Problems) {
    if let Some(Err(error)) = reference.id.as_deref().map(Pattern::parse) {
        problems.add(format!("{at}, ID"), error.to_string());
    }
    let Some(text) = &reference.id_in_url else { return };
    let message = match Pattern::parse(text) {
        Ok(pattern) if pattern.is_id_in_url() => return,
        Ok(_) => format!(
            "expected exactly one group, which is not repeated, in {}",
            quoted(text)
        ),
        Err(error) => error.to_string(),
    };
    problems.add(format!("{at}, ID in a URL"), message);
}

fn choice_values(at: &str, choices: &Choices, problems: &mut Problems) {
    if choices.known.is_empty() && choices.is_closed() {
        problems.add(
            at,
            "a choice of nothing: expected at least one value, or an open choice",
        );
    }
    let mut seen = HashSet::new();
    for choice in &choices.known {
        check_choice(at, choice, problems);
        if !seen.insert(choice.value.to_string()) {
            problems.add(at, format!("the choice {} is there twice", found(&choice.value)));
        }
    }
}

/// Checks one value of a choice: what it shows, and that it is a single value.
pub(crate) fn check_choice(at: &str, choice: &Choice, problems: &mut Problems) {
    label(format!("{at}, label of a choice"), &choice.label, problems);
    summary(
        format!("{at}, choice {}", quoted(&choice.label)),
        &choice.summary,
        problems,
    );
    scalar(
        format!("{at}, choice {}", quoted(&choice.label)),
        &choice.value,
        problems,
    );
}
