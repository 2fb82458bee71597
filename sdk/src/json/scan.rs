//! The grammar of JSON (RFC 8259), as far as is needed to find where a value ends.
//!
//! Texts are UTF-8 by their type. A document that passes here is one that `serde_json` takes, which a test sees to.

use super::MAX_DEPTH;

/// A reader of one text.
pub struct Scan<'a> {
    json: &'a [u8],
    /// Whether what was passed so far has an escape.
    pub has_escapes: bool,
    /// Where the first fault is; absent, where the text ends too early.
    pub failed_at: Option<usize>,
    /// Of a long text: where objects and lists of its upper levels begin and end, in the order in which they begin.
    pub spans: Vec<(usize, usize)>,
}

/// A shorter text is read once more as quickly as its spans are kept.
const LONG: usize = 2048;
/// Rows are not deeper than that.
const UPPER_LEVELS: usize = 4;

impl<'a> Scan<'a> {
    pub const fn new(json: &'a [u8]) -> Self {
        Self {
            json,
            has_escapes: false,
            failed_at: None,
            spans: Vec::new(),
        }
    }

    #[cold]
    fn fail(&mut self, at: usize) -> Option<usize> {
        // Where there is no text, it ends too early.
        self.failed_at = Some(at).filter(|at| *at < self.json.len());
        None
    }

    #[inline]
    pub fn byte(&self, at: usize) -> Option<u8> {
        self.json.get(at).copied()
    }

    /// Past blanks.
    #[inline]
    pub fn blanks(&self, mut at: usize) -> usize {
        while self.byte(at).is_some_and(is_blank) {
            at += 1;
        }
        at
    }

    /// Past the value that begins here, of at most so many levels. Nothing, where there is none.
    pub fn value(&mut self, at: usize, levels: usize) -> Option<usize> {
        match self.byte(at)? {
            b'"' => self.string(at),
            b'{' | b'[' => self.nested(at, levels.checked_sub(1)?),
            b't' => self.word(at, b"true"),
            b'f' => self.word(at, b"false"),
            b'n' => self.word(at, b"null"),
            _ => self.number(at),
        }
    }

    fn nested(&mut self, at: usize, levels: usize) -> Option<usize> {
        let place = self.spans.len();
        let is_kept = self.json.len() >= LONG && levels + UPPER_LEVELS >= MAX_DEPTH;
        if is_kept {
            self.spans.push((at, at));
        }
        let end = if self.byte(at) == Some(b'{') {
            self.object(at, levels)
        } else {
            self.array(at, levels)
        }?;
        if is_kept && let Some(span) = self.spans.get_mut(place) {
            span.1 = end;
        }
        Some(end)
    }

    fn object(&mut self, at: usize, levels: usize) -> Option<usize> {
        let mut at = self.blanks(at + 1);
        if self.byte(at) == Some(b'}') {
            return Some(at + 1);
        }
        loop {
            if self.byte(at) != Some(b'"') {
                return self.fail(at);
            }
            at = self.string(at)?;
            at = self.blanks(at);
            if self.byte(at) != Some(b':') {
                return self.fail(at);
            }
            at = self.value(self.blanks(at + 1), levels)?;
            at = self.blanks(at);
            match self.byte(at)? {
                b',' => at = self.blanks(at + 1),
                b'}' => return Some(at + 1),
                _ => return self.fail(at),
            }
        }
    }

    fn array(&mut self, at: usize, levels: usize) -> Option<usize> {
        let mut at = self.blanks(at + 1);
        if self.byte(at) == Some(b']') {
            return Some(at + 1);
        }
        loop {
            at = self.value(at, levels)?;
            at = self.blanks(at);
            match self.byte(at)? {
                b',' => at = self.blanks(at + 1),
                b']' => return Some(at + 1),
                _ => return self.fail(at),
            }
        }
    }

    fn word(&mut self, at: usize, word: &[u8]) -> Option<usize> {
        let end = at + word.len();
        if self.json.get(at..end) == Some(word) {
            return Some(end);
        }
        self.fail(at)
    }

    /// Past a string, its opening quote included.
    #[inline]
    pub fn string(&mut self, at: usize) -> Option<usize> {
        let mut at = at + 1;
        loop {
            at = plain(self.json, at);
            match self.byte(at)? {
                b'"' => return Some(at + 1),
                b'\\' => {
                    self.has_escapes = true;
                    at = self.escape(at + 1)?;
                }
                0..=0x1f => return self.fail(at),
                _ => at += 1,
            }
        }
    }

    /// Past an escape, behind its backslash.
    fn escape(&mut self, at: usize) -> Option<usize> {
        match self.byte(at)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
            b'u' => {
                let end = at + 5;
                let digits = self.json.get(at + 1..end)?;
                if digits.iter().all(u8::is_ascii_hexdigit) {
                    return Some(end);
                }
                self.fail(at)
            }
            _ => self.fail(at),
        }
    }

    fn number(&mut self, at: usize) -> Option<usize> {
        let mut at = at;
        if self.byte(at) == Some(b'-') {
            at += 1;
        }
        at = match self.byte(at)? {
            b'0' => at + 1,
            _ => self.digits(at)?,
        };
        if self.byte(at) == Some(b'.') {
            at = self.digits(at + 1)?;
        }
        if let Some(b'e' | b'E') = self.byte(at) {
            at += 1;
            if let Some(b'+' | b'-') = self.byte(at) {
                at += 1;
            }
            at = self.digits(at)?;
        }
        Some(at)
    }

    /// Past one digit or more.
    fn digits(&mut self, begin: usize) -> Option<usize> {
        let mut at = begin;
        while self.byte(at).is_some_and(|byte| byte.is_ascii_digit()) {
            at += 1;
        }
        if at > begin {
            return Some(at);
        }
        self.fail(begin)
    }
}

/// Blanks as JSON has them.
pub const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\t' | b'\r')
}

/// Past what stands for itself in a string, but for its last few bytes: eight at once, up to where one means something.
#[inline]
fn plain(json: &[u8], mut at: usize) -> usize {
    while let Some(eight) = json.get(at..).and_then(<[u8]>::first_chunk) {
        let special = specials(u64::from_le_bytes(*eight));
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at
}

/// Whether a text can stand in a string as it is.
pub fn is_plain(text: &[u8]) -> bool {
    // The last eight once more are quicker than those that are left one by one.
    if let Some(last) = text.last_chunk() {
        return plain(text, 0) + 8 > text.len() && specials(u64::from_le_bytes(*last)) == 0;
    }
    text.iter()
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

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::super::MAX_DEPTH;
    use super::{Scan, is_plain};

    fn is_document(text: &str) -> bool {
        let mut scan = Scan::new(text.as_bytes());
        scan.value(scan.blanks(0), MAX_DEPTH)
            .is_some_and(|end| scan.blanks(end) == text.len())
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
    fn a_text_is_plain_where_no_byte_of_it_means_something() {
        for byte in 0..0x80_u8 {
            for length in 0..20 {
                for at in 0..=length {
                    let mut text = "x".repeat(length);
                    text.insert(at, char::from(byte));
                    let means_something = byte < b' ' || matches!(byte, b'"' | b'\\');
                    assert_eq!(is_plain(text.as_bytes()), !means_something, "{text:?}");
                }
            }
        }
        assert!(is_plain("é会😀".repeat(9).as_bytes()));
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
