//! Short secrets where they are a whole string value of a JSON document.

use std::ops::Range;

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::contiguous;
use aho_corasick::{Anchored, MatchKind};

use super::encoding::View;
use super::search::Spans;

/// Short secrets, with the quotes around them.
pub(super) struct WholeStrings {
    automaton: contiguous::NFA,
    /// Bytes of the longest one.
    longest: usize,
}

impl WholeStrings {
    /// `None` where they are too many for the tables.
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

/// One reading of a text.
pub(super) struct WholePass<'k> {
    automaton: &'k contiguous::NFA,
    view: View,
    state: StateID,
    at: usize,
    read: usize,
    /// The last bytes that were read.
    last: Vec<Read>,
    /// The last byte that is no white space.
    visible: Option<u8>,
    /// Texts in quotes that are values, if what follows says so.
    pending: Vec<Range<usize>>,
}

/// A byte that was read.
#[derive(Clone, Copy, Default)]
struct Read {
    /// Where it came from.
    source: usize,
    /// The last byte before it that is no white space.
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

    /// Read on up to there, or a little further; whether there is more.
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
                // They are of different lengths, and short: no more than a few.
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

/// Whether what stands in quotes is a value, and not a key, nor what lies between two strings, shows in what follows.
fn settle(pending: &mut Vec<Range<usize>>, after: Option<u8>, spans: &mut Spans) {
    let is_value = matches!(after, None | Some(b',' | b']' | b'}'));
    for span in pending.drain(..).filter(|_| is_value) {
        spans.push(span);
    }
}
