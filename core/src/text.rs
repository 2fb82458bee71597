//! How text that strangers wrote is shown to people.
//!
//! A component, its description, a service and a recording all bring texts that end up in messages, logs and on terminals. A
//! control character there acts on the terminal, and a character that turns the direction of writing makes one text look
//! like another. [`shown`] makes any such text safe to print: one line, of a bounded length, in which every character
//! stands for itself.
//!
//! It does not quote: a message that embeds a shown text puts back-ticks around it.
//!
//! The `Display` of this crate's errors, failures and notices does this to every foreign text in them. The fields of these
//! types, and [`Failure::to_json`](crate::failure::Failure::to_json), hold the text as it came; [`json`] makes a JSON text safe to print.
//!
//! [`utf8`] is how the texts are read that tools write for this one.

mod encoding;
mod json;

use std::borrow::Cow;
use std::path::Path;

pub use encoding::{Utf16, utf8};
pub use json::json;

/// The longest path that is shown; the system takes none that is longer.
const PATH_CHARS: usize = 4096;

/// Whether a character makes a text look like another one, or acts on a terminal: controls, line separators, and
/// what turns the direction of writing or is invisible by design (Unicode Technical Report 36; the attack is known
/// as Trojan Source).
///
/// Zero-width joiners and direction *marks* are not among them: Persian, Hindi and emoji need the former,
/// labels with a Hebrew or Arabic word the latter.
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

/// The text on one line, at most `most` of its characters, every [deceptive](is_deceptive) one escaped; `…` stands for
/// what was left out.
///
/// Reads no further into the text than it shows, so it may be given a text of any length.
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

/// A text of several lines, such as a hint of the host's own, whole: line feeds stay, every other
/// [deceptive](is_deceptive) character is escaped. It is the last guard of whoever prints, and not enough for a foreign text, which
/// could make lines of its own.
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

/// A path on one line, with what is not Unicode in it replaced.
#[must_use]
pub fn path(path: &Path) -> String {
    shown(&path.to_string_lossy(), PATH_CHARS)
}

/// The text with the deceptive characters escaped that `also` is true for.
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
