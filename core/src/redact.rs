//! Removes known secrets from a service's responses before a node, a log or a recording sees them.
//!
//! | form of a secret | where it is found |
//! | --- | --- |
//! | unchanged | anywhere |
//! | base64, standard and URL-safe, padded or not | anywhere, also inside a longer encoded text, at any offset |
//! | percent-encoded, whichever characters are escaped, digits in either case | anywhere |
//! | JSON-escaped, whichever characters are escaped, also as `\/` and `\u0073` | anywhere |
//! | shorter than [`SHORTEST_ANYWHERE`] characters | only as a whole header value or a whole string value of a JSON document; in a node's responses never |
//!
//! If a secret begins with the name of an authentication scheme, as in `Bearer abc`, the text after the name is a
//! secret too. If a secret has blanks around it, so is the secret without them, because HTTP strips the blanks of a
//! header's value.
//!
//! There are two kinds of redactor, because the reader of the result decides what is safe to look for:
//!
//! - [`Redactor::new`] is for recordings, events and errors. No node reads them, so it looks for everything.
//! - [`Redactor::for_answers`] is for responses that a node reads. A node that receives a list of guesses sees which
//!   one is missing, so this redactor looks only for secrets that nobody can list: those of at least
//!   [`SHORTEST_ANYWHERE`] characters, at least [`FEWEST_DISTINCT`] of them different.
//!
//! Redaction is the last of several protections, and best effort: it misses a secret that the service encrypts, splits
//! or encodes twice. If a base64 text continues around a secret, the character at either side stays, and up to four of
//! its bits are the secret's. `[redacted]` replaces what is found. If a secret is a bare JSON number, the document is
//! no longer valid JSON, which is the safe side.
//!
//! Every response is searched, so a response without secrets is returned unchanged, without an allocation. The time is
//! linear in the response, whatever the secrets are; the memory is a small multiple of the response. The lookup tables
//! contain the secrets and cannot be wiped, so a [`Redactor`] lives no longer than its session.

pub mod answers;
mod encoding;
mod patterns;
mod search;
mod whole;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use crate::secret::Secret;
use patterns::Patterns;
pub use search::PIECE;
use search::Search;
use whole::WholeStrings;

/// The text that replaces a secret.
pub const REDACTED: &str = "[redacted]";

/// Characters of the shortest secret that is looked for inside other text. A shorter one could be an ordinary word.
pub const SHORTEST_ANYWHERE: usize = 16;

/// The fewest different characters of a secret that is looked for in a node's responses. A text with fewer, such as
/// `0000…` or `abababab…`, can be guessed and occurs in innocent responses. Four in a thousand texts of sixteen random
/// digits have fewer, and one in twenty thousand of sixteen random hexadecimal digits.
pub const FEWEST_DISTINCT: usize = 6;

/// Finds the secrets that it was made from. The default knows none.
///
/// ```
/// use nodule_core::redact::Redactor;
/// use nodule_core::secret::Secret;
///
/// let redactor = Redactor::new([&Secret::new("t0ken/0123456789".to_owned())]);
/// assert_eq!(redactor.text("a t0ken%2f0123456789 b"), "a [redacted] b");
/// ```
#[derive(Clone, Default)]
pub struct Redactor(Option<Arc<Known>>);

struct Known {
    patterns: Lookup,
    /// Secrets that count only as whole values.
    short: Vec<Secret>,
    whole: Option<WholeStrings>,
}

/// How the redactor looks for secrets.
enum Lookup {
    /// No secret counts anywhere.
    None,
    In(Box<Patterns>),
    /// The secrets exceed what the tables can store, so every text counts as a secret.
    Everything,
}

