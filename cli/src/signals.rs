//! Signals that ask the command to stop: Ctrl-C, and on Unix also `SIGTERM` and `SIGHUP`, by which service managers,
//! containers and terminals stop their processes.
//!
//! After the first signal the items in flight may finish. A second `SIGINT` or `SIGTERM` stops at once. A second
//! `SIGHUP` does not: when a session ends, it often arrives beside another signal.

/// The signal that arrived.
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
    /// The signal's number, the same on all systems.
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

    /// `SIGXFSZ`: a file grew beyond the process's limit (`ulimit -f`). Linux, macOS and the BSDs use the same number.
    const FILE_SIZE: i32 = 25;

    /// Turns `SIGXFSZ` into a write error, as on a full disk, instead of the process's death. It needs a runtime.
    pub fn survive_file_size() {
        // Tokio's handler stays until the process ends, even without a receiver.
        let _ = signal(SignalKind::from_raw(FILE_SIZE));
    }

    /// Receives the signals that arrive after its creation.
    pub struct Signals {
        interrupt: Option<Stream>,
        terminate: Option<Stream>,
        hang_up: Option<Stream>,
    }

    impl Signals {
        /// A signal that cannot be listened for keeps its default effect.
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

        /// Waits for the first signal.
        pub async fn first(&mut self) -> Signal {
            let Self {
                interrupt,
                terminate,
                hang_up,
            } = self;
            // Of simultaneous signals any one will do.
            tokio::select! {
                biased;
                () = one(interrupt) => Signal::Interrupt,
                () = one(terminate) => Signal::Terminate,
                () = one(hang_up) => Signal::HangUp,
            }
        }

        /// Waits for a further signal that means: stop at once.
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

    /// Whether the command runs under `nohup`, which asks it to survive its terminal. If that cannot be determined, it
    /// is assumed.
    fn is_hang_up_ignored() -> bool {
        std::fs::read_to_string("/proc/self/status").map_or(true, |status| ignores_hang_up(&status))
    }

    /// Bit 0 of the mask of ignored signals is signal 1, `SIGHUP`.
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

    /// The system has no such signal.
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
