//! What `nodule describe` prints: a node's description for people, programs, READMEs and n8n.
//!
//! | format | for | escapes |
//! | --- | --- | --- |
//! | `text` | people at a terminal | control characters and characters that change the direction of writing |
//! | `json` | programs; [`nodule::description::Node`] as it is, documented by [`nodule::description::SCHEMA`] | the same, as `\u…` |
//! | `markdown` | READMEs, generated | the same, Markdown and HTML |
//! | `n8n` | n8n 2.x: a node and a credential type | texts that n8n would take for an expression, HTML in descriptions |
//!
//! The host checks a description before it gets here. Its author may still be hostile, so each format escapes every
//! text itself.

use std::error::Error;
use std::fmt;

use nodule::description::{Indexed, Node, Operation, ResourceGroup, Unknown};

mod escape;
mod json;
mod markdown;
pub mod n8n;
mod text;
mod words;

pub use self::escape::{code, markdown};
pub use self::json::pretty;
pub use self::markdown::operations;

/// How a description is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people; coloured on a terminal.
    Text,
    /// The description as JSON, as core/src/description/schema.json says.
    Json,
    /// The node type and credential type for n8n 2.x, as JSON.
    N8n,
    /// Tables for a README.
    Markdown,
}

/// The part of a node to show.
#[derive(Debug, Clone, Copy)]
pub enum Focus<'a> {
    /// Everything.
    Node,
    /// One group, with its operations' parameters.
    Group(&'a ResourceGroup),
    /// One operation, with its parameters.
    Operation(&'a Operation),
}

/// Why a description cannot be printed as asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// The node has no such group or operation.
    Unknown(Unknown),
    /// The format has no part for one group or operation.
    WholeOnly(&'static str),
}

impl Refused {
    /// What to type instead.
    pub fn hint(&self) -> String {
        match self {
            Refused::Unknown(unknown) => unknown.hint(),
            Refused::WholeOnly(_) => "leave out the group and the operation, or `--format`".to_owned(),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Unknown(unknown) => unknown.fmt(f),
            Refused::WholeOnly(format) => write!(f, "`--format {format}` describes the whole node"),
        }
    }
}

impl Error for Refused {}

impl From<Unknown> for Refused {
    fn from(unknown: Unknown) -> Self {
        Refused::Unknown(unknown)
    }
}

/// Renders a description in a format, with a final line feed. `text` contains ANSI styles, which the stream removes
/// when it is not a terminal, and is wrapped at `width` columns.
///
/// # Errors
///
/// The node lacks the group or operation, or the format can only show the whole node.
pub fn render(
    node: &Node,
    format: Format,
    group: Option<&str>,
    operation: Option<&str>,
    width: usize,
) -> Result<String, Refused> {
    let focus = match (group, operation) {
        (None, _) => Focus::Node,
        (Some(group), None) => Focus::Group(node.group(group)?),
        (Some(group), Some(operation)) => Focus::Operation(node.operation(group, operation)?),
    };
    // Each form looks up all of its parameters: without an index, that is quadratic.
    let indexed = Indexed::new(node);
    match (format, focus) {
        (Format::Text, focus) => Ok(text::render(&indexed, focus, width)),
        (Format::Json, Focus::Node) => Ok(json::render(node)),
        (Format::N8n, Focus::Node) => Ok(json::pretty(&n8n::render(&indexed))),
        (Format::Markdown, Focus::Node) => Ok(markdown::render(&indexed)),
        (Format::Json, _) => Err(Refused::WholeOnly("json")),
        (Format::N8n, _) => Err(Refused::WholeOnly("n8n")),
        (Format::Markdown, _) => Err(Refused::WholeOnly("markdown")),
    }
}

/// The columns to wrap `text` at: the terminal's, within bounds that keep lines readable and tables legible.
pub fn width() -> usize {
    /// For files and pipes, which have no width.
    const USUAL: u16 = 100;
    let columns = terminal_size::terminal_size().map_or(USUAL, |(columns, _)| columns.0);
    usize::from(columns.clamp(80, 120))
}

#[cfg(test)]
mod tests;
