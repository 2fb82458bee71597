//! Searches a text piece by piece, because a long text takes milliseconds and the caller may have other work in
//! between.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use aho_corasick::automaton::StateID;

use super::encoding::View;
use super::patterns::{Hit, Pass, Patterns};
use super::whole::{WholePass, WholeStrings};
use super::{Known, Lookup, REDACTED};

/// Bytes read per step; a step takes a few milliseconds at most.
pub const PIECE: usize = 256 * 1024;

/// A search for the secrets in a text, which removes them.
pub struct Search<'k, 't> {
    text: &'t [u8],
    anywhere: Option<Passes<'k, 't>>,
    whole: Option<WholePasses<'k, 't>>,
    found: Found<'k>,
    /// Whether the whole text counts as a secret.
    is_everything: bool,
}

/// The matches so far.
struct Found<'k> {
    patterns: Option<&'k Patterns>,
    /// For each secret, by number: whether it stays in the text. Secrets beyond the list are removed.
    told: Vec<bool>,
    /// For each state, the longest pattern to remove; cached so that overlapping patterns are examined once.
    longest: HashMap<StateID, Option<usize>>,
    spans: Spans,
}

impl<'k, 't> Search<'k, 't> {
    /// `told` lists, by number, the secrets that stay.
    pub(super) fn new(known: &'k Known, text: &'t [u8], told: Vec<bool>) -> Self {
        let patterns = match &known.patterns {
            Lookup::In(patterns) => Some(&**patterns),
            Lookup::None | Lookup::Everything => None,
        };
        Self {
            text,
            anywhere: patterns.map(|patterns| Passes::new(patterns, text)),
            whole: known.whole.as_ref().map(|whole| WholePasses::new(whole, text)),
            found: Found {
                patterns,
                told,
                longest: HashMap::new(),
                spans: Spans::default(),
            },
            is_everything: matches!(known.patterns, Lookup::Everything) && !text.is_empty(),
        }
    }

    /// Reads one piece. Returns whether there is more.
    pub fn step(&mut self) -> bool {
        let found = &mut self.found;
        if let Some(passes) = &mut self.anywhere {
            if passes.is_at_beginning() {
                found.spans.begin();
            }
            if !passes.step(|hit| found.hit(hit)) {
                self.anywhere = None;
            }
        } else if let Some(passes) = &mut self.whole {
            if passes.is_at_beginning() {
                found.spans.begin();
            }
            if !passes.step(&mut found.spans) {
                self.whole = None;
            }
        }
        self.anywhere.is_some() || self.whole.is_some()
    }

    /// Returns the text without the secrets; `None` if there were none.
    pub fn finish(self) -> Option<Vec<u8>> {
        if self.is_everything {
            return Some(REDACTED.into());
        }
        let spans = self.found.spans.merged();
        if spans.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(self.text.len());
        let mut done = 0;
        for span in spans {
            out.extend_from_slice(self.text.get(done..span.start).unwrap_or_default());
            out.extend_from_slice(REDACTED.as_bytes());
            done = span.end;
        }
        out.extend_from_slice(self.text.get(done..).unwrap_or_default());
        Some(out)
    }
}

impl Found<'_> {
    fn hit(&mut self, hit: &Hit<'_>) {
        let Some(patterns) = self.patterns else { return };
        let longest = if self.told.contains(&true) {
            let told = &self.told;
            let stays = |pattern| told.get(patterns.secret(pattern)).copied().unwrap_or_default();
            *self.longest.entry(hit.state).or_insert_with(|| {
                let mut ending = patterns.ending(hit.state);
                ending
                    .find(|pattern| !stays(*pattern))
                    .map(|pattern| patterns.length(pattern))
            })
        } else {
            let first = patterns.ending(hit.state).next();
            first.map(|pattern| patterns.length(pattern))
        };
        if let Some(longest) = longest {
            self.spans.push(hit.span(longest));
        }
    }
}

/// A search for which secrets a text contains, in any form.
pub struct Heard<'k, 't> {
    passes: Passes<'k, 't>,
    /// The states already seen; a state always yields the same secrets.
    met: HashSet<StateID>,
    secrets: Vec<usize>,
}

