//! JSON as the texts that it is made of.
//!
//! The node never builds a tree of values: it takes a document apart into the texts of its members, looks at what it
//! must, and passes the rest on as it came. So digits, the order of keys, unknown fields and keys that mean something to
//! a JSON library (`$serde_json::private::Number`) arrive unchanged, and an answer of a megabyte is not built twice.
//!
//! [`document`] and [`read`] are the only ways in. What is JSON is found out in the one pass that takes it apart; a test compares it
//! with `serde_json`. `serde_json` itself would be a second pass, and 10 KB of component for the words of its errors; its typed
//! readers would bring in the formatting of floats as well, 40 KB.

mod scan;

use std::borrow::Cow;
use std::cmp::Ordering;

use scan::{Scan, is_blank};

/// Deeper documents are refused: most JSON readers after us would refuse, or overflow their stack.
pub const MAX_DEPTH: usize = 128;

/// Most objects have no more members: room for them at once is cheaper than to grow.
const FEW: usize = 8;
/// Bytes of most bodies, and as much as the allocator still has a list of its own for.
const ROOM: usize = 240;

/// What a JSON text is, seen from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number.
    Number,
    /// A string.
    Text,
    /// A list.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// Whether it is a text, a number or a boolean.
    pub fn is_scalar(self) -> bool {
        matches!(self, Self::Text | Self::Number | Self::Boolean)
    }
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
    /// Where its parts end, as places of the text that was read.
    pub(crate) spans: Spans,
}

impl<'a> Read<'a> {
    /// The value at a JSON pointer.
    pub fn at(&self, pointer: &str) -> Option<&'a str> {
        match &self.members {
            Some(members) => members.at(pointer, Part::of),
            None => at(self.text, pointer),
        }
    }
}

impl<'a> Object<'a> {
    /// The value at a JSON pointer that leads to a member, or into one.
    fn at(&self, pointer: &str, part: impl FnOnce(&'a str) -> Part<'a>) -> Option<&'a str> {
        let (name, rest) = first_step(pointer)?;
        let mut members = self.0.iter().rev();
        let (_, value) = members.find(|(key, _)| is_step(name, key))?;
        part(value).at(rest)
    }
}

/// Where objects and lists of a text begin and end, in the order in which they begin.
#[derive(Default)]
pub(crate) struct Spans(Vec<(usize, usize)>);

impl Spans {
    const NONE: &Self = &Self(Vec::new());
}

/// A document, or a part of it. What its document was read for once is not read again.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// Its JSON.
    pub text: &'a str,
    /// Where it stands in the text that the spans are of.
    offset: usize,
    spans: &'a Spans,
}

impl<'a> Part<'a> {
    /// A part that nothing is known of; `text` must be JSON.
    pub fn of(text: &'a str) -> Self {
        Self::read(text, Spans::NONE)
    }

    /// The text that was read.
    pub(crate) fn read(text: &'a str, spans: &'a Spans) -> Self {
        let offset = 0;
        Self { text, offset, spans }
    }

    /// A text that stands in this one.
    #[must_use]
    pub fn part(self, text: &'a str) -> Self {
        Self {
            text,
            offset: self.offset.wrapping_add(self.place_of(text)),
            ..self
        }
    }

    /// Where a text stands that stands in this one.
    pub(crate) fn place_of(self, text: &str) -> usize {
        text.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr())
    }

    /// The value at a JSON pointer (RFC 6901).
    pub fn at(self, pointer: &str) -> Option<&'a str> {
        let Some((name, rest)) = first_step(pointer) else {
            return Some(self.text);
        };
        if kind(self.text) == Kind::Object {
            return self.object()?.at(pointer, |value| self.part(value));
        }
        let index: usize = name.parse().ok()?;
        let element = self.elements()?.get(index).copied()?;
        self.part(element).at(rest)
    }

    /// The members of an object. Nothing, where it is of another kind.
    pub fn object(self) -> Option<Object<'a>> {
        let mut cursor = Cursor::new(self);
        cursor.members().filter(|_| cursor.is_at_the_end())
    }

    /// The elements of a list. Nothing, where it is of another kind.
    pub fn elements(self) -> Option<Vec<&'a str>> {
        let mut elements = Vec::new();
        let mut cursor = Cursor::new(self);
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
}

/// The value at a JSON pointer (RFC 6901) in `text`, which must be JSON.
pub fn at<'a>(text: &'a str, pointer: &str) -> Option<&'a str> {
    Part::of(text).at(pointer)
}

/// The first name of a pointer without the slash before it, and the pointer behind it.
fn first_step(pointer: &str) -> Option<(&str, &str)> {
    let rest = pointer.strip_prefix('/')?;
    let end = rest.bytes().position(|byte| byte == b'/').unwrap_or(rest.len());
    rest.split_at_checked(end)
}

/// Whether a name in a pointer, where `~1` stands for a slash and `~0` for a tilde, is that of a member.
fn is_step(name: &str, key: &str) -> bool {
    let mut given = name.chars();
    let unescaped = std::iter::from_fn(|| {
        let next = given.next()?;
        Some(match next {
            '~' if given.next() == Some('1') => '/',
            next => next,
        })
    });
    name == key || unescaped.eq(key.chars())
}

/// Check that `text` is one JSON document of bearable depth, and give it without the blanks around it.
pub fn document(text: &str) -> Result<&str, String> {
    whole(text).map(|(document, _)| document)
}

