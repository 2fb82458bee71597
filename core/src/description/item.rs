//! Checks an item against the form of its operation, before the node sees it.
//!
//! A host must never refuse what the node would accept. The check is therefore as lenient as the most lenient node, and
//! refuses only what no node can use:
//!
//! | the item has | the check |
//! | --- | --- |
//! | nothing, `null`, or a blank text | refuses it if the parameter is required and has no default |
//! | a number or boolean as text, a number for a text | accepts it |
//! | a value that its kind cannot be read from, or that is out of range | refuses it |
//! | a value for a parameter that is hidden, or that may be | does not look at it |
//! | a name that the operation does not have | leaves it to the node, and names it beside other problems |
//! | a reference as n8n stores it, or as the URL of its page | accepts it; [`ItemCheck::resolve`] makes it the ID |
//! | JSON that is broken, or nested too deep | leaves it to the node |
//!
//! Whether a parameter is shown depends on other values. Where nodes may disagree about such a value, for example where
//! it is invalid itself, the parameter counts as hidden.
//!
//! The check reads an item's text and builds no tree of it: each level is split into the texts of its members. An item
//! of ten values takes one or two microseconds, and a valid one costs few allocations per level.

use std::borrow::Cow;

use super::{Node, Operation};
use crate::failure::ParameterProblem;

mod date;
mod form;
mod given;
mod number;
mod read;
mod reference;
mod scalar;
mod visible;
mod walk;
mod words;

use self::form::{Builder, Scope};
use self::walk::Walk;

/// The most problems of one item.
pub const MAX_ITEM_PROBLEMS: usize = 100;

/// The form of an operation, prepared for checking items.
///
/// ```
/// use nodule_core::description::{ItemCheck, Node};
///
/// # let text = include_str!("../../tests/data/item-form.json");
/// let node: Node = serde_json::from_str(text)?;
/// let check = ItemCheck::new(&node, node.operation("page", "update").expect("an operation"));
///
/// assert_eq!(check.check(r#"{"page": "p1", "size": "7", "title": "A"}"#), Ok(()));
/// let problems = check.check(r#"{"page": "p1", "size": 700}"#).unwrap_err();
/// assert_eq!(problems[0].to_string(), "Title: expected a text, found nothing");
/// assert_eq!(problems[1].to_string(), "Size: expected a whole number from 1 to 100, found `700`");
///
/// // The node gets the ID, however the page was given.
/// let by_url = r#"{"page": {"mode": "url", "value": "https://wiki.example/p/p1"}, "title": "A"}"#;
/// assert_eq!(check.resolve(by_url).unwrap(), r#"{"page": "p1", "title": "A"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug)]
pub struct ItemCheck {
    /// The operation's display name.
    title: String,
    form: Scope,
}

impl ItemCheck {
    /// Prepares the form of an operation of a [checked](Node::check) node.
    #[must_use]
    pub fn new(node: &Node, operation: &Operation) -> Self {
        Self {
            title: operation.display_name.clone(),
            form: Builder::new(node).operation(operation),
        }
    }

    /// Checks an item: the text of a JSON object.
    ///
    /// # Errors
    ///
    /// All problems in parameter order, up to [`MAX_ITEM_PROBLEMS`]. A text that is not a JSON object has none: the host
    /// refuses it as malformed.
    pub fn check(&self, item: &str) -> Result<(), Vec<ParameterProblem>> {
        self.resolve(item).map(|_| ())
    }

    /// Checks an item and returns it with each reference replaced by its ID. All else stays as it is, byte for byte; the
    /// text is copied only if it changes.
    ///
    /// # Errors
    ///
    /// As [`ItemCheck::check`].
    pub fn resolve<'a>(&self, item: &'a str) -> Result<Cow<'a, str>, Vec<ParameterProblem>> {
        self.resolve_with(item, &[])
    }

    /// As [`ItemCheck::resolve`], for an item that files go with, by their keys.
    ///
    /// # Errors
    ///
    /// As [`ItemCheck::check`].
    pub fn resolve_with<'a>(
        &self,
        item: &'a str,
        files: &'a [&'a str],
    ) -> Result<Cow<'a, str>, Vec<ParameterProblem>> {
        let mut walk = Walk::new(self, item, files, false);
        walk.item();
        if walk.problems.is_empty() {
            return Ok(walk.resolved());
        }
        // Unknown names alone are no reason to refuse the item, so that valid items are spared the search for them.
        let mut walk = Walk::new(self, item, files, true);
        walk.item();
        Err(walk.problems)
    }

    /// What a question of the form gets of what is filled in so far: each reference is its ID, or `null` where it is none yet.
    /// All else stays as it is, wrong or not.
    #[must_use]
    pub fn filled_in<'a>(&self, item: &'a str) -> Cow<'a, str> {
        let mut walk = Walk::of_question(self, item);
        walk.item();
        walk.resolved()
    }
}
