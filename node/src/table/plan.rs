//! What of an operation is the same for all items of a call, found once.

use super::parameter::{Parameter, Place};
use super::{Operation, names, place_of};

/// Where an operation's values go.
pub struct Plan {
    pub operation: &'static Operation,
    /// Where each parameter goes, in their order.
    pub places: Vec<Place>,
    /// The path's parameters, each with what stands before it.
    pub path: Vec<(&'static str, &'static Parameter)>,
    /// What stands behind the last one.
    pub end_of_path: &'static str,
}

impl Plan {
    pub fn new(operation: &'static Operation) -> Self {
        let in_path: Vec<&str> = names(operation.request.path).collect();
        let place = |parameter| place_of(parameter, operation.request.method, &in_path);
        let mut path = Vec::new();
        let mut rest = operation.request.path;
        while let Some((before, name, after)) = first_name(rest) {
            // Every name in a path is a parameter's, which a test sees to.
            path.extend(operation.parameter(name).map(|parameter| (before, parameter)));
            rest = after;
        }
        Self {
            operation,
            places: operation.parameters.iter().map(place).collect(),
            path,
            end_of_path: rest,
        }
    }
}

/// What stands before the first name in braces, the name, and what stands behind it.
fn first_name(path: &'static str) -> Option<(&'static str, &'static str, &'static str)> {
    let (before, rest) = path.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}
