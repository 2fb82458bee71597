//! Parses valid JSON into values, in one pass. `serde_json` decides what is valid; this module takes the text apart.

use serde_json::value::RawValue;

use super::{Json, MAX_DEPTH, Number, Object};

/// Why valid JSON is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("nested deeper than {MAX_DEPTH} levels")]
    Depth,
    #[error("half of a surrogate pair in a text")]
    Surrogate,
    /// Cannot happen for valid JSON.
    #[error("not JSON")]
    Syntax,
}

/// Parses `text`, which is the JSON in a document.
pub(super) fn document(
    read: Result<&RawValue, serde_json::Error>,
    text: &[u8],
) -> Result<Json, serde_json::Error> {
    let found = read.and_then(|json| value(json.get()).map_err(serde::de::Error::custom));
    // Errors come from `serde_json`'s own value, whose messages say where a text nests too deeply or has half a
    // surrogate pair.
    found.map_err(|error| {
        let same = serde_json::from_slice::<serde_json::Value>(text).err();
        same.unwrap_or(error)
    })
}

/// Parses a valid JSON text.
fn value(json: &str) -> Result<Json, Fault> {
    Reader { rest: json }.value(MAX_DEPTH)
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    /// Parses a value of at most `levels` levels.
    fn value(&mut self, levels: usize) -> Result<Json, Fault> {
        match self.next() {
            Some(b'"') => self.text().map(Json::String),
            Some(b'[') => self.list(levels.checked_sub(1).ok_or(Fault::Depth)?),
            Some(b'{') => self.object(levels.checked_sub(1).ok_or(Fault::Depth)?),
            Some(_) => {
                let end = self
                    .rest
                    .find([',', ']', '}', ' ', '\t', '\r', '\n'])
                    .unwrap_or(self.rest.len());
                Ok(match self.take(end)? {
                    "null" => Json::Null,
                    "true" => Json::Bool(true),
                    "false" => Json::Bool(false),
                    digits => Json::Number(Number::of(digits)),
                })
            }
            None => Err(Fault::Syntax),
        }
    }

    fn list(&mut self, levels: usize) -> Result<Json, Fault> {
        let mut list = Vec::new();
        self.take(1)?;
        loop {
            match self.next() {
                Some(b']') => {
                    self.take(1)?;
                    return Ok(Json::Array(list));
                }
                Some(b',') => _ = self.take(1)?,
                _ => list.push(self.value(levels)?),
            }
        }
    }

    fn object(&mut self, levels: usize) -> Result<Json, Fault> {
        let mut fields = Object::new();
        self.take(1)?;
        loop {
            match self.next() {
                Some(b'}') => {
                    self.take(1)?;
                    return Ok(Json::Object(fields));
                }
                Some(b',') => _ = self.take(1)?,
                Some(b'"') => {
                    let name = self.text()?;
                    // Skip the colon.
                    self.next();
                    self.take(1)?;
                    fields.insert(name, self.value(levels)?);
                }
                _ => return Err(Fault::Syntax),
            }
        }
    }

    /// Parses a text, starting at its first quotation mark.
    fn text(&mut self) -> Result<String, Fault> {
        let bytes = self.rest.as_bytes();
        let mut at = 1;
        let mut is_plain = true;
        loop {
            let found = bytes
                .get(at..)
                .and_then(|rest| memchr::memchr2(b'"', b'\\', rest));
            at += found.ok_or(Fault::Syntax)?;
            if bytes.get(at) == Some(&b'"') {
                break;
            }
            is_plain = false;
            at += 2;
        }
        let quoted = self.take(at + 1)?;
        if !is_plain {
            return serde_json::from_str(quoted).map_err(|_| Fault::Surrogate);
        }
        let text = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        text.map(str::to_owned).ok_or(Fault::Syntax)
    }

    /// The first byte after white space.
    fn next(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.rest.bytes().next()
    }

    fn take(&mut self, bytes: usize) -> Result<&'t str, Fault> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(Fault::Syntax)?;
        self.rest = rest;
        Ok(taken)
    }
}
