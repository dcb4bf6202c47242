//! Cores of the machine, cores for the process, and what keeps it from the rest.
//!
//! The number that counts is the standard library's, which respects affinity and control groups; the system's own
//! lists only explain it.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde::Serialize;

use super::cgroup::Limits;
use super::machine::{SystemFiles, value};
use crate::compute::parallel::Workers;

/// Cores, counted as the system schedules them: a core of two hardware threads counts twice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cores {
    /// Those the process may use: as many workers start by default.
    pub usable: usize,
    /// Those the machine has.
    pub machine: Option<usize>,
    /// The machine's cores, each counted once.
    pub physical: Option<usize>,
    /// Those the process may be scheduled on.
    pub affinity: Option<usize>,
    /// The quota of the control group, in cores.
    pub quota: Option<f64>,
    /// What keeps the process from the rest.
    pub limited_by: Option<Limit>,
}

/// What keeps a process from using all cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The set of cores it may be scheduled on: `taskset`, `cpuset`.
    Affinity,
    /// The processor time of its control group.
    Quota,
}

impl Cores {
    /// Counts; `cpuinfo` is the text of `/proc/cpuinfo`.
    pub(super) fn look(files: &SystemFiles, cpuinfo: &str, limits: &Limits) -> Cores {
        let online = files.read("sys/devices/system/cpu/online");
        let online = online.as_deref().and_then(ranges);
        let status = files.read("proc/self/status").unwrap_or_default();
        let allowed = value(&status, "Cpus_allowed_list").and_then(ranges);
        // A list of allowed cores may go on beyond those that there are.
        let affinity = allowed.map(|allowed| match &online {
            Some(online) => common(&allowed, online),
            None => common(&allowed, &allowed),
        });
        let cores = Cores {
            usable: Workers::available().get(),
            machine: online.map(|online| common(&online, &online)),
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

    /// The tighter of the two limits, where one of them leaves as many cores as are usable.
    fn limit(&self) -> Option<Limit> {
        if self.machine.is_none_or(|machine| self.usable >= machine) {
            return None;
        }
        // A worker cannot have half a core; but there is always one.
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

/// Cores by `/proc/cpuinfo`, hardware threads of one core counted once; none where it does not name them.
fn physical_cores(cpuinfo: &str) -> Option<usize> {
    let blocks = cpuinfo.split("\n\n");
    let cores: BTreeSet<_> = blocks
        .filter_map(|block| Some((value(block, "physical id")?, value(block, "core id")?)))
        .collect();
    (!cores.is_empty()).then_some(cores.len())
}

/// A list of cores, as `0-3,8,10-11`.
fn ranges(text: &str) -> Option<Vec<RangeInclusive<usize>>> {
    let ranges = text.trim().split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    });
    ranges.collect()
}

/// Cores that are in both lists, neither of which names a core twice.
fn common(a: &[RangeInclusive<usize>], b: &[RangeInclusive<usize>]) -> usize {
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
    fn hardware_threads_of_a_core_count_once() {
        // Processors 0 and 2 are threads of one core.
        assert_eq!(physical_cores(CPUINFO), Some(2));
        assert_eq!(physical_cores("processor\t: 0\n"), None);
    }

    #[test]
    fn lists_of_cores_are_counted_where_they_overlap() {
        let count = |a: &str, b: &str| Some(common(&ranges(a)?, &ranges(b)?));
        assert_eq!(count("0-3,8,10-11\n", "0-127"), Some(7));
        assert_eq!(count("2-9", "0-3,8"), Some(3));
        assert_eq!(count("5", "6"), Some(0));
        for nonsense in ["", "a-b", "1-", "0-3,", "-1"] {
            assert_eq!(ranges(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn the_limit_that_binds_is_named() {
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
