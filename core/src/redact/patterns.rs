//! The tables that secrets are looked up in, and one reading of a text against them.
//!
//! Secrets may be chosen by an enemy, so that no step may cost more because they overlap, or because a text nearly holds
//! one at every byte. An automaton takes one step a byte, and where several patterns end the longest stands for all of
//! them. What says fast that there is nothing looks for beginnings of fixed length only, since comparing whole patterns at
//! every byte would be a product of both lengths.

use std::ops::Range;

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::contiguous;
use aho_corasick::{Anchored, MatchKind, PatternID, Span, packed};

use super::PIECE;
use super::encoding::{Form, View};

/// Bytes of a pattern's beginning that are looked for first. The shortest pattern has as many.
const BEGINNING: usize = super::SHORTEST_ANYWHERE;

/// What secrets look like.
pub(super) struct Patterns {
    /// Finds the beginnings of the patterns, where the processor has the instructions for it, and they are not too many.
    beginnings: Option<packed::Searcher>,
    automaton: contiguous::NFA,
    /// Which secret a pattern is a form of, by pattern.
    secrets: Vec<usize>,
    /// Bytes of the longest pattern.
    longest: usize,
    /// Bytes of the shortest one.
    shortest: usize,
}

impl Patterns {
    /// `None` where they are too many for the tables.
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

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.secrets.len()
    }

    /// How many secrets they are forms of.
    pub(super) fn secrets(&self) -> usize {
        self.secrets.last().map_or(0, |last| last + 1)
    }

    /// Whether a text is too short for any of them: what a secret is encoded as is never shorter than the secret.
    pub(super) fn are_longer_than(&self, text: &[u8]) -> bool {
        text.len() < self.shortest
    }

    /// Whether one look shows that a text holds none of them, as nearly every answer does not; `false` says nothing.
    pub(super) fn are_clearly_not_in(&self, text: &[u8]) -> bool {
        self.are_longer_than(text)
            || self.beginnings.as_ref().is_some_and(|beginnings| {
                text.len() <= PIECE
                    && beginnings.find(text).is_none()
                    && !View::ALL.iter().any(|view| view.applies(text))
            })
    }

    /// The patterns that end where the automaton is in this state, the longest first.
    pub(super) fn ending(&self, state: StateID) -> impl Iterator<Item = PatternID> + use<'_> {
        (0..self.automaton.match_len(state)).map(move |index| self.automaton.match_pattern(state, index))
    }

    /// Bytes of a pattern.
    pub(super) fn length(&self, pattern: PatternID) -> usize {
        self.automaton.pattern_len(pattern)
    }

    /// The secret that a pattern is a form of, by number.
    pub(super) fn secret(&self, pattern: PatternID) -> usize {
        self.secrets.get(pattern.as_usize()).copied().unwrap_or_default()
    }
}

/// One reading of a text.
pub(super) struct Pass<'k> {
    patterns: &'k Patterns,
    view: View,
    /// The automaton's state where nothing has begun.
    start: StateID,
    state: StateID,
    /// Where reading goes on.
    at: usize,
    /// Up to where the automaton has read; what lies between is skipped, and may be gone back to.
    walked: usize,
    /// Bytes that were read.
    read: usize,
    /// Bytes that were read since the last escape, or since reading went on there.
    plain: usize,
    /// Whether nothing that may still be found has begun.
    is_idle: bool,
    /// Where each of the last bytes that were read came from; for readings that undo something, once there is anything.
    sources: Vec<usize>,
}

/// Patterns that end at one place.
pub(super) struct Hit<'p> {
    pub(super) state: StateID,
    /// The end in the text.
    end: usize,
    /// Bytes that were read until then.
    read: usize,
    sources: &'p [usize],
}

impl Hit<'_> {
    /// Where in the text the last so many bytes that were read stand.
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

    /// Read on up to there, or a little further; whether there is more.
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

    /// Go to where something may begin.
    fn skip(&mut self, text: &[u8], to: usize) {
        let next = match (self.view.escape(), &self.patterns.beginnings) {
            // A match that is none in the text itself has an escape in it.
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
                // One may begin here and go on beyond.
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
                // Something may have begun right before.
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
                // Without an escape for that long, there is none in anything that is still to be found.
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
