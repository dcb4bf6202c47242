//! The hardware, and how much of it the process may use: processor, cores, memory, huge pages.
//!
//! Facts come from the standard library and, on Linux, from `/proc` and `/sys`. Their files are parsed by pure functions,
//! one value at a time: a file that is missing, malformed or incomplete, as in some containers, only loses the values it
//! lacks.

use serde::Serialize;

use super::cores::Cores;
use crate::system::cgroup::Limits;
use crate::system::files::value;
use crate::system::{Memory, SystemFiles};

/// The machine that the program runs on.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The name of the processor.
    pub processor: Option<String>,
    /// The architecture, like `x86_64`.
    pub architecture: &'static str,
    /// The operating system, like `linux`.
    pub system: &'static str,
    /// The instruction sets for dense arithmetic that both processor and system support.
    pub instruction_sets: Vec<&'static str>,
    /// The cores of the machine, and how many the process may use.
    pub cores: Cores,
    /// The memory of the machine, and how much the process may use.
    pub memory: Memory,
    /// The system's setting for transparent huge pages: `always`, `madvise` or `never`.
    pub huge_pages: Option<String>,
}

impl Machine {
    /// Reads the facts about this machine from `files`.
    pub fn detect(files: &SystemFiles) -> Machine {
        let limits = Limits::read(files);
        let cpuinfo = files.read("proc/cpuinfo").unwrap_or_default();
        let huge_pages = files.read("sys/kernel/mm/transparent_hugepage/enabled");
        Machine {
            processor: processor(&cpuinfo),
            architecture: std::env::consts::ARCH,
            system: std::env::consts::OS,
            instruction_sets: instruction_sets(),
            cores: Cores::detect(files, &cpuinfo, &limits),
            memory: Memory::detect(files, &limits),
            huge_pages: huge_pages.as_deref().and_then(chosen),
        }
    }

    /// Returns whether the processor has all of these instruction sets.
    pub fn has(&self, sets: &[&str]) -> bool {
        sets.iter().all(|set| self.instruction_sets.contains(set))
    }
}

/// Returns the name of the processor in `/proc/cpuinfo`. Its key depends on the architecture.
fn processor(cpuinfo: &str) -> Option<String> {
    let keys = ["model name", "Model", "Hardware", "cpu model", "cpu"];
    let name = keys.into_iter().find_map(|key| value(cpuinfo, key))?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// Returns the choice in brackets, as in `always [madvise] never`.
fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    let (choice, _) = rest.split_once(']')?;
    Some(choice.to_owned())
}

/// Returns those of the named instruction sets that are detected.
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
    fn the_name_of_the_processor_is_found_under_any_key() {
        let intel =
            "vendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz\n";
        let name = processor(intel).expect("a name");
        assert_eq!(name, "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz");
        let arm = "processor\t: 0\nBogoMIPS\t: 108.00\nModel\t\t: Raspberry Pi 5\n";
        assert_eq!(processor(arm).as_deref(), Some("Raspberry Pi 5"));
        assert_eq!(processor(""), None);
    }

    #[test]
    fn a_system_without_files_is_still_described() {
        let root = tempfile::tempdir().expect("a folder");
        let machine = Machine::detect(&SystemFiles::below(root.path()));
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
