//! Standard error, written by a thread of its own: a slow reader blocks nobody.
//!
//! A run that waited for the reader of its events would leave items half done, and one that failed for lack of a reader
//! would lose its results. So output goes into a bounded queue; what does not fit is dropped and counted. A closed
//! standard error or a full disk loses text but ends nothing.
//!
//! The command waits for its own messages as long as somebody reads, so that they appear in order with standard output.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nodule::text;
use serde_json::Value;

/// Room for some ten thousand events.
const QUEUE_BYTES: usize = 4 * 1024 * 1024;
/// Messages still fit when events no longer do: they are few, and the last ones say how the command ended.
const MESSAGE_BYTES: usize = QUEUE_BYTES + 1024 * 1024;
/// Largest single write: the capacity of a pipe.
const PIECE_BYTES: usize = 64 * 1024;
/// How long to wait for a message to be written. After one timeout, later messages are not waited for until the reader
/// reads again.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long the command waits at exit: for a reader that reads nothing, and in total for a slow one.
const LAST_PATIENCE: Duration = Duration::from_secs(1);
const LONGEST_PATIENCE: Duration = Duration::from_secs(10);

/// Text that is not written yet.
#[derive(Default)]
struct Queue {
    text: VecDeque<u8>,
    /// Total bytes enqueued and written.
    said: u64,
    written: u64,
    /// Number of events and messages dropped.
    left_out: u64,
    /// A wait timed out, and nothing was written since.
    is_stuck: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Whether events are JSON lines.
    is_json: bool,
}

static SHARED: OnceLock<Shared> = OnceLock::new();

/// Switches to JSON lines; call it before any output.
pub fn write_json() {
    let _ = SHARED.set(Shared::new(true));
}

/// Whether events, and so all output, are JSON lines.
pub fn is_json() -> bool {
    SHARED.get().is_some_and(|shared| shared.is_json)
}

/// An event's severity.
#[derive(Debug, Clone, Copy)]
pub enum Level {
    Error,
    Warn,
    Info,
}

/// Writes a message of the command as an event like the library's. Errors appear at every log level, since they say why
/// the command ended.
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

/// Writes an event; it is dropped when nobody reads.
pub fn event(text: &str) {
    shared().put(text.as_bytes(), QUEUE_BYTES);
}

/// Writes a message of the command.
pub fn message(text: &str) {
    let shared = shared();
    shared.put(text.as_bytes(), MESSAGE_BYTES);
    shared.wait(PATIENCE, PATIENCE);
}

/// Waits until everything is written, or until the reader has stopped reading for a while.
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

    /// Waits until all text enqueued so far is written: at most `patience` without progress, and at most `longest` in
    /// total.
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

    /// The thread's loop: writes the queue forever.
    fn write_all(&self) {
        let mut stderr = anstream::stderr();
        loop {
            let mut queue = self.queue();
            while queue.text.is_empty() {
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            let length = queue.text.len().min(PIECE_BYTES);
            let piece: Vec<u8> = queue.text.drain(..length).collect();
            // Report dropped text after the last line that fit, which is where the queue runs empty.
            let left_out = if queue.text.is_empty() {
                std::mem::take(&mut queue.left_out)
            } else {
                0
            };
            drop(queue);
            // A failed write cannot be reported anywhere.
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

/// The note that replaces dropped text.
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
        // Nobody writes: the first wait times out, and later ones return at once.
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
