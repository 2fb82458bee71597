//! Which system calls the process does without, by seccomp: a list of those that a server of HTTP never makes, and that a
//! program which broke out of a node would want. Landlock has no say in most of them.
//!
//! It is a list of what is refused, so that another version of a library or of the kernel goes on working. What is refused
//! returns an error, as to a program without the right, and ends nothing.

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

    /// Always refused.
    const REFUSED: &[i64] = &[
        // Other processes: their memory, their descriptors.
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
        // Modes, owners and attributes by path, which Landlock lets pass. What is open may still be changed.
        libc::SYS_fchmodat,
        libc::SYS_fchownat,
        libc::SYS_lremovexattr,
        libc::SYS_lsetxattr,
        libc::SYS_removexattr,
        libc::SYS_setxattr,
        FCHMODAT2,
        // Large parts of the kernel that it does without.
        libc::SYS_add_key,
        libc::SYS_bpf,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_io_uring_setup,
        libc::SYS_keyctl,
        libc::SYS_perf_event_open,
        libc::SYS_request_key,
        libc::SYS_userfaultfd,
        // The machine itself.
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

    /// Older names that other processors do not have.
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

    /// Not every C library has the name.
    #[cfg(target_arch = "x86_64")]
    const KEXEC_FILE_LOAD: i64 = 320;
    #[cfg(not(target_arch = "x86_64"))]
    const KEXEC_FILE_LOAD: i64 = 294;

    /// The same number on every processor; not every C library has the name.
    const FCHMODAT2: i64 = 452;

    /// As on every one of these processors; C libraries differ in its type.
    const TIOCSTI: u64 = 0x5412;

    /// `socket`: its domain and its type, without flags.
    const DOMAIN: u8 = 0;
    const TYPE: u8 = 1;
    const PROTOCOL: u8 = 2;
    const TYPE_WITHOUT_FLAGS: u64 = 0xf;

    /// One for what is not permitted, and one for what the C library then does in another way.
    pub(super) fn filters() -> Result<[BpfProgram; 2], BackendError> {
        let mut refused: BTreeMap<i64, Vec<SeccompRule>> = REFUSED
            .iter()
            .chain(REFUSED_HERE)
            .map(|call| (*call, Vec::new()))
            .collect();
        refused.insert(libc::SYS_socket, sockets()?);
        // Another user's terminal is written to as if by its keyboard.
        let typed = SeccompRule::new(vec![is(1, Eq, TIOCSTI)?])?;
        refused.insert(libc::SYS_ioctl, vec![typed]);
        // Limits of other processes.
        let others = SeccompRule::new(vec![is(0, Ne, 0)?])?;
        refused.insert(libc::SYS_prlimit64, vec![others]);
        refused.insert(libc::SYS_clone, namespaces()?);
        // What it is asked for stands in memory, where no filter sees it.
        let unseen = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
        Ok([program(refused, libc::EPERM)?, program(unseen, libc::ENOSYS)?])
    }

    /// The Internet, and asking the kernel for this machine's addresses, which looking up names does. No sockets of other
    /// processes, and no packets of its own making.
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

    /// Threads and processes in this process's namespaces only.
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

    /// All of them are small and positive.
    fn number(constant: i32) -> u64 {
        u64::from(constant.unsigned_abs())
    }

    fn program(refused: BTreeMap<i64, Vec<SeccompRule>>, error: i32) -> Result<BpfProgram, BackendError> {
        let refusal = SeccompAction::Errno(error.unsigned_abs());
        let here = std::env::consts::ARCH.try_into()?;
        SeccompFilter::new(refused, SeccompAction::Allow, refusal, here)?.try_into()
    }
}
