//! Makes untrusted text safe to show.
//!
//! A component, its description, a service and a recording all contain texts that reach messages, logs and terminals. A
//! control character acts on the terminal, and a character that changes the direction of writing makes one text look
//! like another. [`shown`] makes any text safe to print: one line of bounded length, in which every character
//! represents itself.
//!
//! It adds no quotes: a message that embeds a shown text puts back-ticks around it.
//!
//! The `Display` of this crate's errors, failures and notices applies it to every untrusted text in them. The fields of
//! these types, and [`Failure::to_json`](crate::failure::Failure::to_json), contain the original text; [`json`] makes a JSON
//! text safe to print.
//!
//! [`utf8`] reads texts in the encodings that other tools write.

mod encoding;
mod json;

use std::borrow::Cow;
use std::path::Path;

pub use encoding::{Utf16, utf8};
pub use json::json;

/// The longest path that is shown; no system accepts a longer one.
const PATH_CHARS: usize = 4096;

/// Whether a character makes a text look like another one, or acts on a terminal: control characters, line separators,
/// and characters that change the direction of writing or are invisible by design (Unicode Technical Report 36; the
/// attack is known as Trojan Source).
///
/// Zero-width joiners and direction *marks* are allowed: Persian, Hindi and emoji need the former, labels with a Hebrew
/// or Arabic word the latter.
#[must_use]
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            // Soft hyphen, zero-width space.
            '\u{00ad}' | '\u{200b}'
            // Line and paragraph separator, embeddings and overrides.
            | '\u{2028}'..='\u{202e}'
            // Invisible operators, isolates, and the deprecated shaping controls after them.
            | '\u{2060}'..='\u{206f}'
            // A byte order mark inside a text, interlinear annotations.
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            // Tags: a whole invisible alphabet.
            | '\u{e0000}'..='\u{e007f}')
}

/// The text on one line, with at most `most` of its characters and every [deceptive](is_deceptive) one escaped; `…`
/// marks omitted text.
///
/// It reads no more of the text than it shows, so the text may have any length.
///
/// ```
/// use nodule_core::text::shown;
///
/// assert_eq!(shown("Zürich 東京", 60), "Zürich 東京");
/// assert_eq!(shown("\u{1b}[2J\u{9b}0m\nok", 60), r"\u{1b}[2J\u{9b}0m\nok");
/// assert_eq!(shown("admin\u{202e}gpj.exe", 60), r"admin\u{202e}gpj.exe");
/// assert_eq!(shown("a long text", 6), "a long…");
/// ```
#[must_use]
pub fn shown(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == most {
            shown.push('…');
            break;
        }
        if is_deceptive(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A whole text of several lines, such as a hint that the host composed: line feeds stay, every other
/// [deceptive](is_deceptive) character is escaped. It is the last safeguard before printing, and not enough for
/// untrusted text, which could add lines of its own.
///
/// ```
/// use nodule_core::text::lines;
///
/// assert_eq!(lines("write\n--allow https://a.example\u{1b}[2J"), "write\n--allow https://a.example\\u{1b}[2J");
/// ```
#[must_use]
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| character != '\n')
}

/// A path on one line, with non-Unicode parts replaced.
#[must_use]
pub fn path(path: &Path) -> String {
    shown(&path.to_string_lossy(), PATH_CHARS)
}

/// Escapes those deceptive characters for which `also` is true.
fn escaped(text: &str, also: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_escaped = |character: char| is_deceptive(character) && also(character);
    if !text.chars().any(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_escaped(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_lines_stay_several() {
        assert!(matches!(lines("a\nb"), Cow::Borrowed("a\nb")));
        assert_eq!(lines("a\n\r\tb\u{202e}"), "a\n\\r\\tb\\u{202e}");
    }

    #[test]
    fn a_path_is_one_line() {
        assert_eq!(path(Path::new("a\nb\u{9b}/c")), "a\\nb\\u{9b}/c");
    }

    #[test]
    fn every_control_of_a_terminal_is_escaped() {
        let controls = (0..0x20).chain(0x7f..0xa0).filter_map(char::from_u32);
        for character in controls {
            let text = shown(&format!("a{character}b"), 10);
            assert!(!text.chars().any(is_deceptive), "{character:?}: {text:?}");
            assert!(text.starts_with(r"a\"), "{character:?}: {text}");
        }
    }

    #[test]
    fn a_text_is_cut_by_characters() {
        assert_eq!(shown("äöü", 3), "äöü");
        assert_eq!(shown("äöüß", 3), "äöü…");
        assert_eq!(shown("", 0), "");
        assert_eq!(shown("a", 0), "…");
    }
}
