//! How text that strangers wrote is shown to people.
//!
//! A component, its description, a service and a recording all bring texts that end up in messages, logs and on terminals. A
//! control character there acts on the terminal, and a character that turns the direction of writing makes one text look
//! like another. [`shown`] makes any such text safe to print: one line, of a bounded length, in which every character
//! stands for itself.
//!
//! It does not quote: a message that embeds a shown text puts back-ticks around it.

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
/// use nodule::text::shown;
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

#[cfg(test)]
mod tests {
    use super::*;

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
