//! Taking known secrets out of what a service answers, before a node, a log or a recording sees it.
//!
//! | form of a secret | found |
//! | --- | --- |
//! | as it is | anywhere |
//! | base64, standard and URL-safe, padded or not | anywhere, also inside a longer encoded text, wherever it begins there |
//! | percent-encoded, whichever characters and digits' case | anywhere |
//! | JSON-escaped, whichever characters, `\/` and `\u0073` too | anywhere |
//! | shorter than [`SHORTEST_ANYWHERE`] characters | only as a whole header value, or a whole string value of a JSON document |
//!
//! Where a secret begins with the name of an authentication scheme, as in `Bearer abc`, what follows is a secret too.
//!
//! This is the last of several protections and best effort: a service that encrypts, splits or encodes a secret twice
//! gets past it. A base64 text that goes on around a secret keeps the character at either end, of which up to four bits
//! are the secret's. What is found is replaced by `[redacted]`; a secret that is a bare JSON number makes the document
//! unreadable, which is the safe side.
//!
//! Looking runs on every answer, so what holds no secret comes back as it is, without an allocation. The tables that
//! are looked things up in hold the secrets, and cannot be wiped: a [`Redactor`] lives no longer than its session.

mod encoding;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::automaton::Automaton;
use aho_corasick::nfa::contiguous;
use aho_corasick::packed;
use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, MatchKind, PatternID};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use crate::secret::Secret;
use encoding::View;

/// What stands in a secret's place.
pub const REDACTED: &str = "[redacted]";

/// Characters of the shortest secret that is looked for inside other text; a shorter one could be a word of it.
pub const SHORTEST_ANYWHERE: usize = 16;

/// Finds the secrets that it was made from. The default knows none.
///
/// ```
/// use nodule::redact::Redactor;
/// use nodule::secret::Secret;
///
/// let redactor = Redactor::new([&Secret::new("t0ken/0123456789".to_owned())]);
/// assert_eq!(redactor.text("a t0ken%2f0123456789 b"), "a [redacted] b");
/// ```
#[derive(Clone, Default)]
pub struct Redactor(Option<Arc<Known>>);

struct Known {
    /// Says fast that there is nothing.
    any: Any,
    /// Bytes of the shortest pattern.
    shortest: usize,
    /// The same patterns, fed byte by byte, and all that match.
    each: contiguous::NFA,
    /// By pattern.
    kinds: Vec<Kind>,
    /// Those that count as whole values only.
    short: Vec<Secret>,
}

/// Whether any of the patterns stands somewhere.
enum Any {
    /// Where the processor has the instructions for it, and the patterns are not too many.
    Packed(packed::Searcher),
    Automaton(AhoCorasick),
}

impl Any {
    fn is_match(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Packed(packed) => packed.find(bytes).is_some(),
            Self::Automaton(automaton) => automaton.is_match(bytes),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Anywhere,
    /// The pattern has the quotes around it.
    WholeString,
}

impl Redactor {
    /// Empty secrets are passed over.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut patterns: Vec<(Zeroizing<Vec<u8>>, Kind)> = Vec::new();
        let mut short = Vec::new();
        let secrets = secrets.into_iter().map(Secret::expose);
        for secret in secrets
            .flat_map(|secret| [Some(secret), without_scheme(secret)])
            .flatten()
        {
            if secret.is_empty() {
            } else if secret.chars().count() < SHORTEST_ANYWHERE {
                patterns.push((
                    Zeroizing::new(format!("\"{secret}\"").into_bytes()),
                    Kind::WholeString,
                ));
                short.push(Secret::new(secret.to_owned()));
            } else {
                patterns.extend(encoding::forms(secret).map(|form| (form, Kind::Anywhere)));
            }
        }
        let kinds = patterns.iter().map(|(_, kind)| *kind).collect::<Vec<_>>();
        let texts = || patterns.iter().map(|(text, _)| text.as_slice());
        let any = match packed::Config::new().builder().extend(texts()).build() {
            Some(packed) => Ok(Any::Packed(packed)),
            // A deterministic automaton would be faster, and megabytes for a long token.
            None => AhoCorasick::builder()
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .match_kind(MatchKind::LeftmostFirst)
                .build(texts())
                .map(Any::Automaton),
        };
        let each = contiguous::NFA::builder()
            .match_kind(MatchKind::Standard)
            .build(texts());
        let shortest = texts().map(<[u8]>::len).min().unwrap_or_default();
        match (kinds.is_empty(), any, each) {
            (false, Ok(any), Ok(each)) => Self(Some(Arc::new(Known {
                any,
                shortest,
                each,
                kinds,
                short,
            }))),
            _ => Self(None),
        }
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
        match &self.0 {
            Some(known) => known.redact(bytes),
            None => Cow::Borrowed(bytes),
        }
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
                *value = HeaderValue::from_bytes(&redacted).unwrap_or(HeaderValue::from_static(REDACTED));
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
        let patterns = self.0.as_ref().map_or(0, |known| known.kinds.len());
        f.debug_struct("Redactor")
            .field("patterns", &patterns)
            .finish_non_exhaustive()
    }
}

