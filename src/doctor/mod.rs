//! Facts about this machine and this build, and checks of what may be wrong with them: what `perceptor doctor` reports.
//!
//! `machine` and `cores` describe the hardware and how much of it the process may use, and `program` describes this build and the libraries it calls. `checks`, `kernels` and `engines` turn those facts into findings;
//! `gradient_check` runs the engines against the reference. Nothing here prints or fails: what a system does not report is
//! omitted.

pub mod checks;
pub mod cores;
pub mod diagnosis;
pub mod engines;
pub mod finding;
pub mod gradient_check;
pub mod kernels;
pub mod machine;
pub mod program;

use std::num::NonZeroUsize;

pub use crate::system::{Memory, SystemFiles};

pub use cores::{Cores, Limit};
pub use diagnosis::{Diagnosis, Question};
pub use finding::{Finding, Verdict};
pub use machine::Machine;
pub use program::{Build, Engines, Library, Variable};

/// Returns whether OpenBLAS, as loaded here, would crash the process on its first call. See [`kernels`].
pub fn openblas_would_crash() -> bool {
    let files = SystemFiles::default();
    let blas = Library::detect(&files);
    let environment = program::environment(std::env::vars_os());
    kernels::would_crash(&blas, &Machine::detect(&files), &environment)
}

/// Collects all facts and runs all checks. This takes about a second.
pub fn diagnose(question: &Question) -> Diagnosis {
    let files = SystemFiles::default();
    let machine = Machine::detect(&files);
    let blas = Library::detect(&files);
    let workers = question
        .threads
        .map_or(machine.cores.usable, NonZeroUsize::get);
    let mut diagnosis = Diagnosis {
        build: Build::of_this_program(),
        engines: Engines::detect(question.engine),
        environment: program::environment(std::env::vars_os()),
        machine,
        blas,
        workers,
        findings: Vec::new(),
    };
    let mut findings = checks::of_facts(&diagnosis, question.threads.is_some());
    findings.push(checks::cache_folder(&question.cache_folder));
    findings.extend(engines::check(&diagnosis));
    diagnosis.findings = findings;
    diagnosis
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::EngineChoice;
    use crate::message::Message;

    #[test]
    fn a_finding_has_a_cure_unless_all_is_well() {
        let folder = tempfile::tempdir().expect("a folder");
        let diagnosis = diagnose(&Question {
            engine: EngineChoice::Auto,
            threads: NonZeroUsize::new(1_000_000),
            cache_folder: folder.path().to_owned(),
        });
        assert!(diagnosis.count(Verdict::Wrong) >= 1);
        for finding in &diagnosis.findings {
            let needs_none = matches!(finding.verdict, Verdict::Ok | Verdict::Skipped);
            assert_eq!(finding.cure.is_none(), needs_none, "{finding:?}");
            let lines =
                [Some(&finding.found), finding.cure.as_ref()].map(|it| it.map(Message::to_string));
            assert!(
                lines.iter().flatten().all(|text| !text.contains('\n')),
                "{finding:?}"
            );
        }
    }
}
