//! What ends a run before its items do: somebody who asks for it, or results that can go nowhere.
//!
//! Whatever it is, the same follows: no item starts any more, those under way have some time to end, what is known is written, and the
//! exit status says what it was.

use std::sync::Arc;
use std::time::Duration;

use nodule::Control;
use tokio::sync::watch;

use crate::exit::{Exit, Failed, line};
use crate::output::Lost;
use crate::signals::{Signal, Signals};
use crate::{stderr, stream};

/// How long the command may take to write what is known once nothing is under way any more: a standard output that nobody reads
/// takes nothing.
const WRITING: Duration = Duration::from_secs(2);
/// The same where somebody wants it to end at once.
const WRITING_AT_ONCE: Duration = Duration::from_millis(500);

/// Why a run ends.
#[derive(Debug, Clone)]
pub enum Ending {
    Signal(Signal),
    /// What this names is read by nobody any more.
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

/// How far the end of a run is.
#[derive(Debug, Clone, Default)]
struct State {
    /// The first reason, which counts.
    ending: Option<Ending>,
    at_once: bool,
    /// All results were taken.
    is_over: bool,
}

/// Listens for what ends a run.
#[derive(Debug, Clone)]
pub struct Endings {
    state: Arc<watch::Sender<State>>,
}

impl Endings {
    /// Ends the run by `control`, and the process if that takes longer than it may.
    pub fn listen(mut signals: Signals, control: Control, grace: Duration) -> Self {
        let endings = Self {
            state: Arc::new(watch::Sender::default()),
        };
        let listening = endings.clone();
        tokio::spawn(async move {
            let mut states = listening.state.subscribe();
            tokio::select! {
                signal = signals.first() => listening.end(Ending::Signal(signal)),
                // The sender is here, so that there is no other end.
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
                // With all results taken, only files are to be written.
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

    /// End the run, unless something else has.
    pub fn end(&self, ending: Ending) {
        self.state.send_if_modified(|state| {
            let is_first = state.ending.is_none();
            state.ending.get_or_insert(ending);
            is_first
        });
    }

    /// All results were taken: what is left to write takes the time that it takes.
    pub fn over(&self) {
        self.state.send_modify(|state| state.is_over = true);
    }

    /// Why the run ends.
    pub fn first(&self) -> Option<Ending> {
        self.state.borrow().ending.clone()
    }

    /// Nothing is to be waited for any more.
    pub async fn at_once(&self) {
        let mut states = self.state.subscribe();
        if states.wait_for(|state| state.at_once).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