impl Known {
    fn redact<'t>(&self, bytes: &'t [u8]) -> Cow<'t, [u8]> {
        // What a secret is encoded as is never shorter than the secret.
        if bytes.len() < self.shortest {
            return Cow::Borrowed(bytes);
        }
        let views = View::ALL.into_iter().filter(|view| self.may_hold(*view, bytes));
        let mut spans: Vec<Range<usize>> = views.flat_map(|view| self.spans(view, bytes)).collect();
        if spans.is_empty() {
            return Cow::Borrowed(bytes);
        }
        spans.sort_by_key(|span| span.start);
        let mut out = Vec::with_capacity(bytes.len());
        let mut done = 0;
        for span in spans {
            if span.start >= done {
                out.extend_from_slice(bytes.get(done..span.start).unwrap_or_default());
                out.extend_from_slice(REDACTED.as_bytes());
            }
            done = done.max(span.end);
        }
        out.extend_from_slice(bytes.get(done..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// Whether any pattern matches, in whatever surroundings. Allocates nothing.
    fn may_hold(&self, view: View, bytes: &[u8]) -> bool {
        if view == View::AsIs {
            return self.any.is_match(bytes);
        }
        if !view.applies(bytes) {
            return false;
        }
        let mut found = false;
        let mut walk = Walk::new(&self.each);
        view.read(bytes, |byte, _| found |= walk.matches_after(byte));
        found
    }

    /// Where in `bytes` the secrets stand.
    fn spans(&self, view: View, bytes: &[u8]) -> Vec<Range<usize>> {
        let (mut read, mut sources) = (Zeroizing::new(Vec::new()), Vec::new());
        view.read(bytes, |byte, source| {
            read.push(byte);
            sources.push(source);
        });
        let mut spans = Vec::new();
        let mut walk = Walk::new(&self.each);
        for (index, byte) in read.iter().enumerate() {
            if !walk.matches_after(*byte) {
                continue;
            }
            for pattern in walk.patterns() {
                let start = (index + 1).saturating_sub(self.each.pattern_len(pattern));
                let found = match self.kinds.get(pattern.as_usize()) {
                    Some(Kind::WholeString) if is_json_value(&read, start..index + 1) => start + 1..index,
                    Some(Kind::Anywhere) => start..index + 1,
                    _ => continue,
                };
                if let Some([first, .., last] | [first @ last]) = sources.get(found) {
                    spans.push(first.start..last.end);
                }
            }
        }
        spans
    }
}

/// The automaton, one byte after the other.
struct Walk<'k> {
    automaton: &'k contiguous::NFA,
    state: aho_corasick::automaton::StateID,
}

impl<'k> Walk<'k> {
    fn new(automaton: &'k contiguous::NFA) -> Self {
        let state = automaton.start_state(Anchored::No).unwrap_or_default();
        Self { automaton, state }
    }

    fn matches_after(&mut self, byte: u8) -> bool {
        self.state = self.automaton.next_state(Anchored::No, self.state, byte);
        self.automaton.is_match(self.state)
    }

    fn patterns(&self) -> impl Iterator<Item = PatternID> + use<'k> {
        let Self { automaton, state } = *self;
        (0..automaton.match_len(state)).map(move |index| automaton.match_pattern(state, index))
    }
}

/// Whether a quoted text is a string of a JSON document and not a key, nor what lies between two strings.
fn is_json_value(text: &[u8], quoted: Range<usize>) -> bool {
    let before = text
        .get(..quoted.start)
        .unwrap_or_default()
        .trim_ascii_end()
        .last();
    let after = text
        .get(quoted.end..)
        .unwrap_or_default()
        .trim_ascii_start()
        .first();
    matches!(before, None | Some(b':' | b',' | b'[')) && matches!(after, None | Some(b',' | b']' | b'}'))
}

/// What follows the name of an authentication scheme.
fn without_scheme(secret: &str) -> Option<&str> {
    const SCHEMES: [&str; 6] = ["Bearer", "Basic", "Token", "ApiKey", "Api-Key", "DPoP"];
    let (scheme, rest) = secret.split_once(' ')?;
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
