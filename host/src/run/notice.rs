//! Notices: what a person who watches a run should hear at once.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::stats::Stats;
use crate::events::{self, Label};
use nodule_core::text::shown;

/// How many notices the channel buffers; further ones are dropped, since they would repeat the same.
const NOTICES: usize = 4096;

/// A notice shows at most this much of a key or of a service's message.
const SHOWN_CHARS: usize = 500;

/// Sends notices to whoever watches a run. Clones share one channel.
#[derive(Debug, Clone)]
pub struct NoticeSender {
    /// Created by the first notice or the first receiver: most runs have neither.
    channel: Arc<Mutex<Option<Channel>>>,
    stats: Arc<Stats>,
    /// For events.
    label: Arc<Label>,
}

#[derive(Debug)]
struct Channel {
    sender: mpsc::Sender<Notice>,
    /// `None` once taken.
    receiver: Option<mpsc::Receiver<Notice>>,
}

impl NoticeSender {
    pub(crate) fn new(stats: Arc<Stats>, label: Arc<Label>) -> Self {
        Self {
            label,
            channel: Arc::default(),
            stats,
        }
    }

    /// Sends a notice. It is dropped if the channel is full.
    pub fn send(&self, notice: Notice) {
        if matches!(notice, Notice::SameKey { .. }) {
            self.stats.update(|summary| summary.same_key += 1);
        } else {
            events::notice(&self.label, notice.kind());
        }
        // The receiver may be gone or slow.
        let _ = self.channel(|channel| channel.sender.try_send(notice));
    }

    /// Takes the receiver; `None` if it was taken before.
    pub(crate) fn notices(&self) -> Option<mpsc::Receiver<Notice>> {
        self.channel(|channel| channel.receiver.take())
    }

    fn channel<T>(&self, work: impl FnOnce(&mut Channel) -> T) -> T {
        let mut channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        work(channel.get_or_insert_with(|| {
            let (sender, receiver) = mpsc::channel(NOTICES);
            Channel {
                sender,
                receiver: Some(receiver),
            }
        }))
    }
}

/// Something that a person who watches a run should hear at once. Its `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Two items have the same key, so the service counts only one of them.
    SameKey {
        /// The second item's index, from 0.
        item: usize,
        /// The first item's index.
        earlier: usize,
        /// Their key.
        key: String,
    },
    /// So many tries failed in a row that the run sends nothing for a while.
    ServiceDown {
        /// The message of the last failure.
        message: String,
    },
    /// The service responds again.
    ServiceBack,
    /// The service stayed down. Items now fail without being sent, except for an occasional probe.
    GivenUp {
        /// The message of the last failure.
        message: String,
    },
    /// The service asked clients to wait. No item starts until then.
    Throttled {
        /// How long.
        wait: Duration,
    },
    /// The run's time is up: no item and no retry starts any more.
    OutOfTime,
}

impl Notice {
    /// The kind of notice, as a stable identifier.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Notice::SameKey { .. } => "same-key",
            Notice::ServiceDown { .. } => "service-down",
            Notice::ServiceBack => "service-back",
            Notice::GivenUp { .. } => "given-up",
            Notice::Throttled { .. } => "throttled",
            Notice::OutOfTime => "out-of-time",
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::SameKey { item, earlier, key } => {
                let key = shown(key, SHOWN_CHARS);
                write!(
                    f,
                    "item {item} has the key `{key}` of item {earlier}: the service counts one of the two"
                )
            }
            Notice::ServiceDown { message } => {
                let message = shown(message, SHOWN_CHARS);
                write!(
                    f,
                    "the service does not answer, nothing is sent until it may be back ({message})"
                )
            }
            Notice::ServiceBack => f.write_str("the service answers again"),
            Notice::GivenUp { message } => {
                let message = shown(message, SHOWN_CHARS);
                write!(
                    f,
                    "the service is given up: items fail unsent, but for one now and then ({message})"
                )
            }
            Notice::Throttled { wait } => {
                write!(f, "the service asks to wait {:.1} s", wait.as_secs_f64())
            }
            Notice::OutOfTime => f.write_str("the run's time is up: nothing more is started"),
        }
    }
}
