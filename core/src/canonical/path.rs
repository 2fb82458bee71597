//! The canonical form of a path, and the test whether one path is below another.

use std::borrow::Cow;
use std::fmt;

use super::{UrlError, push_escape};

/// A path prefix: the `path` of an allow entry, or the path of a credential's base URL.
///
/// It matches whole segments: `/openapi` and `/openapi/x` are below `/openapi`, `/openapi-prod` is not. A trailing
/// slash has no meaning. An empty prefix, or `/`, is no rule: every path is below it.
///
/// A path is below the prefix if it is so in **two readings**. The first is the canonical path, which is sent. The
/// second is what the most liberal server could make of it. Such a server decodes percent signs until none is left,
/// reads `\` as `/`, drops everything from a `;` on, drops control characters and spaces around a segment, reads
/// overlong UTF-8 and full-width forms as the ASCII that they stand for, drops empty and `.` segments, and resolves
/// `..`. An encoded slash can therefore be data, but it can neither make the prefix match nor leave the prefix:
///
/// | prefix | path | below | because |
/// | --- | --- | --- | --- |
/// | `/api` | `/api`, `/api/`, `/api/x` | yes | |
/// | `/api` | `/apiX`, `/`, `/API/x` | no | another segment |
/// | `/api` | `/api/a%2Fb` | yes | data, one segment |
/// | `/api` | `/api%2Fx`, `/x/..%2Fapi` | no | another segment in the canonical reading |
/// | `/api` | `/api/..%2Fx`, `/api/..%5Cx`, `/api/%252e%252e%252fx` | no | `/x` in the liberal reading |
/// | `/api` | `/api/..%C0%AFx`, `/api/%EF%BC%8E.%EF%BC%8Fx`, `/api/..%20/x` | no | `/x` in the liberal reading |
/// | `/api` | `/api/v1/..%2Fx` | yes | `/api/x` in the liberal reading, which is still below |
/// | `/api` | `/api/x;y` | no | some servers read `;` as the start of a parameter; as data, write `%3B` |
///
/// ```
/// use nodule_core::canonical::PathPrefix;
///
/// let prefix = PathPrefix::parse("/openapi-prod/")?;
/// assert!(prefix.check("/openapi-prod/v1/a%2Fb").is_ok());
/// assert!(prefix.check("/openapi-prodX").is_err());
/// # Ok::<(), nodule_core::canonical::UrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct PathPrefix(String);

/// Why a path is not below a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PathMismatch {
    /// The canonical path is not below the prefix.
    Elsewhere,
    /// The canonical path is below the prefix, but a server that decodes more than it should reads a path outside it.
    Escapes,
    /// The path contains a `;`, which servers interpret differently.
    Semicolon,
}

impl PathPrefix {
    /// Reads a prefix.
    ///
    /// # Errors
    ///
    /// The text is not a path, or [`check`](Self::check) could not match it unambiguously: it has a query, an encoded
    /// slash or backslash, or a `;`.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let found = |found| Err(UrlError::Character { part: "path", found });
        if text.contains('?') {
            return found('?');
        }
        let path = canonical(text)?;
        if path.contains(';') {
            return found(';');
        }
        for (escape, character) in [("%2F", '/'), ("%5C", '\\'), ("%25", '%'), ("%3B", ';')] {
            if path.contains(escape) {
                return Err(UrlError::EncodedSeparator { found: character });
            }
        }
        Ok(Self(path.trim_end_matches('/').to_owned()))
    }

    /// The prefix without a trailing slash; empty if it matches every path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether every path is below it.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks that a canonical path is below this prefix.
    ///
    /// # Errors
    ///
    /// The reason why it is not.
    pub fn check(&self, path: &str) -> Result<(), PathMismatch> {
        if self.is_root() {
            return Ok(());
        }
        let below = path
            .strip_prefix(self.0.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if !below {
            return Err(PathMismatch::Elsewhere);
        }
        if path.contains(';') {
            return Err(PathMismatch::Semicolon);
        }
        // Without these characters both readings of a canonical path are the same.
        if !path.contains(['%', '\\']) {
            return Ok(());
        }
        match (liberal(path), liberal(&self.0)) {
            (Some(path), Some(prefix)) if path.starts_with(&prefix) => Ok(()),
            _ => Err(PathMismatch::Escapes),
        }
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The canonical form of a path. Most paths already have it.
pub(super) fn canonical(path: &str) -> Result<Cow<'_, str>, UrlError> {
    if path.is_empty() {
        return Ok(Cow::Borrowed("/"));
    }
    if path.starts_with('#') {
        return Err(UrlError::Fragment);
    }
    if !path.starts_with('/') {
        return Err(UrlError::Relative);
    }
    let is_plain = path.chars().all(may_stand_in_a_path);
    let out = if is_plain {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(decoded_once(path)?)
    };
    // Every refused segment is empty or begins with a dot.
    let is_suspect = |pair: &[u8]| matches!(pair, [b'/', b'/' | b'.']);
    if !out.as_bytes().windows(2).any(is_suspect) {
        return Ok(out);
    }
    if out.contains("//") {
        return Err(UrlError::EmptySegment);
    }
    for segment in out.split('/') {
        // Servlet containers drop a segment's parameters before they resolve dots.
        let bare = segment.split(';').next().unwrap_or(segment);
        if matches!(bare, "." | "..") {
            return Err(UrlError::DotSegment {
                found: segment.to_owned(),
            });
        }
    }
    Ok(out)
}

/// The path with every escape in its canonical form. Refuses characters that have to be escaped.
fn decoded_once(path: &str) -> Result<String, UrlError> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path.chars();
    while let Some(character) = rest.next() {
        match character {
            '%' => {
                let byte = escaped_byte(rest.next(), rest.next()).ok_or(UrlError::Escape)?;
                if is_unreserved(char::from(byte)) {
                    out.push(char::from(byte));
                } else {
                    push_escape(&mut out, byte);
                }
            }
            '#' => return Err(UrlError::Fragment),
            found if may_stand_in_a_path(found) => out.push(found),
            found => return Err(UrlError::Character { part: "path", found }),
        }
    }
    Ok(out)
}

