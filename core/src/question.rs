//! What a form asks the service while it is filled in, and what may come back.
//!
//! A node answers in the service's words, so an answer is untrusted twice over. It is checked by the same rules as a
//! description: engines that draw the one may draw the other.

mod answer;
#[cfg(test)]
mod tests;

use crate::description::{Dynamic, Kind, MAX_JSON_BYTES, MAX_JSON_DEPTH, Node, Unknown, nearest, quoted};
use crate::json::{Json, Object};
use crate::json_size::{Most, within};
use thiserror::Error;

pub use answer::{Answer, ChoicesPage, check_columns, check_page};

/// Characters of a text that is searched for. Nobody types more.
pub const MAX_SEARCH_CHARS: usize = 1_000;

/// Bytes of a page's `next`. Services have cursors of a few hundred bytes, and some put a whole query into one.
pub const MAX_CURSOR_BYTES: usize = 8 * 1024;

/// The key under which a recording holds a question, where an item's parameters go. No parameter's name begins with `$`.
const RECORDED_AS: &str = "$question";

/// A question of a form: which values has this parameter, or which columns?
///
/// ```
/// use nodule_core::json;
/// use nodule_core::question::Question;
///
/// let question = Question::new("issue", "create", "create.assignee")
///     .filled_in(json!({"owner": "octocat"}))
///     .search("ann");
/// assert_eq!(question.parameter, "create.assignee");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Question {
    /// The operation's group.
    pub group: String,
    /// The operation.
    pub operation: String,
    /// The parameter's ID.
    pub parameter: String,
    /// What is filled in so far: an object of parameters.
    pub filled_in: Json,
    /// What the user looks for.
    pub search: Option<String>,
    /// [`ChoicesPage::next`] of the page before.
    pub cursor: Option<String>,
}

/// What a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The values of a choice or a reference.
    Choices,
    /// The columns of a parameter of the kind `columns`.
    Columns,
}

/// Why a question is not asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QuestionError {
    /// The node has no such operation.
    #[error("{0}")]
    Operation(#[from] Unknown),
    /// The operation has no such parameter.
    #[error("unknown parameter {} of the operation `{operation}`", quoted(parameter))]
    Parameter {
        /// The operation, which exists.
        operation: String,
        /// The ID that was asked for.
        parameter: String,
        /// The most similar ID that can be asked for, if there is one.
        nearest: Option<String>,
        /// All IDs that can be asked for.
        known: Vec<String>,
    },
    /// The service is not asked for what this parameter takes.
    #[error("the parameter {} has no {} to ask the service for", quoted(parameter), wanted.name())]
    NotAsked {
        /// The parameter's ID.
        parameter: String,
        /// What was asked for.
        wanted: Wanted,
        /// All IDs that can be asked for.
        known: Vec<String>,
    },
    /// A part of the question cannot be sent.
    #[error("`{part}`: {problem}")]
    Part {
        /// `filledIn`, `search` or `cursor`.
        part: &'static str,
        /// What was expected and found.
        problem: String,
    },
}

impl QuestionError {
    /// What to ask instead.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let (nearest, known) = match self {
            Self::Operation(unknown) => return Some(unknown.hint()),
            Self::Parameter { nearest, known, .. } => (nearest.as_deref(), known),
            Self::NotAsked { known, .. } => (None, known),
            Self::Part { .. } => return None,
        };
        Some(match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None if known.is_empty() => "no parameter of the operation has any".to_owned(),
            None => {
                let known: Vec<String> = known.iter().map(|id| format!("`{id}`")).collect();
                format!("ask for {}", known.join(", "))
            }
        })
    }
}

impl Wanted {
    /// In messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Choices => "values",
            Self::Columns => "columns",
        }
    }

    fn is_of(self, kind: &Kind) -> bool {
        kind.dynamic().is_some() && matches!(kind, Kind::Columns(_)) == (self == Self::Columns)
    }
}

