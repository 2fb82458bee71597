//! Resident memory, as the kernel counts it.

use std::path::Path;

use anyhow::{Context as _, Result};

/// Bytes that this process has resident now.
pub fn resident() -> Result<u64> {
    of(Path::new("/proc/self/status"), "VmRSS:").context("a line `VmRSS` in /proc/self/status")
}

/// The most bytes that a process has had resident; nothing, once it has ended.
pub fn peak(process: u32) -> Option<u64> {
    of(Path::new(&format!("/proc/{process}/status")), "VmHWM:")
}

fn of(status: &Path, key: &str) -> Option<u64> {
    let status = std::fs::read_to_string(status).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_less_than_it_had() {
        let (now, most) = (resident().unwrap(), peak(std::process::id()).unwrap());
        assert!(0 < now && now <= most, "{now} {most}");
    }
}