impl Redactor {
    /// Makes a redactor for recordings, events and errors, which no node reads. Skips empty secrets.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let (mut long, mut short) = (Vec::new(), Vec::new());
        for secret in secrets.into_iter().map(Secret::expose) {
            for text in spellings(secret).into_iter().chain(without_scheme(secret)) {
                if text.chars().count() >= SHORTEST_ANYWHERE {
                    long.push(text);
                } else if !text.is_empty() {
                    short.push(text);
                }
            }
        }
        for list in [&mut long, &mut short] {
            list.sort_unstable();
            list.dedup();
        }
        let forms = long.iter().map(|secret| encoding::forms(secret).collect());
        Self::build(forms, &short)
    }

    /// Makes a redactor for responses that a node reads. Skips secrets that a node could list; see the [module](self).
    #[must_use]
    pub fn for_answers<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut secrets: Vec<&str> = secrets.into_iter().map(Secret::expose).collect();
        secrets.sort_unstable();
        secrets.dedup();
        // Only the text after the scheme has to be hard to guess.
        let secrets = secrets.into_iter().filter_map(|secret| {
            let rest = without_scheme(secret);
            is_hard_to_guess(rest.unwrap_or(secret).trim()).then_some((secret, rest))
        });
        let forms = secrets.map(|(secret, rest)| {
            let spellings = spellings(secret).into_iter();
            match rest {
                // Finds the text after the scheme in every form, and also with the scheme unencoded in front, so that
                // the scheme disappears with it.
                Some(rest) => spellings
                    .flat_map(encoding::plain_forms)
                    .chain(encoding::forms(rest))
                    .collect(),
                None => spellings.flat_map(encoding::forms).collect(),
            }
        });
        Self::build(forms, &[])
    }

    /// `forms` has the forms of each secret that counts anywhere.
    fn build(forms: impl Iterator<Item = Vec<encoding::Form>>, short: &[&str]) -> Self {
        let forms: Vec<Vec<encoding::Form>> = forms.collect();
        if forms.is_empty() && short.is_empty() {
            return Self(None);
        }
        let mut patterns = if forms.is_empty() {
            Lookup::None
        } else {
            Patterns::new(&forms).map_or(Lookup::Everything, |patterns| Lookup::In(Box::new(patterns)))
        };
        let whole = if short.is_empty() {
            None
        } else {
            let whole = WholeStrings::new(short);
            if whole.is_none() {
                patterns = Lookup::Everything;
            }
            whole
        };
        Self(Some(Arc::new(Known {
            patterns,
            short: short.iter().map(|text| Secret::new((*text).to_owned())).collect(),
            whole,
        })))
    }

    /// Whether a text contains a secret, or is one as a whole.
    #[must_use]
    pub fn knows(&self, text: &str) -> bool {
        matches!(self.value(text), Cow::Owned(_))
    }

    /// Removes the secrets from a response's body.
    #[must_use]
    pub fn body(&self, body: Bytes) -> Bytes {
        match self.bytes(&body) {
            Cow::Borrowed(_) => body,
            Cow::Owned(redacted) => redacted.into(),
        }
    }

    /// Removes the secrets from bytes.
    #[must_use]
    pub fn bytes<'t>(&self, bytes: &'t [u8]) -> Cow<'t, [u8]> {
        let Some(known) = &self.0 else {
            return Cow::Borrowed(bytes);
        };
        let mut search = Search::new(known, bytes, Vec::new());
        while search.step() {}
        search.finish().map_or(Cow::Borrowed(bytes), Cow::Owned)
    }

    /// Removes the secrets from a text: a message, a log line, a JSON document.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(redacted) => Cow::Owned(into_text(redacted)),
        }
    }

    /// Removes the secrets from a complete value, such as a header's value or a string of a JSON document. Short
    /// secrets count here, too.
    #[must_use]
    pub fn value<'t>(&self, value: &'t str) -> Cow<'t, str> {
        if self.is_short_secret(value.as_bytes()) {
            Cow::Owned(REDACTED.to_owned())
        } else {
            self.text(value)
        }
    }

    /// Removes the secrets from the values of headers.
    pub fn headers(&self, headers: &mut HeaderMap) {
        if self.0.is_none() {
            return;
        }
        for value in headers.values_mut() {
            if self.is_short_secret(value.as_bytes()) {
                *value = HeaderValue::from_static(REDACTED);
            } else if let Cow::Owned(redacted) = self.bytes(value.as_bytes()) {
                *value = header_value(&redacted);
            }
        }
    }

    fn is_short_secret(&self, value: &[u8]) -> bool {
        let short = self.0.iter().flat_map(|known| &known.short);
        short.map(Secret::expose).any(|secret| secret.as_bytes() == value)
    }
}

/// Shows the number of patterns, never the patterns.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns = self.0.as_ref().map_or(0, |known| match &known.patterns {
            Lookup::In(patterns) => patterns.len(),
            Lookup::None | Lookup::Everything => 0,
        });
        f.debug_struct("Redactor")
            .field("patterns", &patterns)
            .finish_non_exhaustive()
    }
}

/// Makes a header value of the redacted bytes.
#[must_use]
pub fn header_value(redacted: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(redacted).unwrap_or(HeaderValue::from_static(REDACTED))
}

/// Whether a text is too varied to be found by listing texts; see [`FEWEST_DISTINCT`].
fn is_hard_to_guess(text: &str) -> bool {
    let mut distinct: Vec<char> = Vec::with_capacity(FEWEST_DISTINCT);
    for character in text.chars() {
        if distinct.len() < FEWEST_DISTINCT && !distinct.contains(&character) {
            distinct.push(character);
        }
    }
    distinct.len() == FEWEST_DISTINCT && text.chars().count() >= SHORTEST_ANYWHERE
}

/// A secret as given and, if it has blanks around it, without them: HTTP strips the blanks of a header's value, and a
/// service strips those of a field.
fn spellings(secret: &str) -> impl IntoIterator<Item = &str> {
    let trimmed = Some(secret.trim()).filter(|trimmed| *trimmed != secret);
    [Some(secret), trimmed].into_iter().flatten()
}

/// The text after the name of an authentication scheme.
fn without_scheme(secret: &str) -> Option<&str> {
    const SCHEMES: [&str; 6] = ["Bearer", "Basic", "Token", "ApiKey", "Api-Key", "DPoP"];
    let (scheme, rest) = secret.trim().split_once(' ')?;
    SCHEMES
        .iter()
        .any(|known| known.eq_ignore_ascii_case(scheme))
        .then(|| rest.trim())
}

/// Removing UTF-8 secrets from UTF-8 text leaves UTF-8 text.
fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests;
