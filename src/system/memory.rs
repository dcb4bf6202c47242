//! The memory of the machine, and how much of it the process may use.

use serde::Serialize;

use super::cgroup::Limits;
use super::files::{SystemFiles, value};

/// Memory in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// The memory of the machine.
    pub total: Option<u64>,
    /// The limit of the control group.
    pub limit: Option<u64>,
    /// The memory that the process can still allocate.
    pub available: Option<u64>,
}

impl Memory {
    /// Reads the memory of this machine and its limits from `files`.
    pub fn detect(files: &SystemFiles, limits: &Limits) -> Memory {
        let meminfo = files.read("proc/meminfo").unwrap_or_default();
        let total = size(&meminfo, "MemTotal");
        let of_machine = size(&meminfo, "MemAvailable");
        let available = [of_machine, limits.memory_left].into_iter().flatten().min();
        // A limit above the memory of the machine has no effect.
        let applies = |&limit: &u64| total.is_none_or(|total| limit < total);
        Memory {
            total,
            limit: limits.memory.filter(applies),
            available,
        }
    }

    /// Returns how much memory this process may use at most: that of the machine, or the limit of the control group.
    pub fn usable(&self) -> Option<u64> {
        self.limit.or(self.total)
    }
}

/// Returns a size in `/proc/meminfo` in bytes.
fn size(meminfo: &str, key: &str) -> Option<u64> {
    let number = value(meminfo, key)?.strip_suffix("kB")?;
    number.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn available_memory_is_the_lower_of_machine_and_limit() {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir(root.path().join("proc")).expect("a folder");
        let meminfo = "MemTotal:       1000 kB\nMemFree: 5 kB\nMemAvailable:    800 kB\n";
        fs::write(root.path().join("proc/meminfo"), meminfo).expect("a file");
        let files = SystemFiles::below(root.path());
        let detected = |memory, memory_left| {
            let limits = Limits {
                cores: None,
                memory,
                memory_left,
            };
            let found = Memory::detect(&files, &limits);
            (found.limit, found.available)
        };
        assert_eq!(detected(None, None), (None, Some(800 * 1024)));
        assert_eq!(
            detected(Some(100_000), Some(70_000)),
            (Some(100_000), Some(70_000))
        );
        assert_eq!(
            detected(Some(9_000_000), Some(8_999_999)),
            (None, Some(800 * 1024))
        );
    }
}
