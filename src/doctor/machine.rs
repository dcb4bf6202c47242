//! The hardware, and what of it the process may use: processor, cores, memory, huge pages. Cores are counted in `cores`.
//!
//! Read from `/proc` and `/sys` where there are such, and from the standard library everywhere. Texts are parsed by
//! pure functions; a text that says something else than expected counts as none.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::cgroup::Limits;
use super::cores::Cores;

/// The files in which a system describes itself.
#[derive(Debug, Clone)]
pub struct SystemFiles {
    root: PathBuf,
}

impl Default for SystemFiles {
    /// Those of this system.
    fn default() -> SystemFiles {
        SystemFiles::below(Path::new("/"))
    }
}

impl SystemFiles {
    /// Those in a copy of a system below `root`.
    pub fn below(root: &Path) -> SystemFiles {
        SystemFiles {
            root: root.to_owned(),
        }
    }

    /// The text of a file, named from the top; none where it cannot be read.
    pub fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        let path = path.as_ref();
        let path = self.root.join(path.strip_prefix("/").unwrap_or(path));
        let bytes = fs::read(path).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// What the program runs on.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: Option<String>,
    /// The architecture, as `x86_64`.
    pub architecture: &'static str,
    /// The operating system, as `linux`.
    pub system: &'static str,
    /// Instruction sets that matter to dense arithmetic, as far as the processor and the system have them.
    pub instruction_sets: Vec<&'static str>,
    /// Cores there are, and cores for us.
    pub cores: Cores,
    /// Memory there is, and memory for us.
    pub memory: Memory,
    /// The system's setting for transparent huge pages: `always`, `madvise` or `never`.
    pub huge_pages: Option<String>,
}

/// Memory in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// What the machine has.
    pub total: Option<u64>,
    /// The limit of the control group.
    pub limit: Option<u64>,
    /// What the process can still take, by machine and limit.
    pub available: Option<u64>,
}

impl Machine {
    /// Looks at this machine through `files`.
    pub fn look(files: &SystemFiles) -> Machine {
        let limits = Limits::look(files);
        let cpuinfo = files.read("proc/cpuinfo").unwrap_or_default();
        let huge_pages = files.read("sys/kernel/mm/transparent_hugepage/enabled");
        Machine {
            processor: processor(&cpuinfo),
            architecture: std::env::consts::ARCH,
            system: std::env::consts::OS,
            instruction_sets: instruction_sets(),
            cores: Cores::look(files, &cpuinfo, &limits),
            memory: Memory::look(files, &limits),
            huge_pages: huge_pages.as_deref().and_then(chosen),
        }
    }

    /// Whether the processor has all of `sets`.
    pub fn has(&self, sets: &[&str]) -> bool {
        sets.iter().all(|set| self.instruction_sets.contains(set))
    }
}

impl Memory {
    fn look(files: &SystemFiles, limits: &Limits) -> Memory {
        let meminfo = files.read("proc/meminfo").unwrap_or_default();
        let total = kilobytes(&meminfo, "MemTotal");
        let of_machine = kilobytes(&meminfo, "MemAvailable");
        let available = [of_machine, limits.memory_left].into_iter().flatten().min();
        // A limit above what there is limits nothing.
        let binds = |&limit: &u64| total.is_none_or(|total| limit < total);
        Memory {
            total,
            limit: limits.memory.filter(binds),
            available,
        }
    }
}

/// What stands behind the first `key` in lines as `key : value`.
pub(super) fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == key).then_some(value.trim())
    })
}

/// The processor's name by `/proc/cpuinfo`, which calls it differently from architecture to architecture.
fn processor(cpuinfo: &str) -> Option<String> {
    let keys = ["model name", "Model", "Hardware", "cpu model", "cpu"];
    let name = keys.into_iter().find_map(|key| value(cpuinfo, key))?;
    (!name.is_empty()).then(|| name.to_owned())
}

fn kilobytes(meminfo: &str, key: &str) -> Option<u64> {
    let number = value(meminfo, key)?.strip_suffix("kB")?;
    number.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The bracketed choice in `always [madvise] never`.
fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    let (choice, _) = rest.split_once(']')?;
    Some(choice.to_owned())
}

macro_rules! detected {
    ($detect:ident: $($name:tt)*) => {
        [$(($name, std::arch::$detect!($name))),*]
            .into_iter()
            .filter_map(|(name, there)| there.then_some(name))
            .collect()
    };
}

fn instruction_sets() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        detected!(is_x86_feature_detected: "sse2" "sse4.1" "avx" "avx2" "fma" "f16c" "avx512f" "avx512bw" "avx512dq"
            "avx512vl" "avx512vnni" "avx512bf16")
    }
    #[cfg(target_arch = "aarch64")]
    {
        detected!(is_aarch64_feature_detected: "neon" "fp16" "dotprod" "bf16" "i8mm" "sve" "sve2")
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_known_by_its_name() {
        let intel =
            "vendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz\n";
        let name = processor(intel).expect("a name");
        assert_eq!(name, "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz");
        let arm = "processor\t: 0\nBogoMIPS\t: 108.00\nModel\t\t: Raspberry Pi 5\n";
        assert_eq!(processor(arm).as_deref(), Some("Raspberry Pi 5"));
        assert_eq!(processor(""), None);
    }

    #[test]
    fn memory_is_what_machine_and_limit_leave() {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir(root.path().join("proc")).expect("a folder");
        let meminfo = "MemTotal:       1000 kB\nMemFree: 5 kB\nMemAvailable:    800 kB\n";
        fs::write(root.path().join("proc/meminfo"), meminfo).expect("a file");
        let files = SystemFiles::below(root.path());
        let look = |memory, memory_left| {
            let limits = Limits {
                cores: None,
                memory,
                memory_left,
            };
            let found = Memory::look(&files, &limits);
            (found.limit, found.available)
        };
        assert_eq!(look(None, None), (None, Some(800 * 1024)));
        assert_eq!(
            look(Some(100_000), Some(70_000)),
            (Some(100_000), Some(70_000))
        );
        assert_eq!(
            look(Some(9_000_000), Some(8_999_999)),
            (None, Some(800 * 1024))
        );
    }

    #[test]
    fn a_system_that_tells_nothing_is_still_a_machine() {
        let root = tempfile::tempdir().expect("a folder");
        let machine = Machine::look(&SystemFiles::below(root.path()));
        assert_eq!(
            (machine.processor.as_ref(), machine.cores.machine),
            (None, None)
        );
        assert_eq!(machine.memory, Memory::default());
        assert!(machine.cores.usable >= 1);
        assert_eq!(
            chosen("always [madvise] never\n").as_deref(),
            Some("madvise")
        );
        assert_eq!(chosen("always"), None);
    }
}
