//! The cores of the machine, how many of them the process may use, and what limits it.
//!
//! The number of usable cores comes from the standard library, which respects affinity and control groups. The lists of the
//! system only explain it.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde::Serialize;

use crate::compute::parallel::Workers;
use crate::system::SystemFiles;
use crate::system::cgroup::Limits;
use crate::system::files::value;

/// Numbers of cores. Except in `physical`, every hardware thread counts as a core.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cores {
    /// The cores that the process may use, which is the default number of workers.
    pub usable: usize,
    /// The cores of the machine.
    pub machine: Option<usize>,
    /// The cores of the machine, however many hardware threads each has.
    pub physical: Option<usize>,
    /// The cores that the process may be scheduled on.
    pub affinity: Option<usize>,
    /// The CPU quota of the control group, in cores.
    pub quota: Option<f64>,
    /// The limit that keeps the process from using all cores of the machine.
    pub limited_by: Option<Limit>,
}

/// A limit on the cores that the process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The set of cores it may be scheduled on: `taskset`, `cpuset`.
    Affinity,
    /// The CPU quota of its control group.
    Quota,
}

impl Cores {
    /// Counts the cores. `cpuinfo` is the content of `/proc/cpuinfo`.
    pub(super) fn detect(files: &SystemFiles, cpuinfo: &str, limits: &Limits) -> Cores {
        let online = files.read("sys/devices/system/cpu/online");
        let online = online.as_deref().and_then(ranges);
        let status = files.read("proc/self/status").unwrap_or_default();
        let allowed = value(&status, "Cpus_allowed_list").and_then(ranges);
        // The list of allowed cores may include cores that do not exist.
        let affinity = allowed.map(|allowed| match &online {
            Some(online) => count_common(&allowed, online),
            None => count_common(&allowed, &allowed),
        });
        let cores = Cores {
            usable: Workers::available().get(),
            machine: online.map(|online| count_common(&online, &online)),
            physical: physical_cores(cpuinfo),
            affinity,
            quota: limits.cores,
            limited_by: None,
        };
        Cores {
            limited_by: cores.limit(),
            ..cores
        }
    }

    /// Returns the limit that leaves exactly the usable cores, if one does.
    fn limit(&self) -> Option<Limit> {
        if self.machine.is_none_or(|machine| self.usable >= machine) {
            return None;
        }
        // A fraction of a core is not usable, but at least one core always is.
        let by_quota = self.quota.map(|quota| (quota.floor() as usize).max(1));
        if self.affinity == Some(self.usable) {
            Some(Limit::Affinity)
        } else if by_quota == Some(self.usable) {
            Some(Limit::Quota)
        } else {
            None
        }
    }
}

/// Counts the physical cores in `/proc/cpuinfo`. Returns `None` if it does not list them.
fn physical_cores(cpuinfo: &str) -> Option<usize> {
    let blocks = cpuinfo.split("\n\n");
    let cores: BTreeSet<_> = blocks
        .filter_map(|block| Some((value(block, "physical id")?, value(block, "core id")?)))
        .collect();
    (!cores.is_empty()).then_some(cores.len())
}

/// Parses a list of cores, like `0-3,8,10-11`.
fn ranges(text: &str) -> Option<Vec<RangeInclusive<usize>>> {
    let ranges = text.trim().split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    });
    ranges.collect()
}

/// Counts the cores that are in both lists. Neither list may have duplicates.
fn count_common(a: &[RangeInclusive<usize>], b: &[RangeInclusive<usize>]) -> usize {
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
    let overlaps = pairs.map(|(a, b)| {
        let (first, last) = (*a.start().max(b.start()), *a.end().min(b.end()));
        last.saturating_add(1).saturating_sub(first)
    });
    overlaps.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPUINFO: &str = "\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz
physical id\t: 0
core id\t\t: 4
flags\t\t: fpu sse2 avx

processor\t: 1
model name\t: Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz
physical id\t: 1
core id\t\t: 4

processor\t: 2
physical id\t: 0
core id\t\t: 4
";

    #[test]
    fn hardware_threads_of_a_physical_core_count_once() {
        // Processors 0 and 2 are hardware threads of one core.
        assert_eq!(physical_cores(CPUINFO), Some(2));
        assert_eq!(physical_cores("processor\t: 0\n"), None);
    }

    #[test]
    fn cores_in_both_lists_are_counted() {
        let count = |a: &str, b: &str| Some(count_common(&ranges(a)?, &ranges(b)?));
        assert_eq!(count("0-3,8,10-11\n", "0-127"), Some(7));
        assert_eq!(count("2-9", "0-3,8"), Some(3));
        assert_eq!(count("5", "6"), Some(0));
        for malformed in ["", "a-b", "1-", "0-3,", "-1"] {
            assert_eq!(ranges(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn the_limit_that_applies_is_found() {
        let limit = |usable, affinity, quota| {
            let cores = Cores {
                usable,
                machine: Some(8),
                physical: None,
                affinity: Some(affinity),
                quota,
                limited_by: None,
            };
            cores.limit()
        };
        assert_eq!(limit(8, 8, None), None);
        assert_eq!(limit(3, 3, Some(6.0)), Some(Limit::Affinity));
        assert_eq!(limit(2, 8, Some(2.5)), Some(Limit::Quota));
        assert_eq!(limit(1, 8, Some(0.5)), Some(Limit::Quota));
        assert_eq!(limit(5, 8, None), None);
    }
}
