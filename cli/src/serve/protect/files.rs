//! Limits file access by Landlock to the server's folders, what name resolution needs, and this program, which compiles
//! by running itself again. The process can listen on no TCP port, and can signal only processes that it started.
//!
//! A rule applies to the file that is at its path now, not to a later replacement. If `/etc/resolv.conf` is replaced
//! while the server runs, and is not a link into a folder below `/run`, names are resolved without it from then on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, Scope, make_bitflags,
};
use nodule::text;

use super::Bounds;
use crate::exit::Failed;

/// The newest Landlock version that these rules know.
const VERSION: ABI = ABI::V9;
/// From this version on, the kernel enforces everything that the rules need. Version 9 adds connections to other
/// processes' sockets, which seccomp blocks as well.
const ENOUGH: ABI = ABI::V6;

const READ_FILE: BitFlags<AccessFs> = make_bitflags!(AccessFs::ReadFile);
const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
const READ_AND_EXECUTE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | Execute});
const READ_AND_WRITE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | ReadDir | WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
});
const USE_DEVICE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile});

/// The configuration of name resolution.
const NAMES: [&str; 7] = [
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
];
/// Tells the number of processors for this process, and which of its memory pages were written to.
const MACHINE: [&str; 6] = [
    "/proc/self/cgroup",
    "/proc/self/maps",
    "/proc/self/mountinfo",
    "/proc/self/pagemap",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
];
/// Where a dynamically linked program loads further libraries from, such as those for name resolution.
const LIBRARIES: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

pub(super) fn confine(bounds: &Bounds<'_>, missing: &mut Vec<String>) -> Result<(), Failed> {
    let refused = |error: RulesetError| Failed::usage(format!("Landlock: {error}"));
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(VERSION))
        .and_then(|rules| rules.handle_access(AccessNet::BindTcp))
        .and_then(|rules| rules.scope(Scope::from_all(VERSION)))
        .and_then(Ruleset::create)
        .map_err(refused)?;
    for folder in bounds.read {
        rules = named(rules, "--read", folder, READ)?;
    }
    for folder in bounds.write {
        rules = named(rules, "--write", folder, READ_AND_WRITE)?;
    }
    if let Some(cache) = bounds.cache {
        make(cache)?;
        rules = named(rules, "--cache", cache, READ_AND_WRITE)?;
    }
    rules = named(rules, "--socket", bounds.socket_dir, READ_AND_WRITE)?;
    for (path, access) in own() {
        // Missing files need no rule.
        if let Ok(opened) = PathFd::new(path) {
            rules = rules
                .add_rule(PathBeneath::new(opened, access))
                .map_err(refused)?;
        }
    }
    let status = rules.restrict_self().map_err(refused)?;
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. } if effective_abi >= ENOUGH => {}
        LandlockStatus::Available { effective_abi, .. } => missing.push(older(effective_abi)),
        _ => missing.push(
            "this kernel has no Landlock, or has it turned off: the process may read and write what its user may".to_owned(),
        ),
    }
    if !status.no_new_privs {
        missing.push("this kernel does not keep the process from gaining privileges".to_owned());
    }
    Ok(())
}

/// Describes what an older Landlock version leaves open.
fn older(version: ABI) -> String {
    let mut open = Vec::new();
    if version < ABI::V3 {
        open.push("cutting files short");
    }
    if version < ABI::V4 {
        open.push("listening on TCP ports");
    }
    if version < ABI::V5 {
        open.push("controlling devices");
    }
    open.push("signals to other processes");
    format!(
        "this kernel's Landlock has version {version}, which does not prevent: {}",
        open.join(", ")
    )
}

/// Adds a rule for a folder from a flag, and checks that it is a folder.
fn named(
    rules: RulesetCreated,
    flag: &str,
    folder: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, Failed> {
    let wrong = |problem: &dyn std::fmt::Display| {
        Failed::usage(format!("{flag}: `{}`: {problem}", text::path(folder)))
    };
    let found = folder.metadata().map_err(|error| wrong(&error))?;
    if !found.is_dir() {
        return Err(wrong(&"expected a folder"));
    }
    let opened = PathFd::new(folder).map_err(|error| wrong(&error))?;
    rules
        .add_rule(PathBeneath::new(opened, access))
        .map_err(|error| wrong(&error))
}

/// Creates the cache's folder as the engine would: afterwards the engine cannot create anything outside it.
fn make(folder: &Path) -> Result<(), Failed> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|error| Failed::usage(format!("--cache: `{}`: {error}", text::path(folder))))
}

/// What the process needs in any case.
fn own() -> Vec<(PathBuf, BitFlags<AccessFs>)> {
    let mut own: Vec<(PathBuf, BitFlags<AccessFs>)> = vec![
        ("/dev/null".into(), USE_DEVICE),
        ("/dev/urandom".into(), READ_FILE),
    ];
    let mut all = |paths: &[&str], access| own.extend(paths.iter().map(|path| (path.into(), access)));
    all(&NAMES, READ_FILE);
    all(&MACHINE, READ_FILE);
    let libraries = loaded();
    if !libraries.is_empty() {
        all(&LIBRARIES, READ);
        all(&["/etc/ld.so.cache"], READ_FILE);
    }
    if let Some(folder) = resolver(Path::new("/etc/resolv.conf"), Path::new("/run")) {
        own.push((folder, READ));
    }
    own.extend(libraries.into_iter().map(|path| (path, READ_AND_EXECUTE)));
    own.push(("/proc/self/exe".into(), READ_AND_EXECUTE));
    own
}

/// The libraries that this program has loaded, including the loader; empty if it is linked statically.
fn loaded() -> BTreeSet<PathBuf> {
    let own = std::env::current_exe().ok();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    maps.lines()
        .filter_map(|line| line.find('/').and_then(|start| line.get(start..)))
        .map(PathBuf::from)
        .filter(|path| Some(path) != own.as_ref())
        .collect()
}

/// The folder that `/etc/resolv.conf` links into, if a local service rewrites it there: `/run/systemd/resolve`.
fn resolver(file: &Path, run: &Path) -> Option<PathBuf> {
    let target = file.canonicalize().ok()?;
    let folder = target.parent()?;
    let run = run.canonicalize().ok()?;
    (folder != run && folder.starts_with(run)).then(|| folder.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_resolver_s_folder_is_read_only_where_it_is_one_of_its_own() {
        let base = tempfile::tempdir().unwrap();
        let run = base.path().join("run");
        let (service, file) = (run.join("systemd/resolve"), base.path().join("resolv.conf"));
        std::fs::create_dir_all(&service).unwrap();
        let folder = |target: &Path| {
            std::fs::write(target, "nameserver 127.0.0.1").unwrap();
            let _ = std::fs::remove_file(&file);
            symlink(target, &file).unwrap();
            resolver(&file, &run)
        };
        assert_eq!(
            folder(&service.join("stub-resolv.conf")),
            Some(service.canonicalize().unwrap())
        );
        // `/run` itself contains files of everything on the machine.
        assert_eq!(folder(&run.join("resolv.conf")), None);
        assert_eq!(folder(&base.path().join("elsewhere")), None);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(resolver(&file, &run), None);
        std::fs::write(&file, "nameserver 127.0.0.1").unwrap();
        assert_eq!(resolver(&file, &run), None);
    }

    #[test]
    fn an_older_landlock_says_what_it_leaves_open() {
        let said = older(ABI::V3);
        assert!(said.contains("version 3"), "{said}");
        assert!(said.contains("TCP ports") && said.contains("signals"), "{said}");
        assert!(!said.contains("cutting files"), "{said}");
    }
}
