//! Checks that let engines compute.
//!
//! Every available engine is checked, not only the one in use, so that an alternative is known. If OpenBLAS's kernels
//! would crash the process, they are not called. The check is skipped then, and another finding has the reason.

use std::num::NonZeroUsize;

use super::diagnosis::Diagnosis;
use super::finding::{Finding, Verdict};
use super::{gradient_check, kernels};
use crate::compute::Engine;
use crate::compute::parallel::Workers;
use crate::error::{Error, Result};
use crate::message::{Command, Key, Message, message};

/// Runs every check that lets engines compute.
pub fn check(facts: &Diagnosis) -> Vec<Finding> {
    let all = facts.engines.all.iter();
    let available = all.filter(|fact| fact.runs_on.is_some());
    let skipped = |found: &str| {
        ["gradient", "thread-count"].map(|check| Finding::new(check, Verdict::Skipped, found))
    };
    let mut findings = Vec::new();
    let Diagnosis {
        blas,
        machine,
        environment,
        ..
    } = facts;
    let would_crash = kernels::would_crash(blas, machine, environment);
    let (crashing, sound): (Vec<_>, Vec<_>) = available
        .map(|fact| fact.engine)
        .partition(|&engine| engine == Engine::Openblas && would_crash);
    findings.extend(gradients(&sound, facts.machine.cores.usable));
    findings.extend(sound.iter().map(|&engine| same_bits(engine, facts)));
    for engine in crashing {
        let skipped = skipped("not tried: the processor cannot run these kernels");
        findings.extend(skipped.map(|finding| finding.of(engine)));
    }
    findings
}

/// Returns the cure for an engine that computes wrong results.
fn use_another_engine() -> Message {
    message![
        "use another ",
        Key("engine"),
        ", and report this with the output of ",
        Command("doctor")
    ]
}

/// Returns the finding for a check that failed to run.
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
        Finding::wrong("gradient", found).cure(use_another_engine())
    }
}

fn team(threads: usize) -> Result<Workers> {
    Workers::new(NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN))
}

/// Checks that several workers compute the same bits as one: two, three, and as many as a run would start, up to one per
/// core.
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
            format!("1, 2, 3 and {last} workers compute the same bits"),
        ),
        Ok(None) => Finding::ok(check, "1, 2 and 3 workers compute the same bits"),
        Ok(Some((other, case))) => {
            let found = format!("{other} workers compute other bits than one ({case})");
            Finding::wrong(check, found).cure(use_another_engine())
        }
        Err(error) => failed(check, &error),
    }
    .of(engine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_or_nan_gradient_is_found() {
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
