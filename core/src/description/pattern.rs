//! Regular expressions of a description: I-Regexp (RFC 9485), which every engine understands alike.
//!
//! An I-Regexp matches a text as a whole. Read here into its parts and written again for each engine, it means the same
//! in Rust and in JavaScript; a text handed over as it is would not: `&&` in a class means an intersection in Rust, and
//! `\-` outside a class is an error in JavaScript.
//!
//! | part | form |
//! | --- | --- |
//! | a character | itself; `\` before `( ) * + - . ? [ \ ] ^ { \| }`; `\n`, `\r`, `\t` |
//! | any character but line ends | `.` |
//! | a class | `[a-z0-9_-]`, `[^/?#]` |
//! | a general category of Unicode | `\p{Lu}`, `\P{L}` |
//! | repeated | `*`, `+`, `?`, `{2}`, `{2,}`, `{2,8}` |
//! | one of several, a group | `a\|b`, `(…)` |
//!
//! Refused, although the RFC has it: `^` and `$` outside classes. There they stand for themselves, but nearly everybody
//! means an anchor; `\^` and `[$]` are clear. Everything else that engines disagree on (look-around, back references,
//! `\d`, `(?:…)`, lazy repetition) is not in the language.
//!
//! Matching takes time in proportion to the text. [`MAX_PATTERN_COST`] bounds the memory that it takes.

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use thiserror::Error;

use super::bounds::{MAX_PATTERN_CHARS, MAX_PATTERN_COST, MAX_PATTERN_DEPTH};
use super::text::{is_deceptive, quoted};

mod class;

/// A regular expression of a description; see the module for its language.
///
/// ```
/// use nodule_core::description::Pattern;
///
/// let page = Pattern::parse(r"https://github\.com/[^/]+/([^/?#]+)[/?#]?.*")?;
/// assert_eq!(page.first_group("https://github.com/rust-lang/cargo/issues"), Some("cargo"));
/// assert_eq!(page.first_group("https://evil.example/https://github.com/a/b"), None);
/// assert!(Pattern::parse("[0-9]{8}")?.matches_whole("20250131"));
/// # Ok::<(), nodule_core::description::PatternError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    rust: String,
    javascript: String,
    groups: usize,
    repeats_a_group: bool,
    /// Compiled when it is first used: a form may have thousands of patterns, and most of them are never used.
    compiled: OnceLock<Option<Regex>>,
}

