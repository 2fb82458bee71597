//! What an item gives on one level of its form.

use super::form::{Field, Scope};
use super::read::each_member;

/// The value of each name of a scope.
pub(super) struct Given<'a> {
    values: Vec<Option<&'a str>>,
    pub(super) has_unknown_names: bool,
}

impl<'a> Given<'a> {
    /// `None` if the text is not a JSON object that can be read.
    pub(super) fn read(scope: &Scope, text: &'a str) -> Option<Self> {
        let mut given = Self {
            values: vec![None; scope.names.len()],
            has_unknown_names: false,
        };
        let mut next = 0;
        each_member(text, |name, value| {
            // Values mostly come in the order of the form.
            let is_next = scope.names.get(next).is_some_and(|known| known == name);
            let place = if is_next {
                Some(next)
            } else {
                scope.by_name.get(name).copied()
            };
            let Some(place) = place else {
                given.has_unknown_names = true;
                return;
            };
            next = place + 1;
            // Of several members with one name the last counts, as in JavaScript.
            if let Some(known) = given.values.get_mut(place) {
                *known = Some(value);
            }
        })?;
        Some(given)
    }

    pub(super) fn value(&self, field: &Field) -> Option<&'a str> {
        self.values.get(field.name).copied().flatten()
    }
}
