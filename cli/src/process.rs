//! The process itself: what others on the machine may see of it.

/// Let nobody else write to what is made, whatever the shell allows: compiled components are run as they are found. Write no core dump, and let other processes of the same user read neither memory nor environment: a credential is in both.
/// Root may still.
///
/// What cannot be turned off on this system stays on: a command that refused to run would protect nobody.
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
    // It keeps dumps from a handler too, to which the limit does not apply.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
