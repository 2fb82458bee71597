//! Resident memory, as the kernel counts it.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// What this process has resident, in bytes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Resident {
    /// Every page that it has mapped. One that is mapped twice counts twice.
    pub mapped: u64,
    /// Of every page its share: one that is mapped a thousand times counts once.
    pub share: u64,
}

impl Resident {
    /// Now.
    pub fn now() -> Result<Self> {
        let of = |key| {
            of(Path::new("/proc/self/smaps_rollup"), key)
                .with_context(|| format!("a line `{key}` in /proc/self/smaps_rollup"))
        };
        Ok(Self {
            mapped: of("Rss:")?,
            share: of("Pss:")?,
        })
    }
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
        let (now, most) = (Resident::now().unwrap(), peak(std::process::id()).unwrap());
        assert!(
            0 < now.share && now.share <= now.mapped && now.mapped <= most,
            "{now:?} {most}"
        );
    }
}