/// [`document`], and where its parts end.
fn whole(text: &str) -> Result<(&str, Spans), String> {
    let mut cursor = Cursor::new(Part::of(text));
    match cursor.value(MAX_DEPTH).filter(|_| cursor.is_at_the_end()) {
        Some(document) => Ok((document, Spans(cursor.scan.spans))),
        None => Err(refused(text)),
    }
}

/// [`document`] and, where it is an object, [`object`], in one go.
pub fn read(text: &str) -> Result<Read<'_>, String> {
    let mut cursor = Cursor::new(Part::of(text));
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
            spans: Spans(cursor.scan.spans),
        });
    }
    whole(text).map(|(text, spans)| Read {
        text,
        members: None,
        has_escapes: true,
        spans,
    })
}

/// Why a text is no document.
fn refused(text: &str) -> String {
    if is_too_deep(text) {
        return format!("nested deeper than {MAX_DEPTH} levels");
    }
    let mut cursor = Cursor::new(Part::of(text));
    let at = match cursor.value(MAX_DEPTH) {
        Some(_) => {
            cursor.skip_blanks();
            cursor.at
        }
        None => cursor.scan.failed_at.unwrap_or(text.len()),
    };
    let (before, after) = text.as_bytes().split_at_checked(at).unwrap_or_default();
    let line = before.split(|byte| *byte == b'\n').count();
    let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
    let what = match after {
        [] => "end",
        [0..b' ', ..] => "control character",
        _ => "text",
    };
    format!("unexpected {what} at line {line} column {column}")
}

/// The members of an object. Nothing, where `text`, which must be JSON, is of another kind.
pub fn object(text: &str) -> Option<Object<'_>> {
    Part::of(text).object()
}

/// The elements of an array. Nothing, where `text`, which must be JSON, is of another kind.
pub fn elements(text: &str) -> Option<Vec<&str>> {
    Part::of(text).elements()
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

/// The content of a JSON string; any other JSON, as it is.
pub fn plain(text: &str) -> Cow<'_, str> {
    string(text).unwrap_or(Cow::Borrowed(text))
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
    let mut json = String::new();
    push_quoted(&mut json, text);
    json
}

/// [`quote`] onto the end of `json`.
pub fn push_quoted(json: &mut String, text: &str) {
    json.reserve(text.len() + 2);
    json.push('"');
    if scan::is_plain(text.as_bytes()) {
        json.push_str(text);
    } else {
        push_escaped(json, text);
    }
    json.push('"');
}

fn push_escaped(json: &mut String, text: &str) {
    for c in text.chars() {
        let escaped = match c {
            '"' | '\\' => c,
            '\u{8}' => 'b',
            '\u{c}' => 'f',
            '\n' => 'n',
            '\r' => 'r',
            '\t' => 't',
            '\0'..=' ' if c != ' ' => {
                let code = c as u32;
                json.push_str(if code < 16 { "\\u000" } else { "\\u001" });
                json.push(char::from_digit(code % 16, 16).unwrap_or('0'));
                continue;
            }
            _ => {
                json.push(c);
                continue;
            }
        };
        json.push('\\');
        json.push(escaped);
    }
}

/// An object without its members of that name; what is none, as it is.
///
/// ```
/// assert_eq!(nodule_sdk::json::without(r#"{"a":1,"children":[2],"b":"3"}"#, "children"), r#"{"a":1,"b":"3"}"#);
/// ```
pub fn without(text: &str, name: &str) -> String {
    let Some(members) = object(text) else {
        return text.to_owned();
    };
    let mut rest = String::with_capacity(text.len());
    for (key, value) in members.0.iter().filter(|(key, _)| key != name) {
        rest.push(if rest.is_empty() { '{' } else { ',' });
        push_quoted(&mut rest, key);
        rest.push(':');
        rest.push_str(value);
    }
    rest.push_str(if rest.is_empty() { "{}" } else { "}" });
    rest
}

/// The text of an object while its members are put together.
pub struct Members(String);

impl Default for Members {
    fn default() -> Self {
        Self::new()
    }
}

impl Members {
    /// An object without members.
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

    /// Whether it has no member.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 1
    }

    /// Its text.
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
    part: Part<'a>,
    /// Those that are not passed yet.
    spans: &'a [(usize, usize)],
    scan: Scan<'a>,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(part: Part<'a>) -> Self {
        Self {
            part,
            spans: &part.spans.0,
            scan: Scan::new(part.text.as_bytes()),
            at: 0,
        }
    }

    /// Whether only blanks follow.
    fn is_at_the_end(&mut self) -> bool {
        self.skip_blanks();
        self.at == self.part.text.len()
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
        let name = self.part.text.get(begin..self.at)?;
        if self.scan.has_escapes {
            // A name that is no text can still be told from every other.
            return Some(plain(name));
        }
        self.scan.has_escapes = had_escapes;
        self.part.text.get(begin + 1..self.at - 1).map(Cow::Borrowed)
    }

    /// Past the next value, of at most so many levels.
    #[inline]
    fn value(&mut self, levels: usize) -> Option<&'a str> {
        self.skip_blanks();
        let begin = self.at;
        self.at = match self.known_end(begin) {
            Some(end) => end,
            None => self.scan.value(begin, levels)?,
        };
        self.part.text.get(begin..self.at)
    }

    /// The end of what begins here, where that is known.
    #[inline]
    fn known_end(&mut self, begin: usize) -> Option<usize> {
        let offset = self.part.offset;
        while let [(known, end), rest @ ..] = self.spans {
            let is_it = match offset.wrapping_add(begin).cmp(known) {
                Ordering::Less => return None,
                Ordering::Equal => true,
                Ordering::Greater => false,
            };
            self.spans = rest;
            if is_it {
                return Some(end.wrapping_sub(offset));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
