//! Memory and CPU time, as the kernel counts them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
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

/// CPU time of all threads of a process, in hundredths of a second, as `/proc` counts it everywhere.
pub fn cpu(process: u32) -> Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    // The name, in parentheses, may hold anything; user and system time are the 14th and 15th of all fields.
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
