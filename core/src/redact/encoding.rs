//! The forms that a secret takes on its way through a service.
//!
//! Some encodings leave a choice of which characters to escape, and how; these are decoded while reading. Base64 leaves
//! no choice, so its text is a pattern, once for each of the three offsets that a secret can have in it.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use zeroize::Zeroizing;

/// A way to read bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// Decodes nothing.
    AsIs,
    /// Decodes the escapes of JSON strings (RFC 8259).
    Json,
    /// Decodes `%XX`.
    Percent,
}

impl View {
    pub(super) const ALL: [Self; 3] = [Self::AsIs, Self::Json, Self::Percent];

    /// The byte that starts an escape.
    pub(super) fn escape(self) -> Option<u8> {
        match self {
            Self::AsIs => None,
            Self::Json => Some(b'\\'),
            Self::Percent => Some(b'%'),
        }
    }

    /// Whether this view may show something that the bytes themselves do not.
    pub(super) fn applies(self, bytes: &[u8]) -> bool {
        self.escape()
            .is_some_and(|escape| memchr::memchr(escape, bytes).is_some())
    }

    /// Passes each decoded byte to `each` with its source range, until position `to` or until `each` returns false.
    /// Returns the position where reading continues. A byte that is not part of an escape is passed unchanged, and an
    /// escape is always read completely.
    pub(super) fn read(
        self,
        bytes: &[u8],
        from: usize,
        to: usize,
        mut each: impl FnMut(u8, Range<usize>) -> bool,
    ) -> usize {
        let mut at = from;
        let mut goes_on = true;
        while goes_on && at < to {
            let Some(rest @ [first, ..]) = bytes.get(at..) else {
                break;
            };
            let escape = match self {
                Self::Json if *first == b'\\' => json_escape(rest),
                Self::Percent if *first == b'%' => percent_escape(rest),
                _ => None,
            };
            if let Some((character, len)) = escape {
                for byte in character.bytes() {
                    goes_on = each(byte, at..at + len);
                }
                at += len;
            } else {
                goes_on = each(*first, at..at + 1);
                at += 1;
            }
        }
        at
    }
}

/// A decoded escape and its length.
#[derive(Debug, Clone, Copy)]
enum Escaped {
    Byte(u8),
    Character(char),
}

impl Escaped {
    fn bytes(self) -> impl Iterator<Item = u8> {
        let mut buffer = [0; 4];
        let len = match self {
            Self::Byte(byte) => {
                buffer = [byte, 0, 0, 0];
                1
            }
            Self::Character(character) => character.encode_utf8(&mut buffer).len(),
        };
        buffer.into_iter().take(len)
    }
}

fn json_escape(text: &[u8]) -> Option<(Escaped, usize)> {
    let simple = |byte| Some((Escaped::Byte(byte), 2));
    match text.get(1)? {
        byte @ (b'"' | b'\\' | b'/') => simple(*byte),
        b'b' => simple(8),
        b'f' => simple(12),
        b'n' => simple(b'\n'),
        b'r' => simple(b'\r'),
        b't' => simple(b'\t'),
        b'u' => {
            let first = unit(text)?;
            if let Some(character) = char::from_u32(first.into()) {
                return Some((Escaped::Character(character), 6));
            }
            let second = unit(text.get(6..)?)?;
            let character = char::decode_utf16([first, second]).next()?.ok()?;
            Some((Escaped::Character(character), 12))
        }
        _ => None,
    }
}

/// Reads the UTF-16 unit of `\uXXXX`.
fn unit(text: &[u8]) -> Option<u16> {
    let [b'\\', b'u', a, b, c, d, ..] = text else {
        return None;
    };
    let byte = |high, low| hex_byte(high, low).map(u16::from);
    Some((byte(*a, *b)? << 8) | byte(*c, *d)?)
}

fn percent_escape(text: &[u8]) -> Option<(Escaped, usize)> {
    let [b'%', high, low, ..] = text else { return None };
    Some((Escaped::Byte(hex_byte(*high, *low)?), 3))
}

fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    Some((digit(high)? << 4) | digit(low)?)
}

/// A byte string to look for.
pub(super) type Form = Zeroizing<Vec<u8>>;

/// All byte strings to look for, in every view, for one secret.
pub(super) fn forms(secret: &str) -> impl Iterator<Item = Form> {
    let bytes = secret.as_bytes();
    let mut forms: Vec<Form> = plain_forms(secret).collect();
    for engine in [&STANDARD, &URL_SAFE] {
        let padded = Zeroizing::new(engine.encode(bytes).into_bytes());
        forms.push(Zeroizing::new(padded.to_vec()));
        let end = padded
            .iter()
            .position(|byte| *byte == b'=')
            .unwrap_or(padded.len());
        forms.push(Zeroizing::new(padded.get(..end).unwrap_or_default().to_vec()));
        forms.extend((0..3).map(|offset| inside(engine, bytes, offset)));
    }
    forms.sort_by(|one, other| one.as_slice().cmp(other));
    forms.dedup();
    forms.into_iter()
}

/// Those forms that are the secret itself.
pub(super) fn plain_forms(secret: &str) -> impl Iterator<Item = Form> {
    // HTML forms encode a space as a plus sign.
    let plus = secret.contains(' ').then(|| secret.replace(' ', "+"));
    [Some(secret.to_owned()), plus]
        .into_iter()
        .flatten()
        .map(|text| Zeroizing::new(text.into_bytes()))
}

/// The characters of a base64 text that depend on the secret alone, if `offset` bytes precede it in its first group of
/// three.
fn inside(engine: &impl base64::Engine, secret: &[u8], offset: usize) -> Form {
    let mut group = Zeroizing::new(vec![0; offset]);
    group.extend_from_slice(secret);
    let encoded = Zeroizing::new(engine.encode(group.as_slice()).into_bytes());
    let shared = (offset * 8).div_ceil(6);
    let whole = group.len() * 8 / 6;
    Zeroizing::new(encoded.get(shared..whole).unwrap_or_default().to_vec())
}
