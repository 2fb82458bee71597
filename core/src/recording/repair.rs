//! Repairs text that is nearly JSON, from tools that build JSON by joining texts.
//!
//! | found | read as |
//! | --- | --- |
//! | half a surrogate pair, invalid UTF-8 | U+FFFD |
//! | a control character inside a text | that character |
//! | `NaN`, `Infinity` | `null` |
//! | NUL bytes after the document, as a crash leaves them | nothing |

/// The repaired text.
pub(super) struct Repaired {
    pub(super) text: Vec<u8>,
    /// The number of characters lost.
    pub(super) lost: usize,
}

/// The JSON escape that replaces an invalid character.
const LOST: &[u8] = br"\ufffd";

/// Repairs a text. If the result would exceed `most` bytes, returns the text unchanged.
pub(super) fn repaired(text: &[u8], most: usize) -> Repaired {
    let end = text
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let mut writer = Writer::default();
    for chunk in text.get(..end).unwrap_or_default().utf8_chunks() {
        writer.valid(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            writer.lose();
        }
        if writer.out.len() > most {
            return Repaired {
                text: text.to_vec(),
                lost: 0,
            };
        }
    }
    Repaired {
        text: writer.out,
        lost: writer.lost,
    }
}

#[derive(Default)]
struct Writer {
    out: Vec<u8>,
    lost: usize,
    is_quoted: bool,
}

impl Writer {
    fn lose(&mut self) {
        self.lost += 1;
        self.out.extend_from_slice(LOST);
    }

    fn valid(&mut self, text: &[u8]) {
        let mut rest = text;
        while let Some((first, after)) = rest.split_first() {
            let taken = if self.is_quoted {
                self.quoted(*first, rest)
            } else {
                self.bare(*first, rest)
            };
            rest = rest.get(taken..).unwrap_or(after);
        }
    }

    /// Repairs one position outside a string. Returns the number of bytes consumed.
    fn bare(&mut self, first: u8, rest: &[u8]) -> usize {
        self.is_quoted = first == b'"';
        if matches!(first, b'N' | b'I' | b'-') {
            for word in [&b"NaN"[..], b"Infinity", b"-Infinity"] {
                if rest.starts_with(word) {
                    self.out.extend_from_slice(b"null");
                    return word.len();
                }
            }
        }
        self.out.push(first);
        1
    }

    /// Repairs one position inside a string. Returns the number of bytes consumed.
    fn quoted(&mut self, first: u8, rest: &[u8]) -> usize {
        match (first, unit(rest)) {
            (b'\\', Some(0xd800..=0xdbff)) => {
                if matches!(rest.get(6..).and_then(unit), Some(0xdc00..=0xdfff)) {
                    self.out.extend_from_slice(rest.get(..12).unwrap_or_default());
                    return 12;
                }
                self.lose();
                6
            }
            (b'\\', Some(0xdc00..=0xdfff)) => {
                self.lose();
                6
            }
            (b'\\', _) => {
                let escape = rest.get(..2).unwrap_or(rest);
                self.out.extend_from_slice(escape);
                escape.len()
            }
            (0..0x20, _) => {
                self.out.extend_from_slice(format!("\\u{first:04x}").as_bytes());
                1
            }
            _ => {
                self.is_quoted = first != b'"';
                self.out.push(first);
                1
            }
        }
    }
}

/// Reads the UTF-16 unit of `\uXXXX`.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(text.strip_prefix(br"\u")?.get(..4)?).ok()?;
    u16::from_str_radix(digits, 16).ok()
}
