//! What asks the command to end: Ctrl-C, and on Unix `SIGTERM` and `SIGHUP`, by which services, containers and terminals end what
//! runs in them.
//!
//! The first of them lets the items under way end. After that `SIGINT` and `SIGTERM` are meant; a `SIGHUP` is not, since whoever
//! ends a session sends it beside another.

/// Which of them came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    #[cfg(unix)]
    Terminate,
    #[cfg(unix)]
    HangUp,
}

impl Signal {
    /// Its number, the same on all systems.
    pub fn number(self) -> u8 {
        match self {
            Signal::Interrupt => 2,
            #[cfg(unix)]
            Signal::Terminate => 15,
            #[cfg(unix)]
            Signal::HangUp => 1,
        }
    }
}

#[cfg(unix)]
pub use unix::{Signals, survive_file_size};

#[cfg(not(unix))]
pub use other::{Signals, survive_file_size};

#[cfg(unix)]
mod unix {
    use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

    use super::Signal;

    /// A file grew beyond what the process may write (`ulimit -f`). Linux, macOS and the BSDs have the same number.
    const FILE_SIZE: i32 = 25;

    /// Let that be an error of the write, as on a full disk, and not the process's end. It needs a runtime.
    pub fn survive_file_size() {
        // Tokio listens until the process ends, whoever hears.
        let _ = signal(SignalKind::from_raw(FILE_SIZE));
    }

    /// The signals that come from the moment on in which it is made.
    pub struct Signals {
        interrupt: Option<Stream>,
        terminate: Option<Stream>,
        hang_up: Option<Stream>,
    }

    impl Signals {
        /// What the system does not let us listen for ends the command, as before.
        pub fn listen() -> Self {
            let is_kept = |_: &_| !is_hang_up_ignored();
            Self {
                interrupt: signal(SignalKind::interrupt()).ok(),
                terminate: signal(SignalKind::terminate()).ok(),
                hang_up: Some(SignalKind::hangup())
                    .filter(is_kept)
                    .and_then(|kind| signal(kind).ok()),
            }
        }

        /// The first that asks to end.
        pub async fn first(&mut self) -> Signal {
            let Self {
                interrupt,
                terminate,
                hang_up,
            } = self;
            // Of those that came together the last one does not say more.
            tokio::select! {
                biased;
                () = one(interrupt) => Signal::Interrupt,
                () = one(terminate) => Signal::Terminate,
                () = one(hang_up) => Signal::HangUp,
            }
        }

        /// The next one of somebody who has no patience.
        pub async fn again(&mut self) {
            tokio::select! {
                () = one(&mut self.interrupt) => {}
                () = one(&mut self.terminate) => {}
            }
        }
    }

    async fn one(signal: &mut Option<Stream>) {
        let received = match signal {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if received.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether the command was started by `nohup`, which asks it to go on when the terminal goes. Where that cannot be seen it is
    /// taken to be so.
    fn is_hang_up_ignored() -> bool {
        std::fs::read_to_string("/proc/self/status").map_or(true, |status| ignores_hang_up(&status))
    }

    /// The lowest bit of the mask of ignored signals is the first signal.
    fn ignores_hang_up(status: &str) -> bool {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .is_none_or(|mask| mask & 1 == 1)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn what_nohup_asks_for_is_seen() {
            assert!(!ignores_hang_up("Name:\tnodule\nSigIgn:\t0000000000001000\n"));
            assert!(ignores_hang_up("Name:\tnodule\nSigIgn:\t0000000000001001\n"));
            assert!(ignores_hang_up("Name:\tnodule\n"));
        }
    }
}

#[cfg(not(unix))]
mod other {
    use super::Signal;

    /// There is no such signal.
    pub fn survive_file_size() {}

    /// Ctrl-C.
    pub struct Signals(());

    impl Signals {
        pub fn listen() -> Self {
            Self(())
        }

        pub async fn first(&mut self) -> Signal {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            Signal::Interrupt
        }

        pub async fn again(&mut self) {
            self.first().await;
        }
    }
}
