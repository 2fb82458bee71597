//! How far a run is, on standard error: a bar on a terminal, a line now and then elsewhere, and a summary at the end.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nodule::Failure;

use crate::args::Progress as Mode;
use crate::exit;

/// How often a line is printed where there is no terminal: a log is not filled, and nobody waits long for a sign.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// A bar that is drawn more often only flickers.
const DRAWN_PER_SECOND: u8 = 8;

/// Counts results and shows the counts.
pub struct Progress {
    bar: Option<ProgressBar>,
    lines: bool,
    quiet: bool,
    total: Option<u64>,
    started: Instant,
    last_line: Instant,
    done: u64,
    failed: BTreeMap<String, u64>,
}

impl Progress {
    pub fn new(mode: Mode, total: Option<u64>) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = (mode == Mode::Auto && is_terminal).then(|| bar(total));
        let now = Instant::now();
        Self {
            lines: mode == Mode::Plain || mode == Mode::Auto && !is_terminal,
            quiet: mode == Mode::Off,
            bar,
            total,
            started: now,
            last_line: now,
            done: 0,
            failed: BTreeMap::new(),
        }
    }

    /// Count an item that is done.
    pub fn done(&mut self) {
        self.done += 1;
        self.show();
    }

    /// Count an item that failed.
    pub fn failed(&mut self, failure: &Failure) {
        *self.failed.entry(failure.kind().to_owned()).or_default() += 1;
        self.show();
    }

    fn all_failed(&self) -> u64 {
        self.failed.values().sum()
    }

    fn show(&mut self) {
        let (done, failed) = (self.done, self.all_failed());
        if let Some(bar) = &self.bar {
            bar.set_position(done + failed);
            if failed > 0 {
                bar.set_message(format!("{failed} failed"));
            }
        } else if self.lines && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let of = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
            let rate = rate(done + failed, self.started.elapsed());
            exit::line(&format!("{}{of} items, {failed} failed, {rate}", done + failed));
        }
    }

    /// Take the bar away and say how the run ended.
    pub fn end(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if self.quiet {
            return;
        }
        let failed = self.all_failed();
        let items = self.done + failed;
        let took = self.started.elapsed();
        let kinds: Vec<String> = self
            .failed
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        let kinds = if kinds.is_empty() {
            String::new()
        } else {
            format!(" ({})", kinds.join(", "))
        };
        let noun = if items == 1 { "item" } else { "items" };
        exit::line(&format!(
            "{items} {noun}: {} done, {failed} failed{kinds}, {}",
            self.done,
            duration(took)
        ));
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(DRAWN_PER_SECOND);
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{bar:30} {pos} of {len} items, {per_sec:.0}, {eta} left  {msg:.red}",
        ),
        None => (
            ProgressBar::no_length(),
            "{spinner} {pos} items, {per_sec:.0}, {elapsed}  {msg:.red}",
        ),
    };
    bar.set_draw_target(target);
    // The template is a constant; a wrong one would show the library's own.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(items: u64, elapsed: Duration) -> String {
    format!("{:.0} a second", items as f64 / elapsed.as_secs_f64().max(0.001))
}

fn duration(took: Duration) -> String {
    if took < Duration::from_secs(1) {
        format!("{} ms", took.as_millis())
    } else if took < Duration::from_secs(100) {
        format!("{:.1} s", took.as_secs_f64())
    } else {
        format!("{} min {} s", took.as_secs() / 60, took.as_secs() % 60)
    }
}
