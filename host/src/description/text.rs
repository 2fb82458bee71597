//! Which characters a text may have, and how one is quoted in a message.

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

/// The text in back-ticks for a message: shortened, on one line, every deceptive character escaped.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut quoted = String::from("`");
    for (index, character) in text.chars().enumerate() {
        if index == SHOWN {
            quoted.push('…');
            break;
        }
        if is_deceptive(character) {
            quoted.extend(character.escape_default());
        } else {
            quoted.push(character);
        }
    }
    quoted.push('`');
    quoted
}
