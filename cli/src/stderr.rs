//! Standard error, written to by a thread of its own: whoever does not read it holds up nobody.
//!
//! A run that waited for the reader of its events would leave items half done, and one that ended for want of a reader would
//! lose its results. So what is said goes into a queue of bounded size, and what does not fit is left out and counted. A
//! standard error that is closed, or a disk that is full, takes nothing, and ends nothing.
//!
//! Messages are waited for as long as somebody reads, so that they stand in order with what is printed on standard output.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nodule::text;
use serde_json::Value;

/// Some ten thousand events.
const QUEUE_BYTES: usize = 4 * 1024 * 1024;
/// Messages go in where events do not any more: there are few, and the last ones say how the command ended.
const MESSAGE_BYTES: usize = QUEUE_BYTES + 1024 * 1024;
/// Written at once: as much as a pipe holds.
const PIECE_BYTES: usize = 64 * 1024;
/// How long a message is waited for, until the first one for which that was in vain.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long the end of the command waits for a reader who takes nothing, and for one who takes little.
const LAST_PATIENCE: Duration = Duration::from_secs(1);
const LONGEST_PATIENCE: Duration = Duration::from_secs(10);

/// What was said and is not written yet.
#[derive(Default)]
struct Queue {
    text: VecDeque<u8>,
    /// Bytes that were put in and written, from the beginning on.
    said: u64,
    written: u64,
    /// Events and messages that did not fit.
    left_out: u64,
    /// A message was waited for in vain, and nothing was written since.
    is_stuck: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Whether events are JSON lines.
    is_json: bool,
}

static SHARED: OnceLock<Shared> = OnceLock::new();

/// Write events as JSON lines; to be said before anything else is.
pub fn write_json() {
    let _ = SHARED.set(Shared::new(true));
}

/// Whether events are JSON lines, and so everything else is.
pub fn is_json() -> bool {
    SHARED.get().is_some_and(|shared| shared.is_json)
}

/// How important an event is.
#[derive(Debug, Clone, Copy)]
pub enum Level {
    Error,
    Warn,
    Info,
}

/// A message of the command, as an event like those of the library. Why it ends is told whatever else is left out.
pub fn json(level: Level, fields: &Value) {
    const TARGET: &str = "nodule::command";
    let is_wanted = match level {
        Level::Error => true,
        Level::Warn => tracing::enabled!(target: TARGET, tracing::Level::WARN),
        Level::Info => tracing::enabled!(target: TARGET, tracing::Level::INFO),
    };
    if is_wanted {
        message(&event_line(level, fields));
    }
}

fn event_line(level: Level, fields: &Value) -> String {
    let event = serde_json::json!({
        "timestamp": jiff::Timestamp::now().to_string(),
        "level": match level {
            Level::Error => "ERROR",
            Level::Warn => "WARN",
            Level::Info => "INFO",
        },
        "fields": fields,
        "target": "nodule::command",
    });
    format!("{}\n", text::json(&event.to_string()))
}

/// An event; left out where nobody reads.
pub fn event(text: &str) {
    shared().put(text.as_bytes(), QUEUE_BYTES);
}

/// A message of the command.
pub fn message(text: &str) {
    let shared = shared();
    shared.put(text.as_bytes(), MESSAGE_BYTES);
    shared.wait(PATIENCE, PATIENCE);
}

/// Wait until everything is written, or until nobody has read for a while.
pub fn finish() {
    if let Some(shared) = SHARED.get() {
        shared.queue().is_stuck = false;
        shared.wait(LAST_PATIENCE, LONGEST_PATIENCE);
    }
}

fn shared() -> &'static Shared {
    static WRITER: OnceLock<bool> = OnceLock::new();
    let shared = SHARED.get_or_init(|| Shared::new(false));
    WRITER.get_or_init(|| {
        let writer = std::thread::Builder::new().name("stderr".to_owned());
        writer.spawn(|| shared.write_all()).is_ok()
    });
    shared
}

impl Shared {
    fn new(is_json: bool) -> Self {
        Self {
            queue: Mutex::default(),
            changed: Condvar::new(),
            is_json,
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, text: &[u8], most: usize) {
        let mut queue = self.queue();
        if queue.text.len() + text.len() > most {
            queue.left_out += 1;
            return;
        }
        queue.text.extend(text);
        queue.said += text.len() as u64;
        self.changed.notify_all();
    }

    /// Wait until what was said so far is written: for a time in which nothing is, and for a time in all.
    fn wait(&self, patience: Duration, longest: Duration) {
        let begin = Instant::now();
        let mut queue = self.queue();
        let wanted = queue.said;
        while queue.written < wanted && !queue.is_stuck {
            let before = queue.written;
            let left = patience.min(longest.saturating_sub(begin.elapsed()));
            let result = self
                .changed
                .wait_timeout_while(queue, left, |queue| queue.written == before);
            let (after, timeout) = result.unwrap_or_else(PoisonError::into_inner);
            queue = after;
            queue.is_stuck = timeout.timed_out();
        }
    }

    /// The thread: writes what is there, without end.
    fn write_all(&self) {
        let mut stderr = anstream::stderr();
        loop {
            let mut queue = self.queue();
            while queue.text.is_empty() {
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            let length = queue.text.len().min(PIECE_BYTES);
            let piece: Vec<u8> = queue.text.drain(..length).collect();
            // Where there is room again, which is behind the last line that had some.
            let left_out = if queue.text.is_empty() {
                std::mem::take(&mut queue.left_out)
            } else {
                0
            };
            drop(queue);
            // Where it cannot be written nobody can be told.
            let _ = stderr.write_all(&piece);
            if left_out > 0 {
                let _ = stderr.write_all(note(left_out, self.is_json).as_bytes());
            }
            let mut queue = self.queue();
            queue.written += length as u64;
            queue.is_stuck = false;
            self.changed.notify_all();
        }
    }
}

/// What stands in the place of what was left out.
fn note(left_out: u64, is_json: bool) -> String {
    if is_json {
        event_line(
            Level::Warn,
            &serde_json::json!({"message": "left out", "count": left_out}),
        )
    } else {
        format!("warning: {left_out} lines are left out here: nobody read standard error in time\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_is_left_out_and_counted_and_messages_come_later_than_events() {
        let shared = Shared::new(false);
        let event = [b'e'; 1000];
        for _ in 0..2 * QUEUE_BYTES / event.len() {
            shared.put(&event, QUEUE_BYTES);
        }
        let left_out = shared.queue().left_out;
        assert!(left_out > 4000 && shared.queue().text.len() <= QUEUE_BYTES);
        shared.put(b"message", MESSAGE_BYTES);
        assert_eq!(shared.queue().left_out, left_out);
        // Nobody writes: the first one waits for a moment, and no other.
        shared.wait(Duration::from_millis(1), Duration::MAX);
        assert!(shared.queue().is_stuck);
        shared.wait(Duration::MAX, Duration::MAX);
    }

    #[test]
    fn what_is_left_out_is_told_in_the_format_of_the_rest() {
        assert!(note(7, false).contains("7 lines"));
        let event: serde_json::Value = serde_json::from_str(&note(7, true)).unwrap();
        assert_eq!(
            (&event["level"], &event["fields"]["count"]),
            (&"WARN".into(), &7.into())
        );
    }
}
