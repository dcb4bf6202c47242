//! What this machine and this build are, and whether something is wrong: what `perceptor doctor` tells.
//!
//! `machine` and `cores` look at the hardware and at what the process may use of it, `cgroup` at the limits of its
//! control groups, `program` at this build and the libraries it calls. `checks` and `kernels` turn those facts into
//! findings; `trial` runs the engines against the reference, and `engines` judges them. Nothing here prints, and
//! nothing gives up: what a system does not tell is left out.

pub mod cgroup;
pub mod checks;
pub mod cores;
pub mod engines;
pub mod gradient_check;
pub mod kernels;
pub mod machine;
pub mod program;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::Serialize;

use crate::compute::{Engine, EngineChoice};
use crate::message::{Message, Spelling};
pub use cores::{Cores, Limit};
pub use machine::{Machine, Memory, SystemFiles};
use program::EngineFact;
pub use program::{Build, Engines, Library, Variable};

/// What the findings are to be about.
#[derive(Debug, Clone)]
pub struct Question {
    /// The engine that is asked for.
    pub engine: EngineChoice,
    /// The number of workers that is asked for; one a core where there is none.
    pub threads: Option<NonZeroUsize>,
    /// Where generated data are kept.
    pub cache_folder: PathBuf,
}

/// All facts and all findings.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// Who this program is.
    pub build: Build,
    /// What it runs on.
    pub machine: Machine,
    /// The linear algebra library it calls.
    pub blas: Library,
    /// Who can compute, and who would.
    pub engines: Engines,
    /// Workers that a run would start.
    pub workers: usize,
    /// Variables of the environment that steer the libraries, as far as they are set.
    pub environment: Vec<Variable>,
    /// What was checked, in the order of the report.
    pub findings: Vec<Finding>,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Works, but less well than it could.
    Warning,
    /// Results, or times measured, are not to be relied upon; or nothing runs at all.
    Wrong,
    /// Could not be tried, for a reason that another finding gives.
    Skipped,
}

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked.
    pub check: &'static str,
    /// The engine concerned, where the check is of one.
    pub engine: Option<&'static str>,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found, in a line.
    pub found: Message,
    /// What to do about it, in a line; none where all is well.
    pub cure: Option<Message>,
}

impl Finding {
    fn new(check: &'static str, verdict: Verdict, found: impl Into<Message>) -> Finding {
        Finding {
            check,
            engine: None,
            verdict,
            found: found.into(),
            cure: None,
        }
    }

    fn ok(check: &'static str, found: impl Into<Message>) -> Finding {
        Finding::new(check, Verdict::Ok, found)
    }

    fn warning(check: &'static str, found: impl Into<Message>) -> Finding {
        Finding::new(check, Verdict::Warning, found)
    }

    fn wrong(check: &'static str, found: impl Into<Message>) -> Finding {
        Finding::new(check, Verdict::Wrong, found)
    }

    fn cure(self, cure: impl Into<Message>) -> Finding {
        Finding {
            cure: Some(cure.into()),
            ..self
        }
    }

    fn of(self, engine: Engine) -> Finding {
        Finding {
            engine: Some(engine.name()),
            ..self
        }
    }
}

impl Diagnosis {
    /// The same with every mention of a setting spelled by `spelling`.
    #[must_use]
    pub fn settled(self, spelling: &dyn Spelling) -> Diagnosis {
        let settled = |message: Message| message.settled(spelling);
        let findings = self.findings.into_iter().map(|finding| Finding {
            found: settled(finding.found),
            cure: finding.cure.map(settled),
            ..finding
        });
        let engines = self.engines.all.into_iter().map(|fact| EngineFact {
            refusal: fact.refusal.map(settled),
            ..fact
        });
        Diagnosis {
            findings: findings.collect(),
            blas: Library {
                refusal: self.blas.refusal.map(settled),
                cure: self.blas.cure.map(settled),
                ..self.blas
            },
            engines: Engines {
                all: engines.collect(),
                ..self.engines
            },
            ..self
        }
    }

    /// Number of findings with this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        let with_it = |finding: &&Finding| finding.verdict == verdict;
        self.findings.iter().filter(with_it).count()
    }
}

/// Whether OpenBLAS, as it is loaded here, would end the process: see [`kernels`]. Asked before it is called without
/// need.
pub fn openblas_would_crash() -> bool {
    let files = SystemFiles::default();
    let environment = program::environment(std::env::vars_os());
    kernels::would_crash(
        &Library::look(&files).0,
        &Machine::look(&files),
        &environment,
    )
}

/// Looks at everything and tries every engine that is here; takes less than a second or so.
pub fn diagnose(question: &Question) -> Diagnosis {
    let files = SystemFiles::default();
    let machine = Machine::look(&files);
    let (blas, held) = Library::look(&files);
    let workers = question
        .threads
        .map_or(machine.cores.usable, NonZeroUsize::get);
    let mut diagnosis = Diagnosis {
        build: Build::of_this_program(),
        engines: Engines::look(question.engine, held.as_ref()),
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

    #[test]
    fn every_finding_that_is_not_well_has_a_cure() {
        let folder = tempfile::tempdir().expect("a folder");
        let diagnosis = diagnose(&Question {
            engine: EngineChoice::Auto,
            threads: NonZeroUsize::new(1_000_000),
            cache_folder: folder.path().to_owned(),
        });
        assert!(diagnosis.count(Verdict::Wrong) >= 1);
        for finding in &diagnosis.findings {
            let well = matches!(finding.verdict, Verdict::Ok | Verdict::Skipped);
            assert_eq!(finding.cure.is_none(), well, "{finding:?}");
            let lines =
                [Some(&finding.found), finding.cure.as_ref()].map(|it| it.map(Message::to_string));
            assert!(
                lines.iter().flatten().all(|text| !text.contains('\n')),
                "{finding:?}"
            );
        }
    }
}
