//! The tables of secret patterns, and one pass over a text with them.
//!
//! An attacker may choose the secrets, so no step may become slower because patterns overlap, or because a text nearly
//! matches at every byte. An automaton takes one step per byte, and where several patterns match, the longest
//! represents them all. The quick test for texts without secrets looks only for prefixes of fixed length: comparing
//! whole patterns at every byte would cost the product of both lengths.

use std::ops::Range;

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::contiguous;
use aho_corasick::{Anchored, MatchKind, PatternID, Span, packed};

use super::PIECE;
use super::encoding::{Form, View};

/// Bytes of a pattern's prefix, for the quick test. The shortest pattern has as many.
const BEGINNING: usize = super::SHORTEST_ANYWHERE;

/// All patterns, which are the forms of the secrets.
pub(super) struct Patterns {
    /// Finds the prefixes of the patterns; `None` if the processor lacks the instructions or there are too many
    /// prefixes.
    beginnings: Option<packed::Searcher>,
    automaton: contiguous::NFA,
    /// For each pattern, the number of its secret.
    secrets: Vec<usize>,
    /// Bytes of the longest pattern.
    longest: usize,
    /// Bytes of the shortest pattern.
    shortest: usize,
}

impl Patterns {
    /// `None` if there are too many patterns for the tables.
    pub(super) fn new(secrets: &[Vec<Form>]) -> Option<Self> {
        let texts = || secrets.iter().flatten().map(|form| form.as_slice());
        let lengths = || texts().map(<[u8]>::len);
        let automaton = contiguous::NFA::builder()
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(texts())
            .ok()?;
        let mut beginnings: Vec<&[u8]> = texts()
            .map(|text| text.get(..BEGINNING).unwrap_or(text))
            .collect();
        beginnings.sort_unstable();
        beginnings.dedup();
        let numbers = secrets.iter().enumerate();
        Some(Self {
            beginnings: packed::Config::new().builder().extend(beginnings).build(),
            automaton,
            secrets: numbers
                .flat_map(|(number, forms)| forms.iter().map(move |_| number))
                .collect(),
            longest: lengths().max().unwrap_or_default(),
            shortest: lengths().min().unwrap_or_default(),
        })
    }

    /// The number of patterns.
    pub(super) fn len(&self) -> usize {
        self.secrets.len()
    }

    /// The number of secrets.
    pub(super) fn secrets(&self) -> usize {
        self.secrets.last().map_or(0, |last| last + 1)
    }

    /// Whether a text is too short for every pattern: an encoded secret is never shorter than the secret.
    pub(super) fn are_longer_than(&self, text: &[u8]) -> bool {
        text.len() < self.shortest
    }

    /// Quick test: `true` means that the text contains no pattern, as is the case for nearly every response; `false`
    /// means nothing.
    pub(super) fn are_clearly_not_in(&self, text: &[u8]) -> bool {
        self.are_longer_than(text)
            || self.beginnings.as_ref().is_some_and(|beginnings| {
                text.len() <= PIECE
                    && beginnings.find(text).is_none()
                    && !View::ALL.iter().any(|view| view.applies(text))
            })
    }

    /// The patterns that match in this state of the automaton, the longest first.
    pub(super) fn ending(&self, state: StateID) -> impl Iterator<Item = PatternID> + use<'_> {
        (0..self.automaton.match_len(state)).map(move |index| self.automaton.match_pattern(state, index))
    }

    /// Bytes of a pattern.
    pub(super) fn length(&self, pattern: PatternID) -> usize {
        self.automaton.pattern_len(pattern)
    }

    /// The number of the secret whose form this pattern is.
    pub(super) fn secret(&self, pattern: PatternID) -> usize {
        self.secrets.get(pattern.as_usize()).copied().unwrap_or_default()
    }
}

/// One pass over a text, in one view.
pub(super) struct Pass<'k> {
    patterns: &'k Patterns,
    view: View,
    /// The automaton's state when no pattern has begun.
    start: StateID,
    state: StateID,
    /// The position where reading continues.
    at: usize,
    /// The position up to which the automaton has read. Bytes between here and `at` were skipped; the pass may return
    /// to them.
    walked: usize,
    /// The number of decoded bytes.
    read: usize,
    /// Decoded bytes since the last escape, or since the last skip.
    plain: usize,
    /// Whether no pattern that could still match has begun.
    is_idle: bool,
    /// The source position of each of the last decoded bytes, as a ring buffer; empty in the plain view and until
    /// something may match.
    sources: Vec<usize>,
}

