//! JSON as the texts that it is made of.
//!
//! The node never builds a tree of values: it takes a document apart into the texts of its members, looks at what it
//! must, and passes the rest on as it came. So digits, the order of keys, unknown fields and keys that mean something to
//! a JSON library (`$serde_json::private::Number`) arrive unchanged, and an answer of a megabyte is not built twice.
//!
//! [`document`] and [`read`] are the only ways in. What is JSON is found out in the one pass that takes it apart; a text that
//! this finds fault with is `serde_json`'s to refuse, in its words. Its typed readers would bring in their errors and with them
//! the formatting of floats, 40 KB of component, and its raw values a second pass.

mod scan;

use std::borrow::Cow;

use scan::{Scan, is_blank};
use serde_json::value::RawValue;

/// Deeper documents are refused: most JSON readers after us would refuse, or overflow their stack.
pub const MAX_DEPTH: usize = 128;

/// Most objects have no more members: room for them at once is cheaper than to grow.
const FEW: usize = 8;
/// Bytes of most bodies, and as much as the allocator still has a list of its own for.
const ROOM: usize = 240;

/// What a JSON text is, seen from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Null,
    Boolean,
    Number,
    Text,
    Array,
    Object,
}

/// The members of an object, in their order: name and JSON text.
#[derive(Debug)]
pub struct Object<'a>(pub Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Object<'a> {
    /// The text of a member; the last of several with the same name, as JavaScript reads it.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, raw)| *raw)
    }
}

/// What a JSON text is; `text` must be one, without blanks in front.
pub fn kind(text: &str) -> Kind {
    match text.as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::Text,
        Some(b't' | b'f') => Kind::Boolean,
        Some(b'n') => Kind::Null,
        _ => Kind::Number,
    }
}

/// A document, taken apart on one level.
pub struct Read<'a> {
    /// Its text, without the blanks around it.
    pub text: &'a str,
    /// Where it is an object.
    pub members: Option<Object<'a>>,
    /// Whether a string in it may have an escape.
    pub has_escapes: bool,
}

/// Check that `text` is one JSON document of bearable depth, and give it without the blanks around it.
pub fn document(text: &str) -> Result<&str, String> {
    let mut cursor = Cursor::new(text);
    cursor
        .value(MAX_DEPTH)
        .filter(|_| cursor.is_at_the_end())
        .map_or_else(|| refused(text), Ok)
}

/// [`document`] and, where it is an object, [`object`], in one go.
pub fn read(text: &str) -> Result<Read<'_>, String> {
    let mut cursor = Cursor::new(text);
    cursor.skip_blanks();
    let begin = cursor.at;
    if let Some(members) = cursor.members()
        && let Some(document) = text.get(begin..cursor.at)
        && cursor.is_at_the_end()
    {
        return Ok(Read {
            text: document,
            members: Some(members),
            has_escapes: cursor.scan.has_escapes,
        });
    }
    document(text).map(|text| Read {
        text,
        members: None,
        has_escapes: true,
    })
}

/// `serde_json` has the last word, and the words, on what is none.
fn refused(text: &str) -> Result<&str, String> {
    if is_too_deep(text) {
        return Err(format!("nested deeper than {MAX_DEPTH} levels"));
    }
    serde_json::from_str::<&RawValue>(text)
        .map(RawValue::get)
        .map_err(|error| error.to_string())
}

/// The members of an object. Nothing, where `text`, which must be JSON, is of another kind.
pub fn object(text: &str) -> Option<Object<'_>> {
    let mut cursor = Cursor::new(text);
    cursor.members().filter(|_| cursor.is_at_the_end())
}

/// The elements of an array. Nothing, where `text`, which must be JSON, is of another kind.
pub fn elements(text: &str) -> Option<Vec<&str>> {
    let mut elements = Vec::new();
    let mut cursor = Cursor::new(text);
    cursor.pass(b'[')?;
    if cursor.pass(b']').is_none() {
        loop {
            elements.push(cursor.value(MAX_DEPTH - 1)?);
            if cursor.pass(b',').is_none() {
                cursor.pass(b']')?;
                break;
            }
        }
    }
    cursor.is_at_the_end().then_some(elements)
}

/// The content of a JSON string. Nothing, where `text`, which must be JSON, is of another kind or holds half a surrogate
/// pair.
pub fn string(text: &str) -> Option<Cow<'_, str>> {
    let mut rest = text.strip_prefix('"')?.strip_suffix('"')?;
    if scan::is_plain(rest.as_bytes()) {
        return Some(Cow::Borrowed(rest));
    }
    let mut content = String::with_capacity(rest.len());
    while let Some((plain, escape)) = rest.split_once('\\') {
        content.push_str(plain);
        let mut escape = escape.chars();
        match escape.next()? {
            'u' => {
                let (unit, after) = code_unit(escape.as_str())?;
                rest = after;
                // The second half of a pair stands in an escape of its own.
                let low = rest.strip_prefix("\\u").and_then(code_unit);
                let pair = low.filter(|_| matches!(unit, 0xD800..=0xDBFF));
                content.push(
                    char::decode_utf16([unit].into_iter().chain(pair.map(|(low, _)| low)))
                        .next()?
                        .ok()?,
                );
                rest = pair.map_or(rest, |(_, after)| after);
                continue;
            }
            'b' => content.push('\u{8}'),
            'f' => content.push('\u{c}'),
            'n' => content.push('\n'),
            'r' => content.push('\r'),
            't' => content.push('\t'),
            itself => content.push(itself),
        }
        rest = escape.as_str();
    }
    content.push_str(rest);
    Some(Cow::Owned(content))
}

