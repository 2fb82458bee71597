//! Shows a run's progress on standard error: a bar on a terminal, otherwise a line now and then, and a summary at the
//! end.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use nodule::{Latency, Summary, Watch};

use crate::args::Progress as Mode;
use crate::exit;
use crate::stderr;

/// How often a line is printed without a terminal: often enough to show that the run goes on, without filling a log.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Results are counted far more often than shown; counting must cost next to nothing.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Drawn more often, a bar flickers.
const DRAWN_PER_SECOND: u8 = 8;
/// For terminals that do not report their width.
const COLUMNS: u16 = 80;

/// Shows a run's counts.
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
        // In JSON mode standard error carries events only, so there is no bar.
        let is_terminal = std::io::stderr().is_terminal() && !stderr::is_json();
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

    /// Called for each result. Reads the counts only when they may be drawn.
    pub fn result(&mut self) {
        if self.last_look.elapsed() >= LOOK_EVERY {
            self.show();
        }
    }

    /// Shows the counts, if it is time to.
    pub fn show(&mut self) {
        self.last_look = Instant::now();
        if self.bar.is_none() && (!self.lines || self.last_line.elapsed() < LINE_EVERY) {
            return;
        }
        let now = self.watch.summary();
        if let Some(bar) = &self.bar {
            bar.set_position(now.items);
            bar.set_message(format!(
                "{}, {}",
                beside_the_count(&now),
                rate(now.items, now.elapsed)
            ));
        } else {
            self.last_line = Instant::now();
            exit::counts("progress", &[so_far(&now, self.total)], &now);
        }
    }

    /// Prints something else above the bar.
    pub fn suspend(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Removes the bar.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Removes the bar and prints the summary.
    pub fn end(self, run: &Summary) {
        self.clear();
        if self.quiet {
            return;
        }
        exit::counts("summary", &ended(run), run);
    }
}

/// The bar's text beside the number of results.
fn beside_the_count(now: &Summary) -> String {
    let mut more = format!(
        "{} done, {} failed, {} in flight",
        now.done,
        now.failures(),
        now.in_flight
    );
    if now.retries > 0 {
        more = format!("{more}, {}", counted(now.retries, "retry", "retries"));
    }
    if now.rows > 0 {
        more = format!("{more}, {}", counted(now.rows, "row", "rows"));
    }
    more
}

/// The progress line that replaces the bar without a terminal.
fn so_far(now: &Summary, total: Option<u64>) -> String {
    let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
    let left = total
        .and_then(|total| left(now, total))
        .map(|left| format!(", {left} left"));
    let (rate, left) = (rate(now.items, now.elapsed), left.unwrap_or_default());
    let more = beside_the_count(now);
    format!("{}{of} items: {more}, {rate}{left}", now.items)
}

/// The summary, in two lines.
fn ended(run: &Summary) -> [String; 2] {
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
    let first = format!(
        "{}: {} done, {} failed{kinds}, {}",
        counted(run.items, "item", "items"),
        run.done,
        run.failures(),
        duration(run.elapsed)
    );
    let mut more = vec![counted(run.requests, "request", "requests")];
    let counts = [
        (run.rows, "row page by page", "rows page by page"),
        (run.retries, "retry", "retries"),
        (run.renewals, "renewed session", "renewed sessions"),
        (run.again, "done before", "done before"),
        (run.skipped, "skipped", "skipped"),
        (run.unknown, "perhaps done", "perhaps done"),
        (run.same_key, "with the key of another", "with the key of another"),
    ];
    more.extend(
        counts
            .into_iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, many)| counted(count, one, many)),
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
    [first, more.join(", ")]
}

/// A count with its noun.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The estimated time left at the rate so far.
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
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(Screen), DRAWN_PER_SECOND);
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{bar:30} {pos} of {len} items: {msg}, {eta} left",
        ),
        None => (
            ProgressBar::no_length(),
            "{spinner} {pos} items: {msg}, {elapsed}",
        ),
    };
    bar.set_draw_target(target);
    // With an invalid template, the library's default remains.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// The terminal that the bar draws on. It writes through standard error's thread, so that a stopped terminal (Ctrl-S)
/// does not stop the run.
#[derive(Debug)]
struct Screen;