/// The patterns that match at one position.
pub(super) struct Hit<'p> {
    pub(super) state: StateID,
    /// The position in the text after the match.
    end: usize,
    /// Bytes decoded up to here.
    read: usize,
    sources: &'p [usize],
}

impl Hit<'_> {
    /// The range in the text from which the last `length` decoded bytes come.
    pub(super) fn span(&self, length: usize) -> Range<usize> {
        let first = self.read.saturating_sub(length);
        let start = match self.sources.len().checked_sub(1) {
            Some(mask) => self.sources.get(first & mask).copied().unwrap_or_default(),
            None => self.end.saturating_sub(length),
        };
        start..self.end
    }
}

impl<'k> Pass<'k> {
    pub(super) fn new(patterns: &'k Patterns, view: View) -> Self {
        let start = patterns.automaton.start_state(Anchored::No).unwrap_or_default();
        Self {
            patterns,
            view,
            start,
            state: start,
            at: 0,
            walked: 0,
            read: 0,
            plain: 0,
            is_idle: true,
            sources: Vec::new(),
        }
    }

    /// Reads up to `to`, or slightly beyond it. Returns whether there is more text.
    pub(super) fn advance(&mut self, text: &[u8], to: usize, mut found: impl FnMut(&Hit<'_>)) -> bool {
        while self.at < to {
            if self.is_idle {
                self.skip(text, to);
            } else {
                self.walk(text, to, &mut found);
            }
        }
        self.at < text.len()
    }

    /// Skips to the next position where a pattern may begin.
    fn skip(&mut self, text: &[u8], to: usize) {
        let next = match (self.view.escape(), &self.patterns.beginnings) {
            // A match that only this view shows contains an escape.
            (Some(escape), _) => {
                let escape = text
                    .get(self.at..to)
                    .and_then(|text| memchr::memchr(escape, text));
                escape.map(|place| {
                    let place = self.at + place;
                    place.saturating_sub(self.patterns.longest).max(self.walked)
                })
            }
            (None, Some(beginnings)) => {
                // A prefix may begin before `to` and continue beyond it.
                let end = text.len().min(to + BEGINNING - 1);
                let span = Span { start: self.at, end };
                beginnings.find_in(text, span).map(|found| found.start())
            }
            (None, None) => Some(self.at),
        };
        match next {
            Some(next) => {
                self.at = next;
                self.is_idle = false;
                self.plain = 0;
                // A pattern may have begun just before `next`.
                if next > self.walked {
                    self.state = self.start;
                }
                if self.sources.is_empty() && self.view != View::AsIs {
                    self.sources = vec![0; self.patterns.longest.next_power_of_two()];
                }
            }
            None => self.at = to,
        }
    }

    fn walk(&mut self, text: &[u8], to: usize, found: &mut impl FnMut(&Hit<'_>)) {
        let Self {
            patterns,
            view,
            start,
            state,
            read,
            plain,
            sources,
            ..
        } = self;
        let automaton = &patterns.automaton;
        let escape = view.escape();
        let mask = sources.len().saturating_sub(1);
        let mut is_idle = false;
        self.at = view.read(text, self.at, to, |byte, source| {
            if let Some(place) = sources.get_mut(*read & mask) {
                *place = source.start;
            }
            *read += 1;
            *state = automaton.next_state(Anchored::No, *state, byte);
            if automaton.is_match(*state) {
                found(&Hit {
                    state: *state,
                    end: source.end,
                    read: *read,
                    sources,
                });
            }
            is_idle = if escape.is_some() {
                // After so many bytes without an escape, no pattern in progress contains one.
                let is_escape = escape == text.get(source.start).copied();
                *plain = if is_escape { 0 } else { *plain + 1 };
                *plain > patterns.longest
            } else {
                *state == *start && patterns.beginnings.is_some()
            };
            !is_idle
        });
        self.walked = self.at;
        self.is_idle = is_idle;
    }
}
