//! Finds short secrets that are a whole string value of a JSON document.

use std::ops::Range;

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::contiguous;
use aho_corasick::{Anchored, MatchKind};

use super::encoding::View;
use super::search::Spans;

/// The short secrets, in quotes.
pub(super) struct WholeStrings {
    automaton: contiguous::NFA,
    /// Bytes of the longest secret.
    longest: usize,
}

impl WholeStrings {
    /// `None` if there are too many secrets for the tables.
    pub(super) fn new(secrets: &[&str]) -> Option<Self> {
        let quoted: Vec<String> = secrets.iter().map(|secret| format!("\"{secret}\"")).collect();
        let automaton = contiguous::NFA::builder()
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(&quoted)
            .ok()?;
        Some(Self {
            longest: quoted.iter().map(String::len).max().unwrap_or_default(),
            automaton,
        })
    }
}

/// One pass over a text.
pub(super) struct WholePass<'k> {
    automaton: &'k contiguous::NFA,
    view: View,
    state: StateID,
    at: usize,
    read: usize,
    /// The last decoded bytes, as a ring buffer.
    last: Vec<Read>,
    /// The last byte that is not white space.
    visible: Option<u8>,
    /// Matches in quotes; the next byte decides whether they are values.
    pending: Vec<Range<usize>>,
}

/// A decoded byte.
#[derive(Clone, Copy, Default)]
struct Read {
    /// Its position in the text.
    source: usize,
    /// The last byte before it that is not white space.
    before: Option<u8>,
}

impl<'k> WholePass<'k> {
    pub(super) fn new(whole: &'k WholeStrings, view: View) -> Self {
        Self {
            state: whole.automaton.start_state(Anchored::No).unwrap_or_default(),
            automaton: &whole.automaton,
            view,
            at: 0,
            read: 0,
            last: vec![Read::default(); whole.longest.next_power_of_two()],
            visible: None,
            pending: Vec::new(),
        }
    }

    /// Reads up to `to`, or slightly beyond it. Returns whether there is more text.
    pub(super) fn advance(&mut self, text: &[u8], to: usize, spans: &mut Spans) -> bool {
        let Self {
            automaton,
            view,
            state,
            at,
            read,
            last,
            visible,
            pending,
        } = self;
        let mask = last.len().saturating_sub(1);
        *at = view.read(text, *at, to, |byte, source| {
            if !byte.is_ascii_whitespace() {
                settle(pending, Some(byte), spans);
            }
            if let Some(place) = last.get_mut(*read & mask) {
                *place = Read {
                    source: source.start,
                    before: *visible,
                };
            }
            *read += 1;
            *state = automaton.next_state(Anchored::No, *state, byte);
            if automaton.is_match(*state) {
                // These matches have different lengths and are short, so there are only a few.
                for index in 0..automaton.match_len(*state) {
                    let length = automaton.pattern_len(automaton.match_pattern(*state, index));
                    let quote = read.saturating_sub(length);
                    let read_at = |index: usize| last.get(index & mask).copied().unwrap_or_default();
                    if matches!(read_at(quote).before, None | Some(b':' | b',' | b'[')) {
                        pending.push(read_at(quote + 1).source..source.start);
                    }
                }
            }
            if !byte.is_ascii_whitespace() {
                *visible = Some(byte);
            }
            true
        });
        let has_more = *at < text.len();
        if !has_more {
            settle(pending, None, spans);
        }
        has_more
    }
}

/// The byte after a match decides whether the match is a value, rather than a key or the text between two strings.
fn settle(pending: &mut Vec<Range<usize>>, after: Option<u8>, spans: &mut Spans) {
    let is_value = matches!(after, None | Some(b',' | b']' | b'}'));
    for span in pending.drain(..).filter(|_| is_value) {
        spans.push(span);
    }
}
