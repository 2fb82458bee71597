//! Blocks system calls by seccomp: those that an HTTP server never makes and that code which escaped from a node would
//! want. Landlock does not cover most of them.
//!
//! The list says what is blocked, not what is allowed, so that other versions of a library or the kernel keep working.
//! A blocked call returns an error, as without permission, and does not kill the process.

use crate::exit::Failed;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
pub(super) fn confine(_missing: &mut [String]) -> Result<(), Failed> {
    let refused = |error: &dyn std::fmt::Display| Failed::usage(format!("seccomp: {error}"));
    for filter in list::filters().map_err(|error| refused(&error))? {
        seccompiler::apply_filter(&filter).map_err(|error| refused(&error))?;
    }
    Ok(())
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
pub(super) fn confine(missing: &mut Vec<String>) -> Result<(), Failed> {
    missing.push("on this processor no system calls are refused to the process".to_owned());
    Ok(())
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
mod list {
    use std::collections::BTreeMap;

    use seccompiler::SeccompCmpArgLen::Dword;
    use seccompiler::SeccompCmpOp::{Eq, MaskedEq, Ne};
    use seccompiler::{
        BackendError, BpfProgram, SeccompAction, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    };

    /// Always blocked.
    const REFUSED: &[i64] = &[
        // Access to other processes: memory and descriptors.
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_kcmp,
        // Other views of the file system, and files without a path.
        libc::SYS_chroot,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fsopen,
        libc::SYS_fspick,
        libc::SYS_mount,
        libc::SYS_mount_setattr,
        libc::SYS_move_mount,
        libc::SYS_name_to_handle_at,
        libc::SYS_open_by_handle_at,
        libc::SYS_open_tree,
        libc::SYS_pivot_root,
        libc::SYS_setns,
        libc::SYS_umount2,
        libc::SYS_unshare,
        // Mode, owner and attributes by path, which Landlock does not cover. They can still be changed on open files.
        libc::SYS_fchmodat,
        libc::SYS_fchownat,
        libc::SYS_lremovexattr,
        libc::SYS_lsetxattr,
        libc::SYS_removexattr,
        libc::SYS_setxattr,
        FCHMODAT2,
        // Large parts of the kernel that the server does not need.
        libc::SYS_add_key,
        libc::SYS_bpf,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_io_uring_setup,
        libc::SYS_keyctl,
        libc::SYS_perf_event_open,
        libc::SYS_request_key,
        libc::SYS_userfaultfd,
        // Control of the machine.
        libc::SYS_acct,
        libc::SYS_adjtimex,
        libc::SYS_clock_adjtime,
        libc::SYS_clock_settime,
        libc::SYS_delete_module,
        libc::SYS_finit_module,
        libc::SYS_init_module,
        KEXEC_FILE_LOAD,
        libc::SYS_kexec_load,
        libc::SYS_quotactl,
        libc::SYS_reboot,
        libc::SYS_setdomainname,
        libc::SYS_sethostname,
        libc::SYS_settimeofday,
        libc::SYS_swapoff,
        libc::SYS_swapon,
        libc::SYS_syslog,
        libc::SYS_vhangup,
    ];

    /// Legacy calls that only this architecture has.
    #[cfg(target_arch = "x86_64")]
    const REFUSED_HERE: &[i64] = &[
        libc::SYS_chmod,
        libc::SYS_chown,
        libc::SYS_ioperm,
        libc::SYS_iopl,
        libc::SYS_lchown,
        libc::SYS_modify_ldt,
    ];
    #[cfg(not(target_arch = "x86_64"))]
    const REFUSED_HERE: &[i64] = &[];

    /// Not every C library defines it.
    #[cfg(target_arch = "x86_64")]
    const KEXEC_FILE_LOAD: i64 = 320;
    #[cfg(not(target_arch = "x86_64"))]
    const KEXEC_FILE_LOAD: i64 = 294;

    /// The same number on every architecture; not every C library defines it.
    const FCHMODAT2: i64 = 452;

    /// The same value on all these architectures; C libraries differ in its type.
    const TIOCSTI: u64 = 0x5412;

    /// Arguments of `socket`: domain, type and protocol. The mask removes the type's flags.
    const DOMAIN: u8 = 0;
    const TYPE: u8 = 1;
    const PROTOCOL: u8 = 2;
    const TYPE_WITHOUT_FLAGS: u64 = 0xf;

    /// Two filters: one for forbidden calls, and one for a call that the C library replaces by another if it is
    /// missing.
    pub(super) fn filters() -> Result<[BpfProgram; 2], BackendError> {
        let mut refused: BTreeMap<i64, Vec<SeccompRule>> = REFUSED
            .iter()
            .chain(REFUSED_HERE)
            .map(|call| (*call, Vec::new()))
            .collect();
        refused.insert(libc::SYS_socket, sockets()?);
        // Blocks typing into another user's terminal.
        let typed = SeccompRule::new(vec![is(1, Eq, TIOCSTI)?])?;
        refused.insert(libc::SYS_ioctl, vec![typed]);
        // Blocks changing the limits of other processes.
        let others = SeccompRule::new(vec![is(0, Ne, 0)?])?;
        refused.insert(libc::SYS_prlimit64, vec![others]);
        refused.insert(libc::SYS_clone, namespaces()?);
        // The flags of `clone3` are in memory, where a filter cannot read them.
        let unseen = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
        Ok([program(refused, libc::EPERM)?, program(unseen, libc::ENOSYS)?])
    }

    /// Blocks all sockets except IP and the kernel's interface for this machine's addresses, which name resolution
    /// uses. So local sockets of other processes and raw packets are blocked.
    fn sockets() -> Result<Vec<SeccompRule>, BackendError> {
        let domain = |op, domain: i32| is(DOMAIN, op, number(domain));
        let is_raw = || is(TYPE, MaskedEq(TYPE_WITHOUT_FLAGS), number(libc::SOCK_RAW));
        Ok(vec![
            SeccompRule::new(vec![
                domain(Ne, libc::AF_INET)?,
                domain(Ne, libc::AF_INET6)?,
                domain(Ne, libc::AF_NETLINK)?,
            ])?,
            SeccompRule::new(vec![domain(Eq, libc::AF_INET)?, is_raw()?])?,
            SeccompRule::new(vec![domain(Eq, libc::AF_INET6)?, is_raw()?])?,
            SeccompRule::new(vec![
                domain(Eq, libc::AF_NETLINK)?,
                is(PROTOCOL, Ne, number(libc::NETLINK_ROUTE))?,
            ])?,
        ])
    }

    /// Blocks new namespaces: threads and processes stay in this process's.
    fn namespaces() -> Result<Vec<SeccompRule>, BackendError> {
        [
            libc::CLONE_NEWCGROUP,
            libc::CLONE_NEWIPC,
            libc::CLONE_NEWNET,
            libc::CLONE_NEWNS,
            libc::CLONE_NEWPID,
            libc::CLONE_NEWUSER,
            libc::CLONE_NEWUTS,
        ]
        .into_iter()
        .map(|flag| SeccompRule::new(vec![is(0, MaskedEq(number(flag)), number(flag))?]))
        .collect()
    }

    fn is(argument: u8, op: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
        SeccompCondition::new(argument, Dword, op, value)
    }

    /// All constants here are small and positive.
    fn number(constant: i32) -> u64 {
        u64::from(constant.unsigned_abs())
    }

    fn program(refused: BTreeMap<i64, Vec<SeccompRule>>, error: i32) -> Result<BpfProgram, BackendError> {
        let refusal = SeccompAction::Errno(error.unsigned_abs());
        let here = std::env::consts::ARCH.try_into()?;
        SeccompFilter::new(refused, SeccompAction::Allow, refusal, here)?.try_into()
    }
}