/// A text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}, in {}", quoted(.text))]
pub struct PatternError {
    message: String,
    text: String,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// The text is no I-Regexp, has `^` or `$` outside a class, or is too large.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Self::read(text).map_err(|message| PatternError {
            message,
            text: text.to_owned(),
        })
    }

    fn read(text: &str) -> Result<Self, String> {
        let count = text.chars().count();
        if count > MAX_PATTERN_CHARS {
            return Err(format!(
                "expected at most {MAX_PATTERN_CHARS} characters, found {count}"
            ));
        }
        if text.is_empty() {
            return Err("expected a regular expression, found none".to_owned());
        }
        if let Some(found) = text.chars().find(|character| is_deceptive(*character)) {
            return Err(format!("the character U+{:04X} is not allowed", u32::from(found)));
        }
        let mut reader = Reader::new(text);
        let cost = reader.alternatives(0)?;
        if reader.rest.peek().is_some() {
            return Err("expected a `(` for each `)`".to_owned());
        }
        if cost > MAX_PATTERN_COST {
            return Err(format!(
                "expected a pattern of at most {MAX_PATTERN_COST} parts, counting each repetition, found {cost}"
            ));
        }
        Ok(Self {
            text: text.to_owned(),
            rust: reader.out.rust,
            javascript: reader.out.javascript,
            groups: reader.groups,
            repeats_a_group: reader.repeats_a_group,
            compiled: OnceLock::new(),
        })
    }

    /// Whether the pattern matches the whole text.
    #[must_use]
    pub fn matches_whole(&self, text: &str) -> bool {
        self.compiled().is_some_and(|regex| regex.is_match(text))
    }

    /// The text of the first group, if the pattern matches the whole text and the group is not empty.
    #[must_use]
    pub fn first_group<'t>(&self, text: &'t str) -> Option<&'t str> {
        let group = self.compiled()?.captures(text)?.get(1)?.as_str();
        (!group.is_empty()).then_some(group)
    }

    /// Whether it can take an ID out of a URL: it has exactly one group, which is not repeated. Engines disagree on which
    /// repetition a group keeps.
    #[must_use]
    pub fn is_id_in_url(&self) -> bool {
        self.groups == 1 && !self.repeats_a_group
    }

    /// The same pattern for JavaScript, anchored: `new RegExp(text, "u")`. Without a category (`\p{…}`) and without
    /// characters beyond U+FFFF the flag makes no difference.
    #[must_use]
    pub fn javascript(&self) -> String {
        format!("^(?:{})$", self.javascript)
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `None` cannot happen within [`MAX_PATTERN_COST`]; such a pattern would match nothing.
    fn compiled(&self) -> Option<&Regex> {
        const SIZE_LIMIT: usize = 16 * 1024 * 1024;
        let compile = || {
            RegexBuilder::new(&format!(r"\A(?:{})\z", self.rust))
                .size_limit(SIZE_LIMIT)
                .build()
                .ok()
        };
        self.compiled.get_or_init(compile).as_ref()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// The pattern as each engine spells it.
#[derive(Default)]
struct Spelled {
    rust: String,
    javascript: String,
}

impl Spelled {
    /// Adds what both spell alike.
    fn push(&mut self, text: &str) {
        self.rust.push_str(text);
        self.javascript.push_str(text);
    }

    /// Adds a character that stands for itself.
    fn literal(&mut self, character: char) {
        let mut buffer = [0; 4];
        self.rust
            .push_str(&regex::escape(character.encode_utf8(&mut buffer)));
        self.javascript_character(character, r"^$\.*+?()[]{}|/");
    }

    /// Adds a character for JavaScript, with a `\` before one of these signs.
    fn javascript_character(&mut self, character: char, signs: &str) {
        match character {
            '\n' => self.javascript.push_str(r"\n"),
            '\r' => self.javascript.push_str(r"\r"),
            '\t' => self.javascript.push_str(r"\t"),
            _ => {
                if signs.contains(character) {
                    self.javascript.push('\\');
                }
                self.javascript.push(character);
            }
        }
    }
}

/// Reads a pattern from left to right. Each function returns the cost of what it has read.
struct Reader<'t> {
    rest: Peekable<Chars<'t>>,
    out: Spelled,
    groups: usize,
    repeats_a_group: bool,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            rest: text.chars().peekable(),
            out: Spelled::default(),
            groups: 0,
            repeats_a_group: false,
        }
    }

    /// `i-regexp`, up to the end or a `)`.
    fn alternatives(&mut self, depth: usize) -> Result<usize, String> {
        if depth > MAX_PATTERN_DEPTH {
            return Err(format!(
                "expected at most {MAX_PATTERN_DEPTH} groups inside each other, found more"
            ));
        }
        let mut cost = 1_usize;
        while let Some(next) = self.rest.peek() {
            match next {
                ')' => break,
                '|' => {
                    self.rest.next();
                    self.out.push("|");
                }
                _ => cost = cost.saturating_add(self.piece(depth)?),
            }
        }
        Ok(cost)
    }

    /// `piece`: an atom and how often.
    fn piece(&mut self, depth: usize) -> Result<usize, String> {
        let is_group = self.rest.peek() == Some(&'(');
        let cost = self.atom(depth)?;
        let times = self.quantifier()?;
        if is_group && times.is_some() {
            self.repeats_a_group = true;
        }
        Ok(cost.saturating_mul(times.unwrap_or(1).max(1)))
    }

    fn atom(&mut self, depth: usize) -> Result<usize, String> {
        let Some(next) = self.rest.next() else {
            return Ok(0);
        };
        match next {
            '(' => {
                self.groups += 1;
                self.out.push("(");
                let cost = self.alternatives(depth + 1)?;
                if self.rest.next() != Some(')') {
                    return Err("expected a `)` for each `(`".to_owned());
                }
                self.out.push(")");
                Ok(cost)
            }
            '.' => {
                self.out.push(r"[^\n\r]");
                Ok(class::RANGE_COST)
            }
            '[' => self.class(),
            '\\' => self.escape(),
            '^' | '$' => Err(format!(
                "`{next}` stands for itself here: a pattern matches the whole text; write `{}` for the character",
                if next == '^' { r"\^" } else { "[$]" }
            )),
            '*' | '+' | '?' | '{' | '}' | ']' => Err(format!("expected `\\` before `{next}`")),
            _ => {
                self.out.literal(next);
                Ok(1)
            }
        }
    }

    /// How often at most, or for an open end how often at least, with one more.
    fn quantifier(&mut self) -> Result<Option<usize>, String> {
        let Some(next) = self.rest.next_if(|next| "*+?{".contains(*next)) else {
            return Ok(None);
        };
        if next != '{' {
            self.out.push(next.encode_utf8(&mut [0; 4]));
            return Ok(Some(1));
        }
        let min = self.count()?;
        let (range, times) = match self.rest.next_if_eq(&',') {
            None => (format!("{{{min}}}"), min),
            Some(_) if self.rest.peek() == Some(&'}') => (format!("{{{min},}}"), min + 1),
            Some(_) => {
                let max = self.count()?;
                if max < min {
                    return Err(format!("expected `{{{max},{min}}}`, found `{{{min},{max}}}`"));
                }
                (format!("{{{min},{max}}}"), max)
            }
        };
        if self.rest.next() != Some('}') {
            return Err("expected a range such as `{2}`, `{2,}` or `{2,8}` after `{`".to_owned());
        }
        self.out.push(&range);
        Ok(Some(times))
    }

    fn count(&mut self) -> Result<usize, String> {
        let mut digits = String::new();
        while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        let count = digits.parse().ok().filter(|count| *count <= MAX_PATTERN_COST);
        count.ok_or_else(|| {
            format!(
                "expected a number up to {MAX_PATTERN_COST} in `{{…}}`, found {}",
                quoted(&digits)
            )
        })
    }

    /// What stands after a `\` outside a class.
    fn escape(&mut self) -> Result<usize, String> {
        match self.escaped()? {
            class::Escaped::Character(character) => {
                self.out.literal(character);
                Ok(1)
            }
            class::Escaped::Category(category) => {
                self.out.push(&category);
                Ok(class::CATEGORY_COST)
            }
        }
    }
}

#[cfg(test)]
mod tests;
