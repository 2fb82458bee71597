//! Taking known secrets out of what a service answers, before a node, a log or a recording sees it.
//!
//! | form of a secret | found |
//! | --- | --- |
//! | as it is | anywhere |
//! | base64, standard and URL-safe, padded or not | anywhere, also inside a longer encoded text, wherever it begins there |
//! | percent-encoded, whichever characters and digits' case | anywhere |
//! | JSON-escaped, whichever characters, `\/` and `\u0073` too | anywhere |
//! | shorter than [`SHORTEST_ANYWHERE`] characters | only as a whole header value, or a whole string value of a JSON document; in a node's answers not at all |
//!
//! Where a secret begins with the name of an authentication scheme, as in `Bearer abc`, what follows is a secret too. Of one
//! with blanks around it, both spellings are: HTTP takes the blanks off a header's value.
//!
//! There are two kinds of redactor, since who reads the result decides what may be looked for:
//!
//! - [`Redactor::new`] is for recordings, events and errors. No node reads them, so everything is looked for.
//! - [`Redactor::for_answers`] is for what a node reads. A node that is handed a list of guesses sees which one is gone,
//!   so only secrets are looked for that nobody lists: of at least [`SHORTEST_ANYWHERE`] characters, at least
//!   [`FEWEST_DISTINCT`] of them different.
//!
//! This is the last of several protections and best effort: a service that encrypts, splits or encodes a secret twice
//! gets past it. A base64 text that goes on around a secret keeps the character at either end, of which up to four bits
//! are the secret's. What is found is replaced by `[redacted]`; a secret that is a bare JSON number makes the document
//! unreadable, which is the safe side.
//!
//! Looking runs on every answer, so what holds no secret comes back as it is, without an allocation. The time is linear in
//! the answer whatever the secrets are, the memory a small multiple of the answer. The tables that are looked things up in
//! hold the secrets, and cannot be wiped: a [`Redactor`] lives no longer than its session.

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

/// What stands in a secret's place.
pub const REDACTED: &str = "[redacted]";

/// Characters of the shortest secret that is looked for inside other text; a shorter one could be a word of it.
pub const SHORTEST_ANYWHERE: usize = 16;

/// Different characters of a secret that is looked for in a node's answers. With fewer it is a text such as `0000…` or
/// `abababab…`, which innocent answers hold and which can be guessed. Of sixteen random digits four in a thousand have
/// fewer, of sixteen random hexadecimal digits one in twenty thousand.
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
    /// Secrets that count as whole values only.
    short: Vec<Secret>,
    whole: Option<WholeStrings>,
}

/// How secrets are looked for.
enum Lookup {
    /// There are none that count anywhere.
    None,
    In(Box<Patterns>),
    /// They are more than the tables can hold, so every text counts as one of them.
    Everything,
}

impl Redactor {
    /// A redactor for what no node reads: recordings, events and errors. Empty secrets are passed over.
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

    /// A redactor for the answers that a node reads. Secrets that a node could list are passed over; see the
    /// [module](self).
    #[must_use]
    pub fn for_answers<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut secrets: Vec<&str> = secrets.into_iter().map(Secret::expose).collect();
        secrets.sort_unstable();
        secrets.dedup();
        // What follows the scheme is what has to be hard to guess.
        let secrets = secrets.into_iter().filter_map(|secret| {
            let rest = without_scheme(secret);
            is_hard_to_guess(rest.unwrap_or(secret).trim()).then_some((secret, rest))
        });
        let forms = secrets.map(|(secret, rest)| {
            let spellings = spellings(secret).into_iter();
            match rest {
                // The rest is found in every form; with the scheme in front as it is, so that nothing of it is left.
                Some(rest) => spellings
                    .flat_map(encoding::plain_forms)
                    .chain(encoding::forms(rest))
                    .collect(),
                None => spellings.flat_map(encoding::forms).collect(),
            }
        });
        Self::build(forms, &[])
    }

    /// `forms` are those of each secret that counts anywhere.
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

    /// Whether a text holds, or as a whole is, a secret.
    #[must_use]
    pub fn knows(&self, text: &str) -> bool {
        matches!(self.value(text), Cow::Owned(_))
    }

    /// An answer's body without the secrets.
    #[must_use]
    pub fn body(&self, body: Bytes) -> Bytes {
        match self.bytes(&body) {
            Cow::Borrowed(_) => body,
            Cow::Owned(redacted) => redacted.into(),
        }
    }

    /// Bytes without the secrets.
    #[must_use]
    pub fn bytes<'t>(&self, bytes: &'t [u8]) -> Cow<'t, [u8]> {
        let Some(known) = &self.0 else {
            return Cow::Borrowed(bytes);
        };
        let mut search = Search::new(known, bytes, Vec::new());
        while search.step() {}
        search.finish().map_or(Cow::Borrowed(bytes), Cow::Owned)
    }

    /// A text without the secrets: a message, a log line, a JSON document.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(redacted) => Cow::Owned(into_text(redacted)),
        }
    }

    /// A text that stands alone without the secrets: a header's value, a string of a JSON document. Here short secrets
    /// count too.
    #[must_use]
    pub fn value<'t>(&self, value: &'t str) -> Cow<'t, str> {
        if self.is_short_secret(value.as_bytes()) {
            Cow::Owned(REDACTED.to_owned())
        } else {
            self.text(value)
        }
    }

    /// Take the secrets out of the values of headers.
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

/// Shows how many patterns there are, and none of them.
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

/// A header's value of what redaction left.
#[must_use]
pub fn header_value(redacted: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(redacted).unwrap_or(HeaderValue::from_static(REDACTED))
}

/// Whether nobody finds a text by listing texts; see [`FEWEST_DISTINCT`].
fn is_hard_to_guess(text: &str) -> bool {
    let mut distinct: Vec<char> = Vec::with_capacity(FEWEST_DISTINCT);
    for character in text.chars() {
        if distinct.len() < FEWEST_DISTINCT && !distinct.contains(&character) {
            distinct.push(character);
        }
    }
    distinct.len() == FEWEST_DISTINCT && text.chars().count() >= SHORTEST_ANYWHERE
}

/// A secret as it was given, and without the blanks around it, where it has any: HTTP takes them off a header's value, and a
/// service off a field.
fn spellings(secret: &str) -> impl IntoIterator<Item = &str> {
    let trimmed = Some(secret.trim()).filter(|trimmed| *trimmed != secret);
    [Some(secret), trimmed].into_iter().flatten()
}

/// What follows the name of an authentication scheme.
fn without_scheme(secret: &str) -> Option<&str> {
    const SCHEMES: [&str; 6] = ["Bearer", "Basic", "Token", "ApiKey", "Api-Key", "DPoP"];
    let (scheme, rest) = secret.trim().split_once(' ')?;
    SCHEMES
        .iter()
        .any(|known| known.eq_ignore_ascii_case(scheme))
        .then(|| rest.trim())
}

/// Secrets are text, so that what is left around them is text.
fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests;