/// RFC 3986, section 2.3: these characters mean the same encoded and unencoded.
fn is_unreserved(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_' | '~')
}

/// RFC 3986, section 3.3.
fn may_stand_in_a_path(character: char) -> bool {
    is_unreserved(character)
        || matches!(
            character,
            '/' | '!' | '$' | '&' | '\'' | '(' | ')' | '*' | '+' | ',' | ';' | '=' | ':' | '@'
        )
}

fn escaped_byte(high: Option<char>, low: Option<char>) -> Option<u8> {
    let digit = |character: Option<char>| character?.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(high)? << 4) | digit(low)?)
}

/// More rounds of decoding than any chain of servers performs.
const ROUNDS: usize = 8;

/// The segments that the most liberal server could read; see [`PathPrefix`]. `None` if decoding does not finish in
/// [`ROUNDS`].
fn liberal(path: &str) -> Option<Vec<Vec<u8>>> {
    let mut text = path.as_bytes().to_vec();
    let mut rounds = 0;
    loop {
        let next = simplified(&decoded(&text));
        if next == text {
            break;
        }
        text = next;
        rounds += 1;
        if rounds > ROUNDS {
            return None;
        }
    }
    let mut segments: Vec<Vec<u8>> = Vec::new();
    for segment in text.split(|byte| matches!(byte, b'/' | b'\\')) {
        let bare = segment.split(|byte| *byte == b';').next().unwrap_or(segment);
        match bare.trim_ascii() {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            bare => segments.push(bare.to_owned()),
        }
    }
    Some(segments)
}

/// Drops control characters, and replaces what some decoders read as ASCII with that ASCII: overlong UTF-8, and the
/// characters that Unicode normalisation (NFKC) and the best-fit mappings of old code pages replace.
fn simplified(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        match (*first, after) {
            (0xc0 | 0xc1, [second @ 0x80..=0xbf, more @ ..]) => {
                out.push((first & 1) << 6 | (second & 0x3f));
                rest = more;
            }
            (0xe0, [second @ (0x80 | 0x81), third @ 0x80..=0xbf, more @ ..])
            | (0xf0, [0x80, second @ (0x80 | 0x81), third @ 0x80..=0xbf, more @ ..]) => {
                out.push((second & 1) << 6 | (third & 0x3f));
                rest = more;
            }
            // U+FF01 to U+FF5E: the full-width forms of `!` to `~`.
            (0xef, [0xbc, third @ 0x81..=0xbf, more @ ..]) => {
                out.push(third - 0x81 + b'!');
                rest = more;
            }
            (0xef, [0xbd, third @ 0x80..=0x9e, more @ ..]) => {
                out.push(third - 0x80 + b'`');
                rest = more;
            }
            // U+2024 and U+2025: one dot, two dots.
            (0xe2, [0x80, 0xa4, more @ ..]) => {
                out.push(b'.');
                rest = more;
            }
            (0xe2, [0x80, 0xa5, more @ ..]) => {
                out.extend(b"..");
                rest = more;
            }
            // U+2044, U+2215 and U+2216: other slashes.
            (0xe2, [0x81, 0x84, more @ ..] | [0x88, 0x95 | 0x96, more @ ..]) => {
                out.push(b'/');
                rest = more;
            }
            (control, _) if control.is_ascii_control() => {}
            (other, _) => out.push(other),
        }
    }
    out
}

/// Decodes percent signs until no escape is left, in one pass: each decoded byte may complete another escape before it.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(path.len());
    for byte in path {
        out.push(*byte);
        while let [.., b'%', high, low] = out.as_slice()
            && let Some(byte) = escaped_byte(Some(char::from(*high)), Some(char::from(*low)))
        {
            out.truncate(out.len() - 3);
            out.push(byte);
        }
    }
    out
}