/// The document with every half of a surrogate pair replaced by U+FFFD. A service that cuts a name in the middle of an emoji
/// writes such halves; they are no Unicode, and many readers refuse the whole document for one of them.
pub fn mended(text: &str) -> Cow<'_, str> {
    let mut mended = String::new();
    let mut copied = text;
    let mut rest = text;
    while let Some((_, escape)) = rest.split_once('\\') {
        rest = escape.get(1..).unwrap_or_default();
        let Some((unit @ 0xD800..=0xDFFF, after)) = escape.strip_prefix('u').and_then(code_unit) else {
            continue;
        };
        rest = after;
        let low = after
            .strip_prefix("\\u")
            .and_then(code_unit)
            .filter(|(low, _)| matches!(low, 0xDC00..=0xDFFF));
        if let Some((_, after)) = low.filter(|_| unit < 0xDC00) {
            rest = after;
            continue;
        }
        let end = copied.len().saturating_sub(after.len() + "\\uXXXX".len());
        mended.push_str(copied.get(..end).unwrap_or_default());
        mended.push_str("\\ufffd");
        copied = after;
    }
    if mended.is_empty() {
        return Cow::Borrowed(text);
    }
    mended.push_str(copied);
    Cow::Owned(mended)
}

fn code_unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

/// A text as JSON, quotes included.
pub fn quote(text: &str) -> String {
    // A text always has a JSON form, so that there is no error to speak of.
    serde_json::to_string(text).unwrap_or_default()
}

