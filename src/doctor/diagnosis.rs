//! All facts and findings about this machine and this build.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::Serialize;

use super::finding::{Finding, Verdict};
use super::machine::Machine;
use super::program::{Build, EngineFact, Engines, Library, Variable};
use crate::compute::EngineChoice;
use crate::message::{Message, Spelling};

/// The settings of a run that the findings are about.
#[derive(Debug, Clone)]
pub struct Question {
    /// The requested engine.
    pub engine: EngineChoice,
    /// The requested number of workers. `None` starts one per core.
    pub threads: Option<NonZeroUsize>,
    /// The folder of generated data.
    pub cache_folder: PathBuf,
}

/// All facts and findings.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// This build of perceptor.
    pub build: Build,
    /// The machine it runs on.
    pub machine: Machine,
    /// The linear algebra library it calls.
    pub blas: Library,
    /// The engines that are available, and the one that a run would use.
    pub engines: Engines,
    /// The number of workers that a run would start.
    pub workers: usize,
    /// The environment variables that affect the libraries, if they are set.
    pub environment: Vec<Variable>,
    /// The outcome of every check, in the order of the report.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Returns the number of findings with this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        let has_verdict = |finding: &&Finding| finding.verdict == verdict;
        self.findings.iter().filter(has_verdict).count()
    }

    /// Returns the same diagnosis with every mention of a setting spelled by `spelling`.
    #[must_use]
    pub fn settled(self, spelling: &dyn Spelling) -> Diagnosis {
        let settled = |message: Message| message.settled(spelling);
        let findings = self.findings.into_iter();
        let findings = findings.map(|finding| finding.settled(spelling));
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
}
