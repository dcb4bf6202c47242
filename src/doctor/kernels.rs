//! Whether OpenBLAS's kernels fit the instruction sets of the processor.
//!
//! OpenBLAS chooses its kernels when it is loaded, unless `OPENBLAS_CORETYPE` does. Kernels of a lower level are slow, and
//! those of a higher level crash the process at the first unsupported instruction. This is checked only on x86-64, because
//! elsewhere the levels have no order.

use super::finding::{Finding, Verdict};
use super::machine::Machine;
use super::program::{Library, Variable};

/// The levels of instruction sets that OpenBLAS has kernels for on x86-64, from slow to fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Sse,
    Avx,
    Avx2,
    Avx512,
}

impl Level {
    fn of_processor(machine: &Machine) -> Level {
        let sets = [
            (
                Level::Avx512,
                &["avx512f", "avx512bw", "avx512dq", "avx512vl"][..],
            ),
            (Level::Avx2, &["avx2", "fma"]),
            (Level::Avx, &["avx"]),
        ];
        let best = sets.into_iter().find(|(_, sets)| machine.has(sets));
        best.map_or(Level::Sse, |(level, _)| level)
    }

    /// Returns the level of the kernels of this name, or `None` if the name is unknown.
    fn of_kernels(name: &str) -> Option<Level> {
        match name.to_lowercase().as_str() {
            "sapphirerapids" | "cooperlake" | "skylakex" => Some(Level::Avx512),
            "haswell" | "zen" | "excavator" => Some(Level::Avx2),
            "sandybridge" | "bulldozer" | "piledriver" | "steamroller" => Some(Level::Avx),
            "prescott" | "core2" | "penryn" | "dunnington" | "nehalem" | "atom" | "nano"
            | "opteron" | "opteron_sse3" | "barcelona" | "bobcat" => Some(Level::Sse),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        ["SSE", "AVX", "AVX2", "AVX-512"][self as usize]
    }

    /// Returns kernels of this level that every version of OpenBLAS has.
    fn common_kernels(self) -> &'static str {
        ["Nehalem", "Sandybridge", "Haswell", "SkylakeX"][self as usize]
    }
}

/// Checks the kernels against the processor. Returns `None` if there is no choice of kernels or their names are unknown.
pub fn check(blas: &Library, machine: &Machine, environment: &[Variable]) -> Option<Finding> {
    let check = "blas-kernels";
    let kernel = blas.kernel.as_deref().filter(|_| blas.name == "OpenBLAS")?;
    if machine.architecture != "x86_64" {
        return None;
    }
    let (has, takes) = (Level::of_processor(machine), Level::of_kernels(kernel)?);
    let forced = environment
        .iter()
        .any(|variable| variable.name == "OPENBLAS_CORETYPE" && !variable.value.is_empty());
    let by = if forced {
        "forced by OPENBLAS_CORETYPE"
    } else {
        "chosen by OpenBLAS"
    };
    let (needs, here) = (takes.name(), has.name());
    let common = has.common_kernels();
    Some(if takes > has {
        let found = format!("{kernel} ({needs}) {by}, which this processor ({here}) cannot run");
        Finding::wrong(check, found)
            .cure(format!("put OPENBLAS_CORETYPE={common} before the command"))
    } else if takes == has {
        Finding::ok(check, format!("{kernel} ({needs})"))
    } else {
        let found = format!(
            "{kernel} ({needs}) {by}, although the processor has {here}: slower than possible"
        );
        Finding::warning(check, found).cure(if forced {
            format!("unset OPENBLAS_CORETYPE, or set it to {common}")
        } else {
            format!(
                "put OPENBLAS_CORETYPE={common} before the command, or install a newer OpenBLAS"
            )
        })
    })
}

/// Returns whether OpenBLAS would crash at an instruction that the processor does not have.
pub fn would_crash(blas: &Library, machine: &Machine, environment: &[Variable]) -> bool {
    let finding = check(blas, machine, environment);
    finding.is_some_and(|finding| finding.verdict == Verdict::Wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Cores, Memory};

    fn machine(instruction_sets: &[&'static str]) -> Machine {
        Machine {
            processor: None,
            architecture: "x86_64",
            system: "linux",
            instruction_sets: instruction_sets.to_vec(),
            cores: Cores {
                usable: 1,
                machine: None,
                physical: None,
                affinity: None,
                quota: None,
                limited_by: None,
            },
            memory: Memory::default(),
            huge_pages: None,
        }
    }

    fn found(kernel: &str, machine: &Machine, forced: bool) -> Option<Finding> {
        let library = Library {
            name: "OpenBLAS",
            version: None,
            kernel: Some(kernel.to_owned()),
            threading: None,
            threads: None,
            linkage: "shared",
            path: None,
            refusal: None,
            cure: None,
        };
        let variable = Variable {
            name: "OPENBLAS_CORETYPE".to_owned(),
            value: kernel.to_owned(),
        };
        check(
            &library,
            machine,
            if forced {
                std::slice::from_ref(&variable)
            } else {
                &[]
            },
        )
    }

    #[test]
    fn slow_kernels_are_a_warning_and_unsupported_ones_are_wrong() {
        let old = machine(&["sse2"]);
        let usual = machine(&["sse2", "avx", "avx2", "fma"]);
        let new = machine(&[
            "sse2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl",
        ]);
        for (kernel, machine, expected) in [
            ("Haswell", &new, Verdict::Warning),
            ("prescott", &usual, Verdict::Warning),
            ("Cooperlake", &new, Verdict::Ok),
            ("Zen", &usual, Verdict::Ok),
            ("Nehalem", &old, Verdict::Ok),
            ("SkylakeX", &usual, Verdict::Wrong),
            ("Haswell", &old, Verdict::Wrong),
        ] {
            for forced in [true, false] {
                let finding = found(kernel, machine, forced).expect("a finding");
                assert_eq!(finding.verdict, expected, "{kernel}");
                let mentioned = finding.found.to_string().contains("OPENBLAS_CORETYPE");
                assert_eq!(mentioned, forced && expected != Verdict::Ok, "{finding:?}");
            }
        }
    }

    #[test]
    fn unknown_kernels_and_other_architectures_are_not_checked() {
        let new = machine(&["sse2"]);
        assert_eq!(found("Graniterapids", &new, true), None);
        let other = Machine {
            architecture: "aarch64",
            ..new
        };
        assert_eq!(found("Haswell", &other, true), None);
    }
}
