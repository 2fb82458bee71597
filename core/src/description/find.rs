//! Looking things up by the names that a user types, with the nearest name for those that are wrong.

use std::collections::HashMap;
use std::ops::Deref;

use thiserror::Error;

use super::{Node, Operation, Parameter, ResourceGroup};

/// What was typed, on one line.
fn shown(name: &str) -> String {
    const SHOWN_CHARS: usize = 200;
    crate::text::shown(name, SHOWN_CHARS)
}

/// A group or operation that the node does not have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unknown {
    /// No operation group of that name.
    #[error("unknown group `{}`", shown(name))]
    Group {
        /// What was asked for.
        name: String,
        /// The name that was meant, perhaps.
        nearest: Option<String>,
        /// All that there are.
        known: Vec<String>,
    },
    /// The group has no operation of that name.
    #[error("unknown operation `{}` of the group `{group}`", shown(name))]
    Operation {
        /// The group, which exists.
        group: String,
        /// What was asked for.
        name: String,
        /// The name that was meant, perhaps: of this group, or else `group operation` of another one.
        nearest: Option<String>,
        /// All that the group has.
        known: Vec<String>,
    },
}

impl Unknown {
    /// What to type instead.
    #[must_use]
    pub fn hint(&self) -> String {
        let (Unknown::Group { nearest, known, .. } | Unknown::Operation { nearest, known, .. }) = self;
        match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None if known.is_empty() => "there is none".to_owned(),
            None => {
                let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                format!("there is {}", known.join(", "))
            }
        }
    }
}

impl Node {
    /// The group of this name.
    ///
    /// # Errors
    ///
    /// [`Unknown::Group`], with the nearest name.
    pub fn group(&self, name: &str) -> Result<&ResourceGroup, Unknown> {
        self.resources
            .iter()
            .find(|group| group.name == name)
            .ok_or_else(|| {
                let known: Vec<String> = self.resources.iter().map(|group| group.name.clone()).collect();
                let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
                Unknown::Group {
                    name: name.to_owned(),
                    nearest,
                    known,
                }
            })
    }

    /// The operations of a group, in the order to show.
    pub fn operations_of<'a, 'b>(
        &'a self,
        group: &'b str,
    ) -> impl Iterator<Item = &'a Operation> + use<'a, 'b> {
        self.operations
            .iter()
            .filter(move |operation| operation.group == group)
    }

    /// The operation of this name in this group.
    ///
    /// # Errors
    ///
    /// [`Unknown`], with the nearest name: an operation's name that another group has is suggested with that group.
    pub fn operation(&self, group: &str, name: &str) -> Result<&Operation, Unknown> {
        self.group(group)?;
        self.operations_of(group)
            .find(|operation| operation.name == name)
            .ok_or_else(|| {
                let known: Vec<String> = self
                    .operations_of(group)
                    .map(|operation| operation.name.clone())
                    .collect();
                let elsewhere = self.operations.iter().find(|operation| operation.name == name);
                let nearest = match elsewhere {
                    Some(operation) => Some(format!("{} {}", operation.group, operation.name)),
                    None => nearest(name, known.iter().map(String::as_str)).map(str::to_owned),
                };
                Unknown::Operation {
                    group: group.to_owned(),
                    name: name.to_owned(),
                    nearest,
                    known,
                }
            })
    }

    /// The parameter with this ID.
    #[must_use]
    pub fn parameter(&self, id: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.id == id)
    }

    /// The parameters with these IDs, in their order; an unknown ID, which a checked node does not have, is skipped.
    pub fn parameters_by_id<'a>(&'a self, ids: &'a [String]) -> impl Iterator<Item = &'a Parameter> {
        ids.iter().filter_map(|id| self.parameter(id))
    }
}

/// A node whose parameters are found in the same time however many there are, for whoever draws all of its forms.
#[derive(Debug)]
pub struct Indexed<'a> {
    node: &'a Node,
    parameters: HashMap<&'a str, &'a Parameter>,
}

impl<'a> Indexed<'a> {
    /// The node, with an index of its parameters by ID.
    #[must_use]
    pub fn new(node: &'a Node) -> Self {
        let parameters = node.parameters.iter();
        Self {
            node,
            parameters: parameters
                .map(|parameter| (parameter.id.as_str(), parameter))
                .collect(),
        }
    }

    /// As [`Node::parameter`].
    #[must_use]
    pub fn parameter(&self, id: &str) -> Option<&'a Parameter> {
        self.parameters.get(id).copied()
    }

    /// As [`Node::parameters_by_id`].
    pub fn parameters_by_id(&self, ids: &[String]) -> impl Iterator<Item = &'a Parameter> {
        ids.iter().filter_map(|id| self.parameter(id))
    }
}

impl Deref for Indexed<'_> {
    type Target = Node;

    fn deref(&self) -> &Node {
        self.node
    }
}

/// The name among these that was meant: the most similar one, if it is similar at all. Case does not count.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Below it, suggestions are noise: `order` for `member` has 0.3, `memebr` for `member` 0.8.
    const SIMILAR: f64 = 0.6;
    let wanted = name.to_lowercase();
    known
        .map(|known| {
            (
                strsim::normalized_damerau_levenshtein(&wanted, &known.to_lowercase()),
                known,
            )
        })
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}