/// [`quote`] onto the end of `json`.
pub fn push_quoted(json: &mut String, text: &str) {
    if scan::is_plain(text.as_bytes()) {
        json.reserve(text.len() + 2);
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else {
        json.push_str(&quote(text));
    }
}

/// The text of an object while its members are put together.
pub struct Members(String);

impl Members {
    pub fn new() -> Self {
        let mut object = String::with_capacity(ROOM);
        object.push('{');
        Self(object)
    }

    /// One member more, by a name that needs no escapes. Its value, as JSON, goes onto the end of what is given.
    pub fn push(&mut self, name: &'static str) -> &mut String {
        debug_assert!(scan::is_plain(name.as_bytes()), "{name}");
        self.0.push_str(if self.is_empty() { "\"" } else { ",\"" });
        self.0.push_str(name);
        self.0.push_str("\":");
        &mut self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.len() == 1
    }

    pub fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// A JSON text without the blanks between its tokens.
pub fn compact(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(is_blank) {
        return Cow::Borrowed(text);
    }
    let mut place = Place::Between;
    Cow::Owned(
        text.chars()
            .filter(|&c| {
                place = place.after(c);
                place != Place::Between || !c.is_ascii_whitespace()
            })
            .collect(),
    )
}

fn is_too_deep(text: &str) -> bool {
    // What is opened must be closed, so that a short document cannot be deep.
    if text.len() <= 2 * MAX_DEPTH {
        return false;
    }
    let is_opening = |byte: &u8| matches!(byte, b'{' | b'[');
    // Few documents have so many brackets at all, and counting them is quick.
    if text.bytes().filter(is_opening).count() <= MAX_DEPTH {
        return false;
    }
    let mut depth = 0_usize;
    let mut place = Place::Between;
    text.chars().any(|c| {
        place = place.after(c);
        match c {
            '{' | '[' if place == Place::Between => depth += 1,
            '}' | ']' if place == Place::Between => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_DEPTH
    })
}

/// Where in a document a character stands: the little that must be known to tell structure from strings.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Between,
    InString,
    AfterBackslash,
}

impl Place {
    const fn after(self, c: char) -> Self {
        match (self, c) {
            (Self::Between, '"') | (Self::AfterBackslash, _) => Self::InString,
            (Self::InString, '\\') => Self::AfterBackslash,
            (Self::InString, '"') => Self::Between,
            (place, _) => place,
        }
    }
}

/// A place in JSON text, which moves from one value to the next.
struct Cursor<'a> {
    text: &'a str,
    scan: Scan<'a>,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            scan: Scan::new(text.as_bytes()),
            at: 0,
        }
    }

    /// Whether only blanks follow.
    fn is_at_the_end(&mut self) -> bool {
        self.skip_blanks();
        self.at == self.text.len()
    }

    #[inline]
    fn skip_blanks(&mut self) {
        self.at = self.scan.blanks(self.at);
    }

    /// Past this byte, if it is the next one that is no blank.
    #[inline]
    fn pass(&mut self, byte: u8) -> Option<()> {
        self.skip_blanks();
        let is_next = self.scan.byte(self.at) == Some(byte);
        is_next.then(|| self.at += 1)
    }

    /// Past an object, whose names and values this reads.
    fn members(&mut self) -> Option<Object<'a>> {
        let mut members = Vec::with_capacity(FEW);
        self.pass(b'{')?;
        if self.pass(b'}').is_some() {
            return Some(Object(members));
        }
        loop {
            let name = self.name()?;
            self.pass(b':')?;
            members.push((name, self.value(MAX_DEPTH - 1)?));
            if self.pass(b',').is_none() {
                self.pass(b'}')?;
                return Some(Object(members));
            }
        }
    }

    /// Past a member's name.
    #[inline]
    fn name(&mut self) -> Option<Cow<'a, str>> {
        self.skip_blanks();
        let begin = self.at;
        if self.scan.byte(begin) != Some(b'"') {
            return None;
        }
        let had_escapes = std::mem::take(&mut self.scan.has_escapes);
        self.at = self.scan.string(begin)?;
        let name = self.text.get(begin..self.at)?;
        if self.scan.has_escapes {
            // A name that is no text can still be told from every other.
            return Some(string(name).unwrap_or(Cow::Borrowed(name)));
        }
        self.scan.has_escapes = had_escapes;
        self.text.get(begin + 1..self.at - 1).map(Cow::Borrowed)
    }

    /// Past the next value, of at most so many levels.
    #[inline]
    fn value(&mut self, levels: usize) -> Option<&'a str> {
        self.skip_blanks();
        let begin = self.at;
        self.at = self.scan.value(begin, levels)?;
        self.text.get(begin..self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_texts_order_and_magic_keys() {
        let text = r#"{"b": 1.50, "$serde_json::private::Number": "x", "a": {"$serde_json::private::RawValue":"[1]"}, "b":2}"#;
        let object = object(text).unwrap();
        let names: Vec<_> = object.0.iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(names, ["b", "$serde_json::private::Number", "a", "b"]);
        assert_eq!(object.get("b"), Some("2"));
        assert_eq!(
            object.get("a"),
            Some(r#"{"$serde_json::private::RawValue":"[1]"}"#)
        );
        assert_eq!(object.get("c"), None);
    }

    #[test]
    fn depth_is_counted_outside_strings_only() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(document(&nested(MAX_DEPTH)).is_ok());
        assert!(document(&nested(MAX_DEPTH + 1)).unwrap_err().contains("128"));
        assert!(document(&nested(1_000_000)).unwrap_err().contains("128"));
        assert!(document(&quote(&"[\"\\".repeat(500))).is_ok());
    }

    #[test]
    fn compact_leaves_strings_alone() {
        assert_eq!(compact("{ \"a b\\\" \" :\n[ 1 , 2 ] }"), "{\"a b\\\" \":[1,2]}");
        assert_eq!(compact("{\"a\":1}"), "{\"a\":1}");
    }

    #[test]
    fn strings_are_read_with_every_escape() {
        for (text, content) in [
            (r#""""#, Some("")),
            (r#""a\"\\\/\b\f\n\r\t""#, Some("a\"\\/\u{8}\u{c}\n\r\t")),
            (r#""\u4f1a\uD83D\ude00x""#, Some("会😀x")),
            (r#""\ud83d""#, None),
            (r#""\ud83d\u0041""#, None),
            (r#""\ude00\ud83d""#, None),
            ("12", None),
            ("{}", None),
        ] {
            assert_eq!(string(text).as_deref(), content, "{text}");
        }
    }

    #[test]
    fn halves_of_pairs_are_mended_and_all_else_is_left() {
        for (text, expected) in [
            (r#"{"a":"\ud83d"}"#, r#"{"a":"\ufffd"}"#),
            (
                r#"{"a":"x\uD83Dy\uDE00","b":"\ude00\ud83d\ude00\ud83d"}"#,
                r#"{"a":"x\ufffdy\ufffd","b":"\ufffd\ud83d\ude00\ufffd"}"#,
            ),
            (r#"["\ud83d\ud83d\ude00"]"#, r#"["\ufffd\ud83d\ude00"]"#),
            (
                r#"["会\\ud83d","\u4f1a","\"","\ud83d\u0041"]"#,
                r#"["会\\ud83d","\u4f1a","\"","\ufffd\u0041"]"#,
            ),
        ] {
            assert_eq!(mended(text), expected);
        }
        for text in ["{}", r#"["\\ud83d","\ud83d\ude00","\n"]"#] {
            assert!(matches!(mended(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for text in [
            "",
            "{",
            "[1,]",
            "{'a':1}",
            "1 2",
            "nul",
            "\u{feff}{}",
            "{\"a\":01}",
        ] {
            assert!(document(text).is_err(), "{text:?}");
        }
        assert_eq!(document(" {} \n"), Ok("{}"));
    }
}