impl Screen {
    /// Writes a control sequence that moves the cursor by `count` lines or columns.
    fn moved(&self, count: usize, direction: char) -> io::Result<()> {
        if count == 0 {
            return Ok(());
        }
        self.write_str(&format!("\u{1b}[{count}{direction}"))
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        terminal_size::terminal_size_of(io::stderr()).map_or(COLUMNS, |(width, _)| width.0)
    }

    fn move_cursor_up(&self, count: usize) -> io::Result<()> {
        self.moved(count, 'A')
    }

    fn move_cursor_down(&self, count: usize) -> io::Result<()> {
        self.moved(count, 'B')
    }

    fn move_cursor_right(&self, count: usize) -> io::Result<()> {
        self.moved(count, 'C')
    }

    fn move_cursor_left(&self, count: usize) -> io::Result<()> {
        self.moved(count, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(&format!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        stderr::event(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write_str("\r\u{1b}[2K")
    }

    /// Nothing to flush: the queue's thread writes everything.
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(items: u64, elapsed: Duration) -> String {
    format!("{:.0} a second", items as f64 / elapsed.as_secs_f64().max(0.001))
}

fn duration(took: Duration) -> String {
    if took < Duration::from_millis(10) {
        format!("{:.1} ms", took.as_secs_f64() * 1000.0)
    } else if took < Duration::from_secs(1) {
        format!("{} ms", took.as_millis())
    } else if took < Duration::from_secs(100) {
        format!("{:.1} s", took.as_secs_f64())
    } else {
        format!("{} min {} s", took.as_secs() / 60, took.as_secs() % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(change: impl FnOnce(&mut Summary)) -> Summary {
        let mut summary = Summary::default();
        change(&mut summary);
        summary
    }

    #[test]
    fn a_line_says_how_far_the_run_is() {
        let now = summary(|now| {
            (now.items, now.done, now.in_flight) = (1_000, 997, 64);
            now.failed.insert("rejected".to_owned(), 3);
            now.elapsed = Duration::from_secs(10);
        });
        assert_eq!(
            so_far(&now, Some(5_000)),
            "1000 of 5000 items: 997 done, 3 failed, 64 in flight, 100 a second, 40.0 s left"
        );
        let listing = summary(|now| (now.in_flight, now.rows) = (1, 120_000));
        assert!(so_far(&listing, Some(1)).contains("1 in flight, 120000 rows, "));
        let retried = summary(|now| {
            now.retries = 1;
            now.elapsed = Duration::from_secs(10);
        });
        // The number of items on standard input is unknown, and so is the time left before the first result.
        let line = "0 items: 0 done, 0 failed, 0 in flight, 1 retry, 0 a second";
        assert_eq!(so_far(&retried, None), line);
        assert_eq!(
            so_far(&retried, Some(7)),
            line.replacen("0 items", "0 of 7 items", 1)
        );
    }

    #[test]
    fn the_end_names_what_there_was_and_nothing_else() {
        let one = summary(|run| {
            (run.items, run.done, run.requests) = (1, 1, 1);
            run.elapsed = Duration::from_millis(12);
            run.latency.p50 = Duration::from_micros(340);
            run.latency.p95 = Duration::from_millis(4);
            run.latency.p99 = Duration::from_millis(1_500);
        });
        assert_eq!(
            ended(&one),
            [
                "1 item: 1 done, 0 failed, 12 ms",
                "1 request, p50 0.3 ms, p95 4.0 ms, p99 1.5 s"
            ]
        );
        let many = summary(|run| {
            (run.items, run.done, run.again, run.skipped) = (300, 290, 200, 1);
            (run.unknown, run.renewals, run.same_key, run.rows) = (4, 2, 1, 900);
            run.failed.insert("rejected".to_owned(), 6);
            run.failed.insert("unknown".to_owned(), 4);
            run.elapsed = Duration::from_secs(125);
        });
        assert_eq!(
            ended(&many),
            [
                "300 items: 290 done, 10 failed (6 rejected, 4 unknown), 2 min 5 s",
                "0 requests, 900 rows page by page, 2 renewed sessions, 200 done before, 1 skipped, 4 perhaps done, 1 with the key of another"
            ]
        );
    }
}
