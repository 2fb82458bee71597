//! What a form asks the service: the values of a choice, the things that a reference may name, the columns of an object.
//!
//! A list operation has them, which is the table's own or like one. Its parameters are filled in from those of the form that have
//! the same names, so the form asks again where one of these changes.

use super::kind::Choice;
use super::parameter::{LIMIT_NAME, Parameter, RETURN_ALL_NAME};
use super::{Operation, describe};
use crate::bindings::exports::workflow::node::description as contract;
use crate::form;

/// A list of the service that a form asks for: [`ask`].
#[derive(Clone, Copy)]
pub struct Asked {
    pub(crate) list: Operation,
    pub(crate) value: &'static str,
    pub(crate) label: &'static str,
    pub(crate) about: &'static str,
    pub(crate) search: Search,
    pub(crate) known: &'static [Choice],
    pub(crate) id_in_url: Option<&'static str>,
    pub(crate) id: Option<&'static str>,
    pub(crate) kind: &'static str,
    pub(crate) kinds: &'static [(&'static str, Parameter)],
    pub(crate) look_up: Option<LookUp>,
    pub(crate) own: Option<Own>,
    pub(crate) several: &'static str,
    pub(crate) rows: Option<(&'static str, &'static str)>,
}

/// Where the label of a value is, that its list does not say.
#[derive(Clone, Copy)]
pub(crate) struct LookUp {
    pub(crate) of: Operation,
    /// Into the answer.
    pub(crate) label: &'static str,
    pub(crate) run: form::LookUpAll,
}

/// Where the row of a column has the values that it may have.
#[derive(Clone, Copy)]
pub(crate) struct Own {
    pub list: &'static str,
    pub value: &'static str,
    pub label: &'static str,
    /// What makes a kind of it, so that only a table that has it pays for that.
    pub kind: fn(&Asked, &Own, &str) -> Option<contract::Kind>,
}

/// Who looks for what the user types.
#[derive(Clone, Copy)]
pub(crate) enum Search {
    Nobody,
    /// The service, by this parameter of the list.
    Service(&'static str),
    /// The node, in what it shows.
    Node,
}

/// Asks with a list operation, of which each row is a value: at `value`, a JSON pointer into the row, with what users read at
/// `label`. Of columns they are a column's name and what users read.
pub const fn ask(list: &Operation, value: &'static str, label: &'static str) -> Asked {
    Asked {
        list: *list,
        value,
        label,
        about: "",
        search: Search::Nobody,
        known: &[],
        id_in_url: None,
        id: None,
        kind: "",
        kinds: &[],
        look_up: None,
        own: None,
        several: "",
        rows: None,
    }
}

impl Asked {
    /// A sentence about the value stands at this JSON pointer into the row.
    #[must_use]
    pub const fn about(mut self, pointer: &'static str) -> Self {
        self.about = pointer;
        self
    }

    /// The service searches, by this parameter of the list.
    #[must_use]
    pub const fn search(mut self, parameter: &'static str) -> Self {
        self.search = Search::Service(parameter);
        self
    }

    /// The service cannot search, so the node does, in the labels and values.
    #[must_use]
    pub const fn search_labels(mut self) -> Self {
        self.search = Search::Node;
        self
    }

    /// The list has no labels: each is asked for by this operation, whose first parameter is the value, and stands at `label` of its
    /// answer. A value that it has none for, or that the service says no about, stays its own label.
    #[must_use]
    pub const fn look_up(mut self, of: &Operation, label: &'static str) -> Self {
        self.look_up = Some(LookUp {
            of: *of,
            label,
            run: form::LOOK_UP_ALL,
        });
        self
    }

    /// Values that need not be asked for.
    #[must_use]
    pub const fn known(mut self, known: &'static [Choice]) -> Self {
        self.known = known;
        self
    }

    /// An I-Regexp (RFC 9485) that matches the URL of a thing's page; its one group is the ID.
    #[must_use]
    pub const fn id_in_url(mut self, pattern: &'static str) -> Self {
        self.id_in_url = Some(pattern);
        self
    }

    /// An I-Regexp that matches a whole ID.
    #[must_use]
    pub const fn id(mut self, pattern: &'static str) -> Self {
        self.id = Some(pattern);
        self
    }

    /// The kind of a column is the word at this JSON pointer into the row; any other word than these is a text.
    #[must_use]
    pub const fn kinds(mut self, pointer: &'static str, kinds: &'static [(&'static str, Parameter)]) -> Self {
        self.kind = pointer;
        self.kinds = kinds;
        self
    }

    /// A column has the values that stand in the list at this JSON pointer into its row: each at `value`, with what users read at
    /// `label`. A row without such a list is of the kind that [`Asked::kinds`] says.
    #[must_use]
    pub const fn choices(mut self, list: &'static str, value: &'static str, label: &'static str) -> Self {
        self.own = Some(Own {
            list,
            value,
            label,
            kind: form::own_values,
        });
        self
    }

    /// A column may have several of its values where `true` stands at this JSON pointer into its row.
    #[must_use]
    pub const fn several(mut self, pointer: &'static str) -> Self {
        self.several = pointer;
        self
    }

    /// The columns go on the wire as a list of rows, each with the column's name and its value: `[{"id":"7","value":"red"}]`.
    #[must_use]
    pub const fn as_rows(mut self, name: &'static str, value: &'static str) -> Self {
        self.rows = Some((name, value));
        self
    }

    /// Whether a parameter of the list is filled in from the form.
    pub(crate) fn depends_on(&self, parameter: &Parameter) -> bool {
        let is_search = matches!(self.search, Search::Service(name) if name == parameter.name);
        let is_of_pages = [RETURN_ALL_NAME, LIMIT_NAME].contains(&parameter.name) || parameter.fill.is_some();
        // What the form need not have can have a default of the list.
        !is_search && !is_of_pages && parameter.is_required
    }

    /// `own` is the ID of the parameter that is asked about: what it depends on stands beside it.
    pub(crate) fn describe(&self, own: &str) -> contract::Dynamic {
        let beside = own.rsplit_once('.').map_or("", |(beside, _)| beside);
        let parameters = self.list.parameters.iter();
        let depends_on = parameters.filter(|parameter| self.depends_on(parameter));
        contract::Dynamic {
            depends_on: depends_on
                .map(|parameter| describe::id(beside, parameter.name))
                .collect(),
            search: !matches!(self.search, Search::Nobody),
        }
    }
}
