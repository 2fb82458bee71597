//! Quotes a text for a message about a description.

pub use crate::text::is_deceptive;

use crate::text::shown;

/// The text in back-ticks for a message: shortened, on one line, every deceptive character escaped.
#[must_use]
pub fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    format!("`{}`", shown(text, SHOWN))
}
