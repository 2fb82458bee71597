//! The grammar of JSON (RFC 8259), as far as is needed to find where a value ends.
//!
//! Texts are UTF-8 by their type. A document that passes here is one that `serde_json` takes, which a test holds.

/// Past blanks.
pub fn blanks(json: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\t' | b'\r') = json.get(at) {
        at += 1;
    }
    at
}

/// Past the value that begins here, of at most so many levels. Nothing, where there is none.
pub fn value(json: &[u8], at: usize, levels: usize) -> Option<usize> {
    match *json.get(at)? {
        b'"' => string(json, at),
        b'{' => object(json, at, levels.checked_sub(1)?),
        b'[' => array(json, at, levels.checked_sub(1)?),
        b't' => word(json, at, b"true"),
        b'f' => word(json, at, b"false"),
        b'n' => word(json, at, b"null"),
        _ => number(json, at),
    }
}

fn object(json: &[u8], at: usize, levels: usize) -> Option<usize> {
    let mut at = blanks(json, at + 1);
    if json.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        if json.get(at) != Some(&b'"') {
            return None;
        }
        at = blanks(json, string(json, at)?);
        at = word(json, at, b":")?;
        at = value(json, blanks(json, at), levels)?;
        at = blanks(json, at);
        match json.get(at)? {
            b',' => at = blanks(json, at + 1),
            b'}' => return Some(at + 1),
            _ => return None,
        }
    }
}

fn array(json: &[u8], at: usize, levels: usize) -> Option<usize> {
    let mut at = blanks(json, at + 1);
    if json.get(at) == Some(&b']') {
        return Some(at + 1);
    }
    loop {
        at = blanks(json, value(json, at, levels)?);
        match json.get(at)? {
            b',' => at = blanks(json, at + 1),
            b']' => return Some(at + 1),
            _ => return None,
        }
    }
}

fn word(json: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    let end = at + word.len();
    (json.get(at..end)? == word).then_some(end)
}

/// Past a string, its opening quote included.
fn string(json: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at = plain(json, at);
        at = match *json.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => escape(json, at + 1)?,
            0..=0x1f => return None,
            _ => at + 1,
        };
    }
}

/// Past what stands for itself in a string, but for its last few bytes: eight at once, up to where one means something.
fn plain(json: &[u8], mut at: usize) -> usize {
    while let Some(eight) = json.get(at..at + 8).and_then(|eight| eight.try_into().ok()) {
        let special = specials(u64::from_le_bytes(eight));
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at
}

/// Whether a text can stand in a string as it is.
pub fn is_plain(text: &[u8]) -> bool {
    text.iter()
        .skip(plain(text, 0))
        .all(|byte| *byte >= b' ' && !matches!(byte, b'"' | b'\\'))
}

/// The lowest bit that is set is in the first byte that is a quote, a backslash or a control character.
const fn specials(eight: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let quotes = eight ^ (ONES * b'"' as u64);
    let backslashes = eight ^ (ONES * b'\\' as u64);
    (quotes.wrapping_sub(ONES) & !quotes
        | backslashes.wrapping_sub(ONES) & !backslashes
        | eight.wrapping_sub(ONES * 0x20) & !eight)
        & HIGHS
}

/// Past an escape, behind its backslash.
fn escape(json: &[u8], at: usize) -> Option<usize> {
    match *json.get(at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
        b'u' => {
            let end = at + 5;
            let digits = json.get(at + 1..end)?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(end)
        }
        _ => None,
    }
}

fn number(json: &[u8], at: usize) -> Option<usize> {
    let mut at = word(json, at, b"-").unwrap_or(at);
    at = match *json.get(at)? {
        b'0' => at + 1,
        _ => digits(json, at)?,
    };
    if json.get(at) == Some(&b'.') {
        at = digits(json, at + 1)?;
    }
    if let Some(b'e' | b'E') = json.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = json.get(at) {
            at += 1;
        }
        at = digits(json, at)?;
    }
    Some(at)
}

/// Past one digit or more.
fn digits(json: &[u8], at: usize) -> Option<usize> {
    let count = json
        .get(at..)?
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    (count > 0).then_some(at + count)
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::super::MAX_DEPTH;
    use super::{blanks, value};

    fn is_document(text: &str) -> bool {
        let json = text.as_bytes();
        value(json, blanks(json, 0), MAX_DEPTH).is_some_and(|end| blanks(json, end) == json.len())
    }

    /// Every text of up to six of these pieces: the two agree on all of them.
    #[test]
    fn a_document_is_what_serde_json_takes_for_one() {
        let pieces = [
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "u00e",
            "9",
            "0",
            "-",
            ".",
            "e",
            "+",
            "a",
            "true",
            "null",
            " ",
            "\n",
            "é",
            "\"k\":",
            "{\"a\":1}",
            "longer than eight bytes",
            "\u{1}",
        ];
        let mut texts = vec![String::new()];
        let mut checked = 0;
        for length in 0..4 {
            let mut longer = Vec::new();
            for text in &texts {
                for piece in pieces {
                    let text = format!("{text}{piece}");
                    let quoted = format!("\"{text}\"");
                    for text in [&text, &quoted] {
                        let expected = serde_json::from_str::<&RawValue>(text).is_ok();
                        assert_eq!(is_document(text), expected, "{text:?}");
                        checked += 1;
                    }
                    longer.push(text);
                }
            }
            if length < 3 {
                texts = longer;
            }
        }
        assert!(checked > 500_000, "{checked}");
    }

    #[test]
    fn levels_are_counted() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(is_document(&nested(MAX_DEPTH)));
        assert!(!is_document(&nested(MAX_DEPTH + 1)));
    }

    #[test]
    fn every_control_character_ends_a_string_wherever_it_stands() {
        for control in 0..0x20_u8 {
            for before in 0..20 {
                let text = format!(
                    "\"{}{}{}\"",
                    "x".repeat(before),
                    char::from(control),
                    "y".repeat(9)
                );
                assert!(!is_document(&text), "{text:?}");
            }
        }
        for length in 0..40 {
            assert!(is_document(&format!("\"{}\"", "\u{7f}é".repeat(length))));
        }
    }
}
