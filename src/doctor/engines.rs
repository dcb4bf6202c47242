//! Engines as they compute: from trials to findings.
//!
//! Every engine that is here is tried, not only the one in use, so that there is one to turn to. Where BLAS is
//! refused no worker starts, and where its kernels would end the process they are not called: then the trial is
//! skipped, and another finding says why.

use std::num::NonZeroUsize;

use super::{Diagnosis, Finding, Verdict, gradient_check, kernels};
use crate::compute::Engine;
use crate::compute::parallel::Workers;
use crate::error::{Error, Result};
use crate::message::{Command, Key, Message, message};

/// Every check that lets engines compute.
pub fn check(facts: &Diagnosis) -> Vec<Finding> {
    let here = facts
        .engines
        .all
        .iter()
        .filter(|fact| fact.runs_on.is_some());
    let here: Vec<Engine> = here.map(|fact| fact.engine).collect();
    let skipped = |found: &str| {
        let gradient = Finding::new("gradient", Verdict::Skipped, found);
        [
            gradient.clone(),
            Finding {
                check: "thread-count",
                ..gradient
            },
        ]
    };
    if matches!(team(1), Err(Error::Blas(_))) {
        return skipped("not tried: no worker starts beside this BLAS").into();
    }
    let mut findings = Vec::new();
    let Diagnosis {
        blas,
        machine,
        environment,
        ..
    } = facts;
    let would_crash = kernels::would_crash(blas, machine, environment);
    let (crashing, sound): (Vec<_>, Vec<_>) = here
        .into_iter()
        .partition(|&engine| engine == Engine::Openblas && would_crash);
    findings.extend(gradients(&sound, facts.machine.cores.usable));
    findings.extend(sound.iter().map(|&engine| same_bits(engine, facts)));
    for engine in crashing {
        let skipped = skipped("not tried: the processor cannot run these kernels");
        findings.extend(skipped.map(|finding| finding.of(engine)));
    }
    findings
}

/// What to do about an engine that computes something else.
fn another_engine() -> Message {
    message![
        "take another ",
        Key("engine"),
        ", and report this with the output of ",
        Command("doctor")
    ]
}

/// A failure of the trial itself as a finding.
fn failed(check: &'static str, error: &Error) -> Finding {
    let cure = error
        .hint()
        .unwrap_or_else(|| "free memory, or raise the limits of this process".into());
    Finding::wrong(check, error.message()).cure(cure)
}

fn gradients(engines: &[Engine], cores: usize) -> Vec<Finding> {
    let deviations = team(cores).and_then(|workers| gradient_check::gradients(engines, &workers));
    let deviations = match deviations {
        Ok(deviations) => deviations,
        Err(error) => return vec![failed("gradient", &error)],
    };
    let of_each = engines.iter().zip(deviations);
    of_each
        .map(|(&engine, deviation)| gradient(&deviation).of(engine))
        .collect()
}

fn gradient(deviation: &gradient_check::Deviation) -> Finding {
    let gradient_check::Deviation { worst, case, cases } = deviation;
    if deviation.is_small() {
        let found = format!(
            "off by {worst:.0e} at most in {cases} cases, {:.0e} allowed",
            gradient_check::TOLERANCE
        );
        Finding::ok("gradient", found)
    } else {
        let found = format!(
            "off by {worst:.0e} of its largest element ({case}), {:.0e} allowed",
            gradient_check::TOLERANCE
        );
        Finding::wrong("gradient", found).cure(another_engine())
    }
}

fn team(threads: usize) -> Result<Workers> {
    Workers::new(NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN))
}

/// One worker against two, three, and as many as a run would start, up to one a core.
fn same_bits(engine: Engine, facts: &Diagnosis) -> Finding {
    let check = "thread-count";
    let most = facts.workers.min(facts.machine.cores.usable);
    let mut threads: Vec<NonZeroUsize> = [2, 3, most]
        .into_iter()
        .filter_map(NonZeroUsize::new)
        .collect();
    threads.retain(|threads| threads.get() > 1);
    threads.dedup();
    let last = threads.iter().max().map_or(1, |most| most.get());
    match gradient_check::other_bits(engine, &threads) {
        Ok(None) if last > 3 => Finding::ok(
            check,
            format!("1, 2, 3 and {last} workers give the same bits"),
        ),
        Ok(None) => Finding::ok(check, "1, 2 and 3 workers give the same bits"),
        Ok(Some((other, case))) => {
            let found = format!("{other} workers give other bits than one ({case})");
            Finding::wrong(check, found).cure(another_engine())
        }
        Err(error) => failed(check, &error),
    }
    .of(engine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gradient_that_is_off_is_wrong_even_when_it_is_no_number() {
        let finding = |worst| {
            let deviation = gradient_check::Deviation {
                worst,
                case: "9-3 relu, 1 rows".to_owned(),
                cases: 1,
            };
            gradient(&deviation)
        };
        assert_eq!(finding(1e-6).verdict, Verdict::Ok);
        for worst in [2e-5, f64::NAN, f64::INFINITY] {
            let found = finding(worst);
            assert_eq!(found.verdict, Verdict::Wrong);
            assert!(found.found.to_string().contains("9-3 relu"), "{found:?}");
        }
    }
}
