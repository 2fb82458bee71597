//! How far a run is, on standard error: a bar on a terminal, a line now and then elsewhere, and a summary at the end.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nodule::{Latency, Summary, Watch};

use crate::args::Progress as Mode;
use crate::exit;

/// How often a line is printed where there is no terminal: a log is not filled, and nobody waits long for a sign.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Counting a result must cost nothing beside running it.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A bar that is drawn more often only flickers.
const DRAWN_PER_SECOND: u8 = 8;

/// Shows what a run counts.
pub struct Progress {
    bar: Option<ProgressBar>,
    lines: bool,
    quiet: bool,
    total: Option<u64>,
    watch: Watch,
    last_line: Instant,
    last_look: Instant,
}

impl Progress {
    pub fn new(mode: Mode, total: Option<u64>, watch: Watch) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = (mode == Mode::Auto && is_terminal).then(|| bar(total));
        let now = Instant::now();
        Self {
            lines: mode == Mode::Plain || mode == Mode::Auto && !is_terminal,
            quiet: mode == Mode::Off,
            bar,
            total,
            watch,
            last_line: now,
            last_look: now,
        }
    }

    /// There is one more result. The counts are looked at only when they may be drawn.
    pub fn result(&mut self) {
        if self.last_look.elapsed() >= LOOK_EVERY {
            self.show();
        }
    }

    /// Show the counts, if it is time to.
    pub fn show(&mut self) {
        self.last_look = Instant::now();
        if self.bar.is_none() && (!self.lines || self.last_line.elapsed() < LINE_EVERY) {
            return;
        }
        let now = self.watch.summary();
        let mut more = format!("{} in flight", now.in_flight);
        if now.failures() > 0 {
            more = format!("{} failed, {more}", now.failures());
        }
        if now.retries > 0 {
            more = format!("{more}, {} retries", now.retries);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(now.items);
            bar.set_message(more);
        } else {
            self.last_line = Instant::now();
            let of = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
            let left = self
                .total
                .and_then(|total| left(&now, total))
                .map(|left| format!(", {left} left"));
            let (rate, left) = (rate(now.items, now.elapsed), left.unwrap_or_default());
            exit::line(&format!("{}{of} items, {more}, {rate}{left}", now.items));
        }
    }

    /// Print something else, above the bar.
    pub fn suspend(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Take the bar away.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Take the bar away and say how the run ended.
    pub fn end(self, run: &Summary) {
        self.clear();
        if self.quiet {
            return;
        }
        let kinds: Vec<String> = run
            .failed
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        let kinds = if kinds.is_empty() {
            String::new()
        } else {
            format!(" ({})", kinds.join(", "))
        };
        let noun = if run.items == 1 { "item" } else { "items" };
        let (items, done, failed) = (run.items, run.done, run.failures());
        exit::line(&format!(
            "{items} {noun}: {done} done, {failed} failed{kinds}, {}",
            duration(run.elapsed)
        ));
        let mut more = vec![format!("{} requests", run.requests)];
        let counts = [
            (run.retries, "retries"),
            (run.renewals, "renewed sessions"),
            (run.again, "done before"),
            (run.skipped, "skipped"),
            (run.unknown, "perhaps done"),
            (run.same_key, "with the key of another"),
        ];
        more.extend(
            counts
                .iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!("{count} {what}")),
        );
        if run.requests > 0 {
            let Latency { p50, p95, p99, .. } = run.latency;
            more.push(format!(
                "p50 {}, p95 {}, p99 {}",
                duration(p50),
                duration(p95),
                duration(p99)
            ));
        }
        exit::line(&more.join(", "));
    }
}

/// How long the rest takes at the rate so far.
#[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
fn left(now: &Summary, total: u64) -> Option<String> {
    let rest = total.checked_sub(now.items)?;
    if now.items == 0 {
        return None;
    }
    let seconds = now.elapsed.as_secs_f64() * rest as f64 / now.items as f64;
    Some(duration(Duration::try_from_secs_f64(seconds).ok()?))
}

fn bar(total: Option<u64>) -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(DRAWN_PER_SECOND);
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{bar:30} {pos} of {len} items, {per_sec}, {eta} left  {msg}",
        ),
        None => (
            ProgressBar::no_length(),
            "{spinner} {pos} items, {per_sec}, {elapsed}  {msg}",
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
