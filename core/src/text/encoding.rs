//! The encodings in which tools write JSON and TOML: UTF-8 with or without a byte order mark, and UTF-16.

/// The byte order of a UTF-16 text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Utf16 {
    /// The low byte first, as Windows writes it.
    LittleEndian,
    /// The high byte first.
    BigEndian,
}

impl Utf16 {
    /// Detects UTF-16 from the first bytes of a text: by its byte order mark, or because its first character is ASCII,
    /// as in every JSON text.
    #[must_use]
    pub fn of(beginning: &[u8]) -> Option<Self> {
        match beginning {
            [0xff, 0xfe, ..] | [1..=0x7f, 0, ..] => Some(Self::LittleEndian),
            [0xfe, 0xff, ..] | [0, 1..=0x7f, ..] => Some(Self::BigEndian),
            _ => None,
        }
    }

    /// Makes a unit of two bytes.
    #[must_use]
    pub fn unit(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::LittleEndian => u16::from_le_bytes(bytes),
            Self::BigEndian => u16::from_be_bytes(bytes),
        }
    }

    /// The text without its byte order mark. Invalid input (half a surrogate pair, or half a unit at the end) becomes
    /// U+FFFD.
    #[must_use]
    pub fn decoded(self, text: &[u8]) -> String {
        let (pairs, rest) = text.as_chunks::<2>();
        let units = pairs.iter().map(|pair| self.unit(*pair));
        let mut decoded: String = char::decode_utf16(units)
            .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        if !rest.is_empty() {
            decoded.push(char::REPLACEMENT_CHARACTER);
        }
        if decoded.starts_with(MARK) {
            decoded.drain(..MARK.len_utf8());
        }
        decoded
    }
}

/// The byte order mark.
const MARK: char = '\u{feff}';

/// Converts a text to UTF-8 without a byte order mark. Input that is neither UTF-16 nor marked is returned unchanged.
///
/// ```
/// use nodule_core::text::utf8;
///
/// assert_eq!(utf8(b"\xef\xbb\xbf{}".to_vec()), b"{}");
/// assert_eq!(utf8(b"\xff\xfe{\0}\0".to_vec()), b"{}");
/// ```
#[must_use]
pub fn utf8(mut text: Vec<u8>) -> Vec<u8> {
    if let Some(order) = Utf16::of(&text) {
        return order.decoded(&text).into_bytes();
    }
    if text.starts_with(b"\xef\xbb\xbf") {
        text.drain(..3);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_in_each_encoding_with_and_without_its_mark() {
        let text = "{\"name\": \"Zürich 東京 🔑\"}";
        assert_eq!(utf8(text.into()), text.as_bytes());
        assert_eq!(utf8(format!("{MARK}{text}").into()), text.as_bytes());
        for marked in [text.to_owned(), format!("{MARK}{text}")] {
            let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
            assert_eq!(utf8(little), text.as_bytes());
            assert_eq!(utf8(big), text.as_bytes());
        }
    }

    #[test]
    fn what_is_cut_off_or_no_character_is_replaced() {
        assert_eq!(
            utf8(b"\xff\xfe{\0\x3d\xd8}".to_vec()),
            "{\u{fffd}\u{fffd}".as_bytes()
        );
        for short in [&b""[..], b"{", b"\xef\xbb", b"\xff\xff"] {
            assert_eq!(utf8(short.to_vec()), short);
        }
    }
}