impl Question {
    /// A question about a parameter, by its ID, with nothing filled in.
    #[must_use]
    pub fn new(group: impl Into<String>, operation: impl Into<String>, parameter: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            operation: operation.into(),
            parameter: parameter.into(),
            filled_in: Json::Object(Object::new()),
            search: None,
            cursor: None,
        }
    }

    /// Sets what is filled in so far: an object of parameters.
    #[must_use]
    pub fn filled_in(mut self, parameters: Json) -> Self {
        self.filled_in = parameters;
        self
    }

    /// Sets what the user looks for.
    #[must_use]
    pub fn search(mut self, text: impl Into<String>) -> Self {
        self.search = Some(text.into());
        self
    }

    /// Continues behind a page.
    #[must_use]
    pub fn cursor(mut self, next: impl Into<String>) -> Self {
        self.cursor = Some(next.into());
        self
    }

    /// Checks that the node can be asked this.
    ///
    /// # Errors
    ///
    /// The operation or the parameter does not exist, its values or columns do not come from the service, it cannot be
    /// searched, or what is filled in is no object or is too large.
    pub fn check(&self, node: &Node, wanted: Wanted) -> Result<(), QuestionError> {
        let operation = node.operation(&self.group, &self.operation)?;
        let inside = inside(node, &operation.parameters);
        let known = || {
            let asked = inside.iter().filter(|(_, kind)| wanted.is_of(kind));
            asked.map(|(id, _)| (*id).to_owned()).collect::<Vec<_>>()
        };
        let Some((_, kind)) = inside.iter().find(|(id, _)| *id == self.parameter) else {
            let known = known();
            return Err(QuestionError::Parameter {
                operation: format!("{}.{}", self.group, self.operation),
                parameter: self.parameter.clone(),
                nearest: nearest(&self.parameter, known.iter().map(String::as_str)).map(str::to_owned),
                known,
            });
        };
        match kind.dynamic() {
            Some(dynamic) if wanted.is_of(kind) => self.check_parts(dynamic, wanted),
            _ => Err(QuestionError::NotAsked {
                parameter: self.parameter.clone(),
                wanted,
                known: known(),
            }),
        }
    }

    fn check_parts(&self, dynamic: &Dynamic, wanted: Wanted) -> Result<(), QuestionError> {
        let wrong = |part, problem: &str| QuestionError::Part {
            part,
            problem: problem.to_owned(),
        };
        if !self.filled_in.is_object() {
            return Err(wrong("filledIn", "expected an object of parameters"));
        }
        let text = self.filled_in.to_string();
        let most = Most {
            depth: MAX_JSON_DEPTH,
            values: usize::MAX,
        };
        if text.len() > MAX_JSON_BYTES || within(text.as_bytes(), most).is_err() {
            let problem =
                format!("expected at most {MAX_JSON_BYTES} bytes and {MAX_JSON_DEPTH} levels, found more");
            return Err(wrong("filledIn", &problem));
        }
        if let Some(search) = &self.search {
            if !dynamic.search {
                return Err(wrong("search", "the parameter's values cannot be searched"));
            }
            if search.chars().count() > MAX_SEARCH_CHARS {
                let problem = format!("expected at most {MAX_SEARCH_CHARS} characters, found more");
                return Err(wrong("search", &problem));
            }
        }
        match &self.cursor {
            Some(_) if wanted == Wanted::Columns => Err(wrong("cursor", "columns have no pages")),
            Some(cursor) if cursor.len() > MAX_CURSOR_BYTES => {
                let problem = format!("expected at most {MAX_CURSOR_BYTES} bytes, found more");
                Err(wrong("cursor", &problem))
            }
            _ => Ok(()),
        }
    }

    /// The question as a recording holds it, in place of an item's parameters: one object, the same for equal questions.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut filled_in = self.filled_in.clone();
        filled_in.sort_keys();
        let mut question = Object::new();
        question.insert("group", self.group.as_str());
        question.insert("operation", self.operation.as_str());
        question.insert("parameter", self.parameter.as_str());
        question.insert("filledIn", filled_in);
        if let Some(search) = &self.search {
            question.insert("search", search.as_str());
        }
        if let Some(cursor) = &self.cursor {
            question.insert("cursor", cursor.as_str());
        }
        let mut recorded = Object::new();
        recorded.insert(RECORDED_AS, Json::Object(question));
        Json::Object(recorded)
    }
}

/// The parameters of a list and of everything inside, each once. The node is checked, so there is an end.
fn inside<'a>(node: &'a Node, ids: &'a [String]) -> Vec<(&'a str, &'a Kind)> {
    let mut all: Vec<(&str, &Kind)> = Vec::new();
    let mut open: Vec<&String> = ids.iter().rev().collect();
    while let Some(id) = open.pop() {
        if let Some(parameter) = node.parameter(id)
            && !all.iter().any(|(known, _)| known == id)
        {
            all.push((id, &parameter.kind));
            open.extend(parameter.kind.children().iter().rev());
        }
    }
    all
}
