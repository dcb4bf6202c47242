//! The limits of the control groups of this process: CPU time and memory.
//!
//! Version 1 and version 2 are supported, also side by side. A limit of any group from the process's own up to the root
//! applies, so all of them are read and the lowest is kept.

use std::path::{Path, PathBuf};

use super::files::SystemFiles;

/// Version 1 writes the largest number of pages if there is no limit. Anything from here on means that.
const NO_LIMIT: u64 = 1 << 60;

/// The limits of the control groups of the process.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// CPU time per elapsed time, in cores.
    pub cores: Option<f64>,
    /// The lowest limit on memory, in bytes.
    pub memory: Option<u64>,
    /// The least memory that is left below any limit, in bytes.
    pub memory_left: Option<u64>,
}

impl Limits {
    /// Reads the limits. All are `None` on a system without control groups.
    pub fn read(files: &SystemFiles) -> Limits {
        let (groups, mounts) = (
            files.read("proc/self/cgroup"),
            files.read("proc/self/mountinfo"),
        );
        let (Some(groups), Some(mounts)) = (groups, mounts) else {
            return Limits::default();
        };
        let mut limits = Limits::default();
        for (folder, version) in folders(&groups, &mounts, "cpu") {
            lower(&mut limits.cores, quota(files, &folder, version));
        }
        for (folder, version) in folders(&groups, &mounts, "memory") {
            if let Some((limit, used)) = memory(files, &folder, version) {
                lower(&mut limits.memory, Some(limit));
                lower(&mut limits.memory_left, Some(limit.saturating_sub(used)));
            }
        }
        limits
    }
}

/// Lowers `limit` to `other`, if that is lower.
fn lower<T: PartialOrd + Copy>(limit: &mut Option<T>, other: Option<T>) {
    if let Some(other) = other
        && limit.is_none_or(|limit| other < limit)
    {
        *limit = Some(other);
    }
}

/// A version of control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Returns the folders with limits of `controller`, from the process's own group up to the root. `groups` and `mounts` are
/// the contents of `/proc/self/cgroup` and `/proc/self/mountinfo`.
fn folders(groups: &str, mounts: &str, controller: &str) -> Vec<(PathBuf, Version)> {
    let Some((group, version)) = group(groups, controller) else {
        return Vec::new();
    };
    let Some((root, point)) = mount(mounts, controller, version) else {
        return Vec::new();
    };
    // In a container, only a part of the hierarchy may be mounted, and the group may be outside of it.
    let below = Path::new(group).strip_prefix(root).unwrap_or(Path::new(""));
    let outside = below.components().any(|part| part.as_os_str() == "..");
    let below = if outside { Path::new("") } else { below };
    let folders = below.ancestors().map(|below| Path::new(point).join(below));
    folders.map(|folder| (folder, version)).collect()
}

/// Returns the process's group for `controller`, from lines like `4:cpu,cpuacct:/group`, or `0::/group` for version 2.
fn group<'a>(groups: &'a str, controller: &str) -> Option<(&'a str, Version)> {
    let lines = groups.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        rest.split_once(':')
    });
    let mut unified = None;
    for (controllers, path) in lines {
        if controllers.split(',').any(|name| name == controller) {
            return Some((path, Version::One));
        }
        if controllers.is_empty() {
            unified = Some((path, Version::Two));
        }
    }
    unified
}

/// Returns the part of the hierarchy that is mounted, and its mount point.
fn mount<'a>(mounts: &'a str, controller: &str, version: Version) -> Option<(&'a str, &'a str)> {
    mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let (system, _, options) = (kind.next()?, kind.next()?, kind.next()?);
        let fits = match version {
            Version::One => system == "cgroup" && options.split(',').any(|name| name == controller),
            Version::Two => system == "cgroup2",
        };
        let mut place = place.split(' ').skip(3);
        let (root, point) = (place.next()?, place.next()?);
        fits.then_some((root, point))
    })
}

fn quota(files: &SystemFiles, folder: &Path, version: Version) -> Option<f64> {
    let read = |name| files.read(folder.join(name));
    match version {
        Version::One => cores(&read("cpu.cfs_quota_us")?, &read("cpu.cfs_period_us")?),
        Version::Two => {
            let text = read("cpu.max")?;
            let (quota, period) = text.trim().split_once(' ')?;
            cores(quota, period)
        }
    }
}

