//! Memory and CPU time, as the kernel counts them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

/// This process's resident memory, in bytes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Resident {
    /// All resident mappings. A page that is mapped twice counts twice.
    pub mapped: u64,
    /// Proportional share: a page that is mapped a thousand times counts once.
    pub share: u64,
}

impl Resident {
    /// The current values.
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

/// A process's peak resident memory, in bytes; `None` once it has exited.
pub fn peak(process: u32) -> Option<u64> {
    of(Path::new(&format!("/proc/{process}/status")), "VmHWM:")
}

/// CPU time of all threads of a process, at the resolution of `/proc`: hundredths of a second.
pub fn cpu(process: u32) -> Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    // The name, in parentheses, may contain anything; user and system time are fields 14 and 15.
    let (_, behind) = stat.rsplit_once(") ").context(path)?;
    let fields: Vec<&str> = behind.split(' ').collect();
    let [user, system] = fields.get(11..13).unwrap_or_default() else {
        bail!("/proc/{process}/stat: expected two times, found {behind}");
    };
    let ticks = user.parse::<u64>()? + system.parse::<u64>()?;
    Ok(Duration::from_millis(10 * ticks))
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
