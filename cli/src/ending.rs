//! Ends a run early: on a signal, or when its results can no longer be written.
//!
//! The reaction is always the same: no further item starts, the items in flight get a grace period, what is known is
//! written, and the exit status tells the reason.

use std::sync::Arc;
use std::time::Duration;

use nodule::Control;
use tokio::sync::watch;

use crate::exit::{Exit, Failed, line};
use crate::output::Lost;
use crate::signals::{Signal, Signals};
use crate::{stderr, stream};

/// How long the command may still write after the grace period: a standard output that nobody reads blocks.
const WRITING: Duration = Duration::from_secs(2);
/// The same after a second signal.
const WRITING_AT_ONCE: Duration = Duration::from_millis(500);

/// Why a run ends.
#[derive(Debug, Clone)]
pub enum Ending {
    Signal(Signal),
    /// The reader of this output, named here, is gone.
    Closed(String),
    Broken(Arc<Failed>),
}

impl From<Lost> for Ending {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Closed(name) => Ending::Closed(name),
            Lost::Broken(failed) => Ending::Broken(Arc::new(failed)),
        }
    }
}

impl Ending {
    pub fn exit(&self) -> Exit {
        match self {
            Ending::Signal(signal) => Exit::Signal(*signal),
            Ending::Closed(_) => Exit::Closed,
            Ending::Broken(failed) => failed.exit,
        }
    }

    fn announce(&self, grace: Duration) {
        let waiting = format!("waiting up to {} s for the items under way", grace.as_secs_f64());
        match self {
            Ending::Signal(_) => line(&format!("interrupted: {waiting}; again to end at once")),
            Ending::Closed(name) => line(&format!("{name} was closed: {waiting}")),
            Ending::Broken(failed) => {
                failed.print();
                line(&waiting);
            }
        }
    }
}

/// How far the run has ended.
#[derive(Debug, Clone, Default)]
struct State {
    /// The first reason; later ones are ignored.
    ending: Option<Ending>,
    at_once: bool,
    /// All results were received.
    is_over: bool,
}

/// Ends the run on a signal or a failed output.
#[derive(Debug, Clone)]
pub struct Endings {
    state: Arc<watch::Sender<State>>,
}

impl Endings {
    /// Stops the run through `control` when it has to end, and exits the process if the run takes too long to stop.
    pub fn listen(mut signals: Signals, control: Control, grace: Duration) -> Self {
        let endings = Self {
            state: Arc::new(watch::Sender::default()),
        };
        let listening = endings.clone();
        tokio::spawn(async move {
            let mut states = listening.state.subscribe();
            tokio::select! {
                signal = signals.first() => listening.end(Ending::Signal(signal)),
                // This task owns a sender too, so the channel never closes.
                _ = states.wait_for(|state| state.ending.is_some()) => {}
            }
            let Some(ending) = listening.first() else { return };
            control.stop();
            ending.announce(grace);
            let is_stuck = async {
                tokio::time::sleep(grace).await;
                stream::give_up();
                control.abandon();
                tokio::time::sleep(WRITING).await;
                // Once all results are received, only files are left to write, without a time limit.
                if listening.state.borrow().is_over {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = is_stuck => {}
                () = signals.again() => {
                    stream::give_up();
                    listening.state.send_modify(|state| state.at_once = true);
                    tokio::time::sleep(WRITING_AT_ONCE).await;
                }
            }
            stderr::finish();
            std::process::exit(ending.exit().into());
        });
        endings
    }

    /// Ends the run, unless it is ending already.
    pub fn end(&self, ending: Ending) {
        self.state.send_if_modified(|state| {
            let is_first = state.ending.is_none();
            state.ending.get_or_insert(ending);
            is_first
        });
    }

    /// All results were received: the rest may take as long as it needs to write.
    pub fn over(&self) {
        self.state.send_modify(|state| state.is_over = true);
    }

    /// Why the run ends.
    pub fn first(&self) -> Option<Ending> {
        self.state.borrow().ending.clone()
    }

    /// Completes when the run has to end at once.
    pub async fn at_once(&self) {
        let mut states = self.state.subscribe();
        if states.wait_for(|state| state.at_once).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
