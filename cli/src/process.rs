//! Protects the process from other users and processes on the machine.

/// Restricts the umask, turns core dumps off, and makes the process unreadable for other processes of its user. No
/// other user may write to the files it creates, whatever the shell allows, since cached components run without another
/// check. The memory and the environment contain a credential. Root can still read both.
///
/// A protection that this system lacks is skipped: refusing to run would protect nobody.
pub fn close() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = setrlimit(Resource::Core, none);
        let before = rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
        rustix::process::umask(before | rustix::fs::Mode::WGRP | rustix::fs::Mode::WOTH);
    }
    // Also stops dumps by a crash handler, to which the limit does not apply.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
