//! What a person who watches a run should hear at once.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::Stats;
use crate::events::{self, Label};
use nodule_core::text::shown;

/// How many notices may wait for their reader; more of them would say the same.
const NOTICES: usize = 4096;

/// Of a key, or of what a service said, a notice shows so much.
const SHOWN_CHARS: usize = 500;

/// Sends notices to whoever watches a run. Its clones send to the same.
#[derive(Debug, Clone)]
pub struct NoticeSender {
    /// From the first notice on, or the first who asks for them: most runs have neither.
    channel: Arc<Mutex<Option<Channel>>>,
    stats: Arc<Stats>,
    /// For events.
    label: Arc<Label>,
}

#[derive(Debug)]
struct Channel {
    sender: mpsc::Sender<Notice>,
    /// Until it is taken.
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

    /// Send a notice; one that nobody has room for is dropped.
    pub fn send(&self, notice: Notice) {
        if matches!(notice, Notice::SameKey { .. }) {
            self.stats.update(|summary| summary.same_key += 1);
        } else {
            events::notice(&self.label, notice.kind());
        }
        // Its reader may be gone, or slow.
        let _ = self.channel(|channel| channel.sender.try_send(notice));
    }

    /// Where the notices come; `None` when it was taken before.
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

/// What a person who watches a run should hear at once; its `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Two items have the same key: of the two, the service counts one.
    SameKey {
        /// The second one's position, from 0.
        item: usize,
        /// The first one's.
        earlier: usize,
        /// Their key.
        key: String,
    },
    /// So many tries failed in a row that nothing is sent for a while.
    ServiceDown {
        /// What the last of them said.
        message: String,
    },
    /// The service answers again.
    ServiceBack,
    /// The service stayed dead: items fail without being sent, but for one now and then.
    GivenUp {
        /// What the last try said.
        message: String,
    },
    /// The service asked to wait, and no item starts until then.
    Throttled {
        /// How long.
        wait: Duration,
    },
    /// The run's time is up: no item and no try starts any more.
    OutOfTime,
}

impl Notice {
    /// What it is about, in a word that stays the same.
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
