//! Classes and escapes of an I-Regexp.

use std::fmt::Write as _;

use super::{Reader, Spelled};

/// What a range of characters adds to a compiled pattern, in literal characters.
pub(super) const RANGE_COST: usize = 4;

/// What a general category adds: the largest have several hundred ranges.
pub(super) const CATEGORY_COST: usize = 500;

/// The general categories that RFC 9485 names.
const CATEGORIES: [&str; 36] = [
    "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Pe",
    "Pf", "Pi", "Po", "Ps", "Z", "Zl", "Zp", "Zs", "S", "Sc", "Sk", "Sm", "So", "C", "Cc", "Cf", "Cn", "Co",
];

/// What an escape stands for.
pub(super) enum Escaped {
    Character(char),
    /// As both engines spell it: `\p{Lu}`.
    Category(String),
}

impl Spelled {
    /// Adds a character of a class.
    fn class_literal(&mut self, character: char) {
        // Rust has operators of two signs in classes, so no sign stands there as it is.
        _ = write!(self.rust, r"\x{{{:X}}}", u32::from(character));
        self.javascript_character(character, r"\]^-[");
    }
}

impl Reader<'_> {
    /// What stands after a `\`.
    pub(super) fn escaped(&mut self) -> Result<Escaped, String> {
        let character = match self.rest.next() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(sign @ ('p' | 'P')) => return self.category(sign).map(Escaped::Category),
            Some(sign) if r"()*+-.?[\]^{|}".contains(sign) => sign,
            Some(other) => return Err(format!("there is no escape `\\{other}`")),
            None => return Err("expected a character after `\\`".to_owned()),
        };
        Ok(Escaped::Character(character))
    }

    /// What stands after `\p`.
    fn category(&mut self, sign: char) -> Result<String, String> {
        let mut name = String::new();
        let opened = self.rest.next_if_eq(&'{').is_some();
        while let Some(letter) = self.rest.next_if(char::is_ascii_alphabetic) {
            name.push(letter);
        }
        if !opened || self.rest.next() != Some('}') || !CATEGORIES.contains(&name.as_str()) {
            return Err(format!(
                "expected a general category such as `\\p{{L}}` or `\\p{{Lu}}` after `\\{sign}`"
            ));
        }
        Ok(format!("\\{sign}{{{name}}}"))
    }

    /// A class, after its `[`.
    pub(super) fn class(&mut self) -> Result<usize, String> {
        self.out.push("[");
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push("^");
        }
        let mut cost = 0_usize;
        if self.rest.next_if_eq(&'-').is_some() {
            self.out.class_literal('-');
            cost += RANGE_COST;
        }
        loop {
            match self.rest.next() {
                Some(']') if cost > 0 => break,
                Some(']') => return Err("expected a character in `[]`".to_owned()),
                Some('-') if self.rest.peek() == Some(&']') && cost > 0 => self.out.class_literal('-'),
                Some(next) => cost += self.class_part(next)?,
                None => return Err("expected a `]` for each `[`".to_owned()),
            }
        }
        self.out.push("]");
        Ok(cost)
    }

    /// A character, range or category of a class.
    fn class_part(&mut self, next: char) -> Result<usize, String> {
        let first = match self.class_character(next)? {
            Escaped::Character(character) => character,
            Escaped::Category(category) => {
                self.out.push(&category);
                return Ok(CATEGORY_COST);
            }
        };
        self.out.class_literal(first);
        if self.rest.peek() != Some(&'-') {
            return Ok(RANGE_COST);
        }
        // A `-` before the `]` is the class's last character, not a range.
        let mut after = self.rest.clone();
        after.next();
        if after.peek() == Some(&']') {
            return Ok(RANGE_COST);
        }
        self.rest.next();
        let last = match self.rest.next() {
            Some(next) => self.class_character(next)?,
            None => return Err("expected a `]` for each `[`".to_owned()),
        };
        match last {
            Escaped::Character(last) if last >= first => {
                self.out.push("-");
                self.out.class_literal(last);
                Ok(RANGE_COST)
            }
            Escaped::Character(last) => Err(format!(
                "expected a range from the lower character to the higher one, found `{}-{}`",
                first.escape_default(),
                last.escape_default()
            )),
            Escaped::Category(_) => Err("expected a character at the end of a range".to_owned()),
        }
    }

    fn class_character(&mut self, next: char) -> Result<Escaped, String> {
        match next {
            '\\' => self.escaped(),
            '-' | '[' => Err(format!("expected `\\` before `{next}` in a class")),
            _ => Ok(Escaped::Character(next)),
        }
    }
}
