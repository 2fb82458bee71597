//! What of an operation is the same for all items of a call, found once.

use super::parameter::{Parameter, Place};
use super::{Operation, split};
use crate::http::Method;

/// Where an operation's values go.
pub struct Plan {
    pub operation: Operation,
    /// Where each parameter goes, in their order.
    pub places: Vec<Place>,
    /// The path's parameters, each with what stands before it.
    pub path: Vec<(&'static str, &'static Parameter)>,
    /// What stands behind the last one.
    pub end_of_path: &'static str,
}

impl Plan {
    pub fn new(operation: &Operation) -> Self {
        let (names, end_of_path) = split(operation.request.path);
        // Every name in a path is a parameter's, which a test sees to.
        let of_name = |(before, name)| Some((before, operation.parameter(name)?));
        let path: Vec<_> = names.into_iter().filter_map(of_name).collect();
        let place = |parameter: &Parameter| match parameter.place {
            Place::Auto if path.iter().any(|(_, known)| known.name == parameter.name) => Place::Path,
            Place::Auto if operation.request.method == Method::Get => Place::Query,
            Place::Auto => Place::Body,
            place => place,
        };
        Self {
            operation: *operation,
            places: operation.parameters.iter().map(place).collect(),
            path,
            end_of_path,
        }
    }
}
