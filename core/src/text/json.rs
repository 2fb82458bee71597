//! Makes JSON safe to print: the same value, written without characters that act on a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Bytes examined together: enough that the compiler vectorises the loop.
const PIECE: usize = 64;

/// Writes every [deceptive](super::is_deceptive) character of a JSON text as `\u` and four digits, which does not
/// change the value.
///
/// JSON allows no control character below U+0020 inside strings; those that it allows between values (tab, line ends)
/// are left alone. All other deceptive characters (U+007F to U+009F, and those that change the direction of writing or
/// are invisible) can only be inside strings. A text without any of them is returned unchanged.
///
/// ```
/// use nodule_core::text::json;
///
/// assert_eq!(json("{\"a\": \"\u{9b}31m\u{e0001}\"}"), r#"{"a": "\u009b31m\udb40\udc01"}"#);
/// assert_eq!(json("{\"a\": \"東京\"}"), "{\"a\": \"東京\"}");
/// ```
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    let Some(mut next) = find(text, 0) else {
        return Cow::Borrowed(text);
    };
    let mut written = String::with_capacity(text.len() + 16);
    let mut done = 0;
    loop {
        written.push_str(text.get(done..next).unwrap_or_default());
        let Some(character) = text.get(next..).and_then(|rest| rest.chars().next()) else {
            return Cow::Owned(written);
        };
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a `String` cannot fail.
            let _ = write!(written, "\\u{unit:04x}");
        }
        done = next + character.len_utf8();
        let Some(found) = find(text, done) else {
            written.push_str(text.get(done..).unwrap_or_default());
            return Cow::Owned(written);
        };
        next = found;
    }
}

/// The position of the first deceptive character above U+001F at or after `from`.
fn find(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes().get(from..)?;
    let mut passed = 0;
    for piece in bytes.chunks(PIECE) {
        // Without early exit and branches, this compiles to a few instructions for the whole piece.
        let any = piece.iter().fold(0, |any, byte| any | may_begin(*byte));
        if any != 0 {
            for offset in
                (0..piece.len()).filter(|offset| piece.get(*offset).is_some_and(|byte| may_begin(*byte) != 0))
            {
                let rest = bytes.get(passed + offset..).unwrap_or_default();
                if begins_deceptive(rest) {
                    return Some(from + passed + offset);
                }
            }
        }
        passed += piece.len();
    }
    None
}

/// 1 if a byte is or may be the first byte of a deceptive character, else 0.
fn may_begin(byte: u8) -> u8 {
    u8::from(byte == 0x7f)
        | u8::from(byte == 0xc2)
        | u8::from(byte == 0xe2)
        | u8::from(byte == 0xef)
        | u8::from(byte == 0xf3)
}

/// Whether the bytes begin with a deceptive character in UTF-8. Tests compare this with `is_deceptive`.
fn begins_deceptive(rest: &[u8]) -> bool {
    matches!(
        rest,
        [0x7f, ..]
            | [0xc2, 0x80..=0x9f | 0xad, ..]
            | [0xe2, 0x80, 0x8b | 0xa8..=0xae, ..]
            | [0xe2, 0x81, 0xa0..=0xaf, ..]
            | [0xef, 0xbb, 0xbf, ..]
            | [0xef, 0xbf, 0xb9..=0xbb, ..]
            | [0xf3, 0xa0, 0x80 | 0x81, ..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::is_deceptive;

    #[test]
    fn a_deceptive_character_is_found_and_no_other() {
        for character in '\u{20}'..=char::MAX {
            let text = format!("é{character}é");
            let expected = is_deceptive(character).then_some(2);
            assert_eq!(find(&text, 0), expected, "{character:?}");
        }
    }

    #[test]
    fn the_value_stays_and_no_deceptive_character_does() {
        for character in ('\u{20}'..=char::MAX).filter(|character| is_deceptive(*character)) {
            for padding in [0, 62, 63, 64, 200] {
                let value = format!("{}{character}é{character}", "x".repeat(padding));
                let text = serde_json::to_string(&value).unwrap();
                let written = json(&text);
                assert!(!written.chars().any(is_deceptive), "{character:?}: {written}");
                assert_eq!(
                    serde_json::from_str::<String>(&written).unwrap(),
                    value,
                    "{character:?}"
                );
            }
        }
    }

    #[test]
    fn usual_text_is_given_back_as_it_is() {
        for text in [
            "",
            "{}",
            "[1,\t2]",
            "{\"name\":\"José 東京、（株）“x” – ok 👩\u{200d}🚀\"}",
        ] {
            assert!(
                matches!(json(text), Cow::Borrowed(same) if same == text),
                "{text}"
            );
        }
    }
}
