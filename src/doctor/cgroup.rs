//! The limits of the control groups that the process is in: processor time and memory.
//!
//! Both versions of the hierarchy, also side by side. A limit binds wherever it stands between the process's own
//! group and the top, so each reader goes the whole way up and keeps the tightest.

use std::path::{Path, PathBuf};

use super::machine::SystemFiles;

/// A limit of the first version that means none: it holds the largest number of whole pages.
const NO_LIMIT: u64 = 1 << 60;

/// What the control groups leave to the process.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// Processor time for each time that passes, in cores.
    pub cores: Option<f64>,
    /// The tightest limit on memory, in bytes.
    pub memory: Option<u64>,
    /// The least that is left of one, in bytes.
    pub memory_left: Option<u64>,
}

impl Limits {
    /// Reads what there is; all none on a system without control groups.
    pub fn look(files: &SystemFiles) -> Limits {
        let (groups, mounts) = (
            files.read("proc/self/cgroup"),
            files.read("proc/self/mountinfo"),
        );
        let (Some(groups), Some(mounts)) = (groups, mounts) else {
            return Limits::default();
        };
        let mut limits = Limits::default();
        for (folder, version) in folders(&groups, &mounts, "cpu") {
            tighten(&mut limits.cores, quota(files, &folder, version));
        }
        for (folder, version) in folders(&groups, &mounts, "memory") {
            if let Some((limit, used)) = memory(files, &folder, version) {
                tighten(&mut limits.memory, Some(limit));
                tighten(&mut limits.memory_left, Some(limit.saturating_sub(used)));
            }
        }
        limits
    }
}

fn tighten<T: PartialOrd + Copy>(limit: &mut Option<T>, other: Option<T>) {
    if let Some(other) = other
        && limit.is_none_or(|limit| other < limit)
    {
        *limit = Some(other);
    }
}

/// The version of a hierarchy of control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// The folders in which limits of `controller` stand, from the process's own group upwards: by the texts of
/// `/proc/self/cgroup` and `/proc/self/mountinfo`.
fn folders(groups: &str, mounts: &str, controller: &str) -> Vec<(PathBuf, Version)> {
    let Some((group, version)) = group(groups, controller) else {
        return Vec::new();
    };
    let Some((root, point)) = mount(mounts, controller, version) else {
        return Vec::new();
    };
    // Inside a container the mount may show a part of the tree, or the group may lie outside what is shown.
    let below = Path::new(group).strip_prefix(root).unwrap_or(Path::new(""));
    let outside = below.components().any(|part| part.as_os_str() == "..");
    let below = if outside { Path::new("") } else { below };
    let up = below.ancestors().map(|below| Path::new(point).join(below));
    up.map(|folder| (folder, version)).collect()
}

/// The process's group for `controller`: lines as `4:cpu,cpuacct:/group`, or `0::/group` for version two.
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

/// Which part of the tree is mounted, and where.
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

/// A quota over its period; none for `max` and `-1`.
fn cores(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (f64, f64) = (quota.trim().parse().ok()?, period.trim().parse().ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

/// The limit of a group and what is used of it, without file pages that the system would give back at once.
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

    /// A system of `files`, each with its content.
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
        Limits::look(&SystemFiles::below(system(files).path()))
    }

    #[test]
    fn the_tightest_limit_on_the_way_up_binds() {
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
            // 700 MB are used, of which 300 MB are file pages.
            memory_left: Some(600_000_000),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn the_first_version_is_read_where_a_container_mounts_its_part() {
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
    fn a_group_outside_what_is_mounted_reads_the_top() {
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
    fn no_control_groups_and_no_sense_are_no_limits() {
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
