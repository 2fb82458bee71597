//! The regular expressions of a reference.

use regex::{Regex, RegexBuilder};

/// Bytes of a compiled expression: a description is untrusted.
const MAX_COMPILED_BYTES: usize = 256 * 1024;

/// A regular expression that matches whole texts.
#[derive(Debug)]
pub(super) struct Pattern(Regex);

impl Pattern {
    /// `None` if it is not a regular expression, or too large: nothing is checked by it then.
    pub(super) fn new(pattern: &str) -> Option<Self> {
        RegexBuilder::new(&format!("^(?:{pattern})$"))
            .size_limit(MAX_COMPILED_BYTES)
            .build()
            .ok()
            .map(Self)
    }

    /// Whether the whole text matches.
    pub(super) fn matches_whole(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The part of the text that the first group matches, if the whole text matches.
    pub(super) fn first_group<'t>(&self, text: &'t str) -> Option<&'t str> {
        let group = self.0.captures(text)?.get(1)?.as_str();
        (!group.is_empty()).then_some(group)
    }
}
