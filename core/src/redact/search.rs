//! Looking a text through, a piece at a time: a long one takes milliseconds, and whoever looks may have other things to do
//! meanwhile.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use aho_corasick::automaton::StateID;

use super::encoding::View;
use super::patterns::{Hit, Pass, Patterns};
use super::whole::{WholePass, WholeStrings};
use super::{Known, Lookup, REDACTED};

/// Bytes that are read in one step: a few milliseconds at the slowest.
pub const PIECE: usize = 256 * 1024;

/// Where in a text secrets stand.
pub struct Search<'k, 't> {
    text: &'t [u8],
    anywhere: Option<Passes<'k, 't>>,
    whole: Option<WholePasses<'k, 't>>,
    found: Found<'k>,
    /// Whether the whole text counts as a secret.
    is_everything: bool,
}

/// What was found so far.
struct Found<'k> {
    patterns: Option<&'k Patterns>,
    /// Secrets that stay, by number. Missing ones do not.
    told: Vec<bool>,
    /// The longest pattern that does not stay, by state; so that overlapping patterns are looked through once.
    longest: HashMap<StateID, Option<usize>>,
    spans: Spans,
}

impl<'k, 't> Search<'k, 't> {
    /// `told` are secrets that stay, by number.
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

    /// Read a piece; whether there is more.
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

    /// The text without what was found; `None` where that is nothing.
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

/// Which secrets stand in a text, in whatever form.
pub struct Heard<'k, 't> {
    passes: Passes<'k, 't>,
    /// States that were met: each says the same again.
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

    /// Read a piece; whether there is more.
    pub fn step(&mut self) -> bool {
        let Self { passes, met, secrets } = self;
        let patterns = passes.patterns;
        passes.step(|hit| {
            if met.insert(hit.state) {
                secrets.extend(patterns.ending(hit.state).map(|pattern| patterns.secret(pattern)));
            }
        })
    }

    /// Their numbers.
    pub(super) fn finish(self) -> Vec<usize> {
        self.secrets
    }
}

/// Every reading of a text.
struct Passes<'k, 't> {
    patterns: &'k Patterns,
    text: &'t [u8],
    pass: Option<Pass<'k>>,
    later: std::array::IntoIter<View, 3>,
    /// Where the last piece ended.
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

/// Every reading of a text, for its whole strings.
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

/// Places in a text, none of which overlaps another of the same reading.
#[derive(Default)]
pub(super) struct Spans {
    all: Vec<Range<usize>>,
    /// How many are of earlier readings.
    earlier: usize,
}

impl Spans {
    fn begin(&mut self) {
        self.earlier = self.all.len();
    }

    /// One that ends no sooner than those before it.
    pub(super) fn push(&mut self, mut span: Range<usize>) {
        while self.all.len() > self.earlier
            && let Some(last) = self.all.pop_if(|last| last.end > span.start)
        {
            span.start = span.start.min(last.start);
            span.end = span.end.max(last.end);
        }
        self.all.push(span);
    }

    /// All of them in order, none overlapping another.
    fn merged(self) -> Vec<Range<usize>> {
        let Self { mut all, earlier } = self;
        if earlier > 0 {
            // Three runs that are sorted already.
            all.sort_by_key(|span| span.start);
        }
        let mut merged = Self::default();
        for span in all {
            merged.push(span);
        }
        merged.all
    }
}
