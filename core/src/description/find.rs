//! Looks up groups and operations by the names that a user types, and suggests the nearest name for wrong ones.

use std::collections::HashMap;
use std::ops::Deref;

use thiserror::Error;

use super::{CredentialSpec, Kind, Node, Operation, Parameter, ResourceGroup};

/// The typed name, on one line.
fn shown(name: &str) -> String {
    const SHOWN_CHARS: usize = 200;
    crate::text::shown(name, SHOWN_CHARS)
}

/// The node has no such group or operation.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unknown {
    /// No operation group of that name.
    #[error("unknown group `{}`", shown(name))]
    Group {
        /// The name that the user typed.
        name: String,
        /// The most similar name, if there is one.
        nearest: Option<String>,
        /// All groups of the node.
        known: Vec<String>,
    },
    /// The group has no operation of that name.
    #[error("unknown operation `{}` of the group `{group}`", shown(name))]
    Operation {
        /// The group, which exists.
        group: String,
        /// The name that the user typed.
        name: String,
        /// The most similar name, if there is one: in this group, or else `group operation` in another one.
        nearest: Option<String>,
        /// All operations of the group.
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
    /// Finds the group with this name.
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

    /// The operations of a group, in display order.
    pub fn operations_of<'a, 'b>(
        &'a self,
        group: &'b str,
    ) -> impl Iterator<Item = &'a Operation> + use<'a, 'b> {
        self.operations
            .iter()
            .filter(move |operation| operation.group == group)
    }

    /// Finds the operation with this name in this group.
    ///
    /// # Errors
    ///
    /// [`Unknown`], with the nearest name. If only another group has an operation of that name, the suggestion includes
    /// that group.
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

    /// Whether files go with the items of an operation, or come out of them.
    #[must_use]
    pub fn moves_files(&self, operation: &Operation) -> bool {
        operation.gives_files || self.takes_files(&operation.parameters)
    }

    fn takes_files(&self, parameters: &[String]) -> bool {
        // A checked description nests no deeper than a form can.
        let mut parameters = self.parameters_by_id(parameters);
        parameters.any(|it| it.kind == Kind::File || self.takes_files(it.kind.children()))
    }

    /// The credential with this name.
    #[must_use]
    pub fn credential(&self, name: &str) -> Option<&CredentialSpec> {
        self.credentials.iter().find(|credential| credential.name == name)
    }

    /// The parameter with this ID.
    #[must_use]
    pub fn parameter(&self, id: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.id == id)
    }

    /// The parameters with these IDs, in order. Unknown IDs, which a checked node does not have, are skipped.
    pub fn parameters_by_id<'a>(&'a self, ids: &'a [String]) -> impl Iterator<Item = &'a Parameter> {
        ids.iter().filter_map(|id| self.parameter(id))
    }
}

/// A node with constant-time lookup of its parameters, for code that draws all of its forms.
#[derive(Debug)]
pub struct Indexed<'a> {
    node: &'a Node,
    parameters: HashMap<&'a str, &'a Parameter>,
}

impl<'a> Indexed<'a> {
    /// Indexes the parameters of the node by ID.
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

    /// Like [`Node::parameter`].
    #[must_use]
    pub fn parameter(&self, id: &str) -> Option<&'a Parameter> {
        self.parameters.get(id).copied()
    }

    /// Like [`Node::parameters_by_id`].
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

/// The most similar of the known names, if any is similar enough. Ignores case.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Suggestions below this similarity are noise: `order` for `member` has 0.3, `memebr` for `member` 0.8.
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