/// Divides a quota by its period. Returns `None` for `max` and `-1`, which mean no quota.
fn cores(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (f64, f64) = (quota.trim().parse().ok()?, period.trim().parse().ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

/// Returns the memory limit of a group and how much of it is in use, without cached files that the system would release
/// immediately.
fn memory(files: &SystemFiles, folder: &Path, version: Version) -> Option<(u64, u64)> {
    let (limit, used, inactive) = match version {
        Version::One => (
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_inactive_file",
        ),
        Version::Two => ("memory.max", "memory.current", "inactive_file"),
    };
    let number = |name: &str| files.read(folder.join(name))?.trim().parse::<u64>().ok();
    let limit = number(limit).filter(|&limit| limit < NO_LIMIT)?;
    let statistics = files.read(folder.join("memory.stat")).unwrap_or_default();
    let inactive = statistics
        .lines()
        .find_map(|line| line.strip_prefix(inactive)?.trim().parse().ok());
    let used = number(used).unwrap_or(0);
    Some((limit, used.saturating_sub(inactive.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const MOUNTS_OF_TWO: &str = "\
30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
22 28 0:20 / /proc rw,nosuid shared:12 - proc proc rw
";
    const MOUNTS_OF_ONE: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 /docker/a1 /sys/fs/cgroup/cpu,cpuacct ro,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 /docker/a1 /sys/fs/cgroup/memory ro,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    /// Creates a system with these files and their contents.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("creating it");
            fs::write(path, content).expect("writing a file");
        }
        root
    }

    fn limits(files: &[(&str, &str)]) -> Limits {
        Limits::read(&SystemFiles::below(system(files).path()))
    }

    #[test]
    fn the_lowest_limit_of_all_ancestors_applies() {
        let found = limits(&[
            ("proc/self/cgroup", "0::/user.slice/run.scope\n"),
            ("proc/self/mountinfo", MOUNTS_OF_TWO),
            ("sys/fs/cgroup/user.slice/cpu.max", "150000 100000\n"),
            ("sys/fs/cgroup/user.slice/run.scope/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/user.slice/memory.max", "max\n"),
            (
                "sys/fs/cgroup/user.slice/run.scope/memory.max",
                "1000000000\n",
            ),
            (
                "sys/fs/cgroup/user.slice/run.scope/memory.current",
                "700000000\n",
            ),
            (
                "sys/fs/cgroup/user.slice/run.scope/memory.stat",
                "anon 5\ninactive_file 300000000\n",
            ),
        ]);
        let expected = Limits {
            cores: Some(1.5),
            memory: Some(1_000_000_000),
            // 700 MB are in use, of which 300 MB are cached files.
            memory_left: Some(600_000_000),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn version_1_is_read_in_a_container_that_mounts_its_part() {
        let groups = "5:memory:/docker/a1\n4:cpu,cpuacct:/docker/a1\n0::/docker/a1\n";
        let found = limits(&[
            ("proc/self/cgroup", groups),
            ("proc/self/mountinfo", MOUNTS_OF_ONE),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "400000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1\n"),
        ]);
        let expected = Limits {
            cores: Some(4.0),
            ..Limits::default()
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_group_outside_the_mounted_part_reads_the_mount_point() {
        for group in ["0::/../../other\n", "0::/elsewhere/group\n"] {
            let found = folders(
                group,
                &MOUNTS_OF_TWO.replace(" / /sys", " /shown /sys"),
                "cpu",
            );
            assert_eq!(
                found,
                [(PathBuf::from("/sys/fs/cgroup/"), Version::Two)],
                "{group}"
            );
        }
    }

    #[test]
    fn missing_and_malformed_files_mean_no_limits() {
        assert_eq!(limits(&[]), Limits::default());
        let found = limits(&[
            ("proc/self/cgroup", "nonsense\n0::/\n:::\n"),
            (
                "proc/self/mountinfo",
                "nonsense - \n - cgroup2\n1 2 - cgroup2 a b\n",
            ),
        ]);
        assert_eq!(found, Limits::default());
        for (quota, period) in [
            ("max", "100000"),
            ("-1", "100000"),
            ("100000", "0"),
            ("", ""),
        ] {
            assert_eq!(cores(quota, period), None);
        }
    }
}
