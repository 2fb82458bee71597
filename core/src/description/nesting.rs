//! Checks how deep parameters nest, and how much the forms are that are drawn from them.

use std::collections::HashMap;

use super::Node;
use super::bounds::{MAX_DRAWN_BYTES, MAX_DRAWN_PARAMETERS, MAX_NESTING};
use super::check::{Problems, parameter_at};
use super::places::ById;
use super::sizes::parameter_weight;

/// The cost of drawing a parameter with everything inside it.
#[derive(Clone, Copy, Default)]
struct Drawn {
    parameters: usize,
    bytes: usize,
}

impl std::iter::Sum for Drawn {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |total, one| Self {
            parameters: total.parameters.saturating_add(one.parameters),
            bytes: total.bytes.saturating_add(one.bytes),
        })
    }
}

/// Checks that no parameter contains itself or nests too deeply, and that all forms together stay small enough. It
/// works level by level from the leaves up, so neither a cycle nor doubling at each level can make it slow.
pub(super) fn check(node: &Node, by_id: &ById<'_>, problems: &mut Problems) -> bool {
    let mut drawn: HashMap<&str, Drawn> = HashMap::new();
    for _ in 0..MAX_NESTING {
        let level: Vec<(&str, Drawn)> = by_id
            .iter()
            .filter(|(id, _)| !drawn.contains_key(*id))
            .filter_map(|(id, parameter)| {
                let children = parameter
                    .kind
                    .children()
                    .iter()
                    .filter(|id| by_id.contains_key(id.as_str()));
                let itself = Drawn {
                    parameters: 1,
                    bytes: parameter_weight(parameter).bytes,
                };
                let inside = children.map(|id| drawn.get(id.as_str()).copied());
                let all = std::iter::once(Some(itself)).chain(inside);
                Some((*id, all.sum::<Option<Drawn>>()?))
            })
            .collect();
        drawn.extend(level);
    }
    let too_deep = node
        .parameters
        .iter()
        .filter(|parameter| !drawn.contains_key(parameter.id.as_str()));
    for parameter in too_deep {
        let message =
            format!("expected at most {MAX_NESTING} levels of parameters, found more, or itself inside");
        problems.add(parameter_at(parameter), message);
    }
    let tops = node.operations.iter().flat_map(|operation| &operation.parameters);
    let total: Drawn = tops.filter_map(|id| drawn.get(id.as_str()).copied()).sum();
    let mut within = |what: &str, count: usize, max: usize| {
        if count > max {
            problems.add(
                "node",
                format!("expected at most {max} {what} in all forms, found {count}"),
            );
        }
        count <= max
    };
    let few = within("parameters", total.parameters, MAX_DRAWN_PARAMETERS);
    let small = within("bytes of parameters", total.bytes, MAX_DRAWN_BYTES);
    drawn.len() == by_id.len() && few && small
}
