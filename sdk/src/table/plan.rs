//! What of an operation is the same for all items of a call, found once.

use super::parameter::Parameter;
use super::place::{self, Id, Place};
use super::{Operation, split};
use crate::http::Method;
use crate::percent;

/// Puts a value into a path.
type Encode = fn(&mut String, &str);

/// Where an operation's values go.
pub(crate) struct Plan {
    pub operation: &'static Operation,
    /// Where each parameter goes, in their order.
    pub places: Vec<&'static Place>,
    /// Where a value goes whose parameter says nothing.
    pub auto: &'static Place,
    /// The path's parameters, each with what stands before it and what encodes it.
    pub path: Vec<(&'static str, &'static Parameter, Encode)>,
    /// What stands behind the last one.
    pub end_of_path: &'static str,
}

impl Plan {
    pub fn new(operation: &'static Operation) -> Self {
        let (names, end_of_path) = split(operation.request.path);
        // Every name in a path is a parameter's, which the lint sees to.
        let of_name = |(before, name): (_, &str)| {
            let (name, encode) = match name.strip_suffix('+') {
                Some(name) => (name, operation.request.encode_segments?),
                None => (name, percent::push as Encode),
            };
            Some((before, operation.parameter(name)?, encode))
        };
        let path: Vec<_> = names.into_iter().filter_map(of_name).collect();
        let auto = match operation.request.method {
            Method::Get | Method::Head | Method::Delete => &place::QUERY,
            _ => &place::BODY,
        };
        let place = |parameter: &Parameter| match parameter.place.id {
            Id::Auto if path.iter().any(|(_, known, _)| known.name == parameter.name) => &place::PATH,
            Id::Auto => auto,
            _ => parameter.place,
        };
        Self {
            operation,
            places: operation.parameters.iter().map(place).collect(),
            auto,
            path,
            end_of_path,
        }
    }
}