impl<'k, 't> Heard<'k, 't> {
    pub(super) fn new(patterns: &'k Patterns, text: &'t [u8]) -> Self {
        Self {
            passes: Passes::new(patterns, text),
            met: HashSet::new(),
            secrets: Vec::new(),
        }
    }

    /// Reads one piece. Returns whether there is more.
    pub fn step(&mut self) -> bool {
        let Self { passes, met, secrets } = self;
        let patterns = passes.patterns;
        passes.step(|hit| {
            if met.insert(hit.state) {
                secrets.extend(patterns.ending(hit.state).map(|pattern| patterns.secret(pattern)));
            }
        })
    }

    /// The numbers of the secrets found.
    pub(super) fn finish(self) -> Vec<usize> {
        self.secrets
    }
}

/// Passes over a text in every view.
struct Passes<'k, 't> {
    patterns: &'k Patterns,
    text: &'t [u8],
    pass: Option<Pass<'k>>,
    later: std::array::IntoIter<View, 3>,
    /// Position after the last piece.
    read: usize,
}

impl<'k, 't> Passes<'k, 't> {
    fn new(patterns: &'k Patterns, text: &'t [u8]) -> Self {
        let mut later = View::ALL.into_iter();
        let first = later.next().filter(|_| !patterns.are_longer_than(text));
        Self {
            patterns,
            text,
            pass: first.map(|view| Pass::new(patterns, view)),
            later,
            read: 0,
        }
    }

    fn is_at_beginning(&self) -> bool {
        self.read == 0
    }

    fn step(&mut self, found: impl FnMut(&Hit<'_>)) -> bool {
        let Some(pass) = &mut self.pass else { return false };
        self.read = self.text.len().min(self.read + PIECE);
        if !pass.advance(self.text, self.read, found) {
            self.pass = self.later.next().map(|view| Pass::new(self.patterns, view));
            self.read = 0;
        }
        self.pass.is_some()
    }
}

/// Passes over a text in every view, for whole JSON strings.
struct WholePasses<'k, 't> {
    whole: &'k WholeStrings,
    text: &'t [u8],
    pass: WholePass<'k>,
    later: std::array::IntoIter<View, 3>,
    read: usize,
}

impl<'k, 't> WholePasses<'k, 't> {
    fn new(whole: &'k WholeStrings, text: &'t [u8]) -> Self {
        let mut later = View::ALL.into_iter();
        later.next();
        Self {
            whole,
            text,
            pass: WholePass::new(whole, View::AsIs),
            later,
            read: 0,
        }
    }

    fn is_at_beginning(&self) -> bool {
        self.read == 0
    }

    fn step(&mut self, spans: &mut Spans) -> bool {
        self.read = self.text.len().min(self.read + PIECE);
        if self.pass.advance(self.text, self.read, spans) {
            return true;
        }
        let text = self.text;
        match self.later.find(|view| view.applies(text)) {
            Some(view) => {
                self.pass = WholePass::new(self.whole, view);
                self.read = 0;
                true
            }
            None => false,
        }
    }
}

/// Ranges of a text; those of the same pass do not overlap.
#[derive(Default)]
pub(super) struct Spans {
    all: Vec<Range<usize>>,
    /// How many ranges come from earlier passes.
    earlier: usize,
}

impl Spans {
    fn begin(&mut self) {
        self.earlier = self.all.len();
    }

    /// Adds a range that ends no earlier than those before it, and merges it with the ranges that it overlaps.
    pub(super) fn push(&mut self, mut span: Range<usize>) {
        while self.all.len() > self.earlier
            && let Some(last) = self.all.pop_if(|last| last.end > span.start)
        {
            span.start = span.start.min(last.start);
            span.end = span.end.max(last.end);
        }
        self.all.push(span);
    }

    /// Returns all ranges in order, without overlaps.
    fn merged(self) -> Vec<Range<usize>> {
        let Self { mut all, earlier } = self;
        if earlier > 0 {
            // The ranges are three sorted runs, which the sort merges quickly.
            all.sort_by_key(|span| span.start);
        }
        let mut merged = Self::default();
        for span in all {
            merged.push(span);
        }
        merged.all
    }
}
