//! Compares two records of the same work: what became slower or faster by more than the scatter of their runs.
//!
//! A change counts if the medians differ by more than a hundredth and their intervals (see
//! [`super::statistics::Estimate`]) are disjoint. With five runs on either side that means that all runs of one are
//! slower than all of the other, which happens by chance once in 126 times (the exact rank-sum test, two-sided: 2 of
//! the `C(10, 5) = 252` orders). A change of the whole machine, such as its clock, shows in the peak.

use std::collections::BTreeMap;

use super::record::{Change, Comparison, Record, Verdict};
use super::statistics::{Estimate, median};
use crate::config::TrainConfig;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// Changes smaller than this share do not count even without scatter: the layout of pages and code in memory makes as
/// large a difference from one start of the program to the next.
const LEAST_CHANGE: f64 = 0.01;
/// The fewest runs to judge by: two against two are in order once in three times by chance.
const LEAST_RUNS: usize = 3;

/// Compares rates of `now` with rates of `before`; larger is faster.
///
/// # Panics
/// Panics if either is empty.
pub fn judge(before: &[f64], now: &[f64]) -> Verdict {
    let (old, new) = (Estimate::of(before), Estimate::of(now));
    if before.len().min(now.len()) < LEAST_RUNS {
        Verdict::Open
    } else if new.high < old.low && new.median < old.median * (1.0 - LEAST_CHANGE) {
        Verdict::Slower
    } else if new.low > old.high && new.median > old.median * (1.0 + LEAST_CHANGE) {
        Verdict::Faster
    } else {
        Verdict::Same
    }
}

/// Refuses an earlier record that cannot be compared with this one, because a setting that decides the work, the
/// network or the accuracy differs. The results of `now` need not be there yet.
///
/// # Errors
/// Returns [`Error::Data`], which calls the earlier record `place` and names the first difference.
pub fn check(place: &str, before: &Record, now: &Record) -> Result<()> {
    let goal = |record: &Record| match &record.settings.goal {
        None => "rates".to_owned(),
        Some(goal) => format!("time to accuracy {}", goal.accuracy),
    };
    let network = |record: &Record| format!("network {}", record.work.network);
    let facts = [(goal(before), goal(now)), (network(before), network(now))];
    let facts = facts
        .into_iter()
        .map(|(before, now)| (before.into(), now.into()));
    let differing = settings_that_differ(before, now).map(|(key, before, now)| {
        let (before, now) = (key.set_to(before), key.set_to(now));
        (before, now)
    });
    let mut differing = differing.chain(facts.filter(|(before, now)| before != now));
    match differing.next() {
        None => Ok(()),
        Some((found, expected)) => Err(Error::Data(
            Refusal::new(place, found, message![expected, ", as measured now"])
                .hint("only runs of the same work can be compared"),
        )),
    }
}

/// The settings that decide the work and differ, with their values before and now.
fn settings_that_differ(
    before: &Record,
    now: &Record,
) -> impl Iterator<Item = (Key, String, String)> {
    let [old, new] = [before, now].map(|record| record.work.settings_by_key());
    let spans_the_run = now.work.depends_on_epochs();
    let decides = move |key: &str| match key {
        // These are the conditions of a measurement, which are noted.
        "engine" | "seed" => false,
        "epochs" => spans_the_run,
        _ => true,
    };
    let keys = TrainConfig::descriptions()
        .into_iter()
        .map(|setting| setting.key);
    keys.filter(move |key| decides(key)).filter_map(move |key| {
        let text = |values: &BTreeMap<String, String>| values.get(key).cloned();
        let none = || "none".to_owned();
        let (before, now) = (
            text(&old).unwrap_or_else(none),
            text(&new).unwrap_or_else(none),
        );
        (before != now).then_some((Key(key), before, now))
    })
}

/// Compares what both records have; `place` names the earlier one.
///
/// # Errors
/// Returns the errors of [`check`].
pub fn compare(place: &str, before: &Record, now: &Record) -> Result<Comparison> {
    check(place, before, now)?;
    Ok(Comparison {
        with: place.to_owned(),
        notes: notes(before, now),
        changes: [
            training(before, now),
            products(before, now),
            peaks(before, now),
            times(before, now),
        ]
        .concat(),
    })
}

/// Other conditions that changed, as sentences.
fn notes(before: &Record, now: &Record) -> Vec<String> {
    let build = |record: &Record| format!("{} ({} build)", record.revision, record.build);
    let data = |record: &Record| format!("{}, {} items", record.work.data, record.work.train_items);
    let cores = |record: &Record| record.machine.cores.to_string();
    let seed = |record: &Record| record.work.settings.seed.to_string();
    let start = |record: &Record| match &record.work.init_from {
        None => "drawn weights".to_owned(),
        Some(model) => format!("the weights of {model}"),
    };
    let facts = [
        ("revision", build(before), build(now)),
        (
            "processor",
            before.machine.processor.clone(),
            now.machine.processor.clone(),
        ),
        ("cores", cores(before), cores(now)),
        (
            "engine",
            before.work.kernels.clone(),
            now.work.kernels.clone(),
        ),
        ("data", data(before), data(now)),
        ("seed", seed(before), seed(now)),
        ("start", start(before), start(now)),
    ];
    let changed = facts.into_iter().filter(|(_, before, now)| before != now);
    changed
        .map(|(what, before, now)| format!("{what}: was {before}, is {now}"))
        .collect()
}

fn change(what: String, before: &[f64], now: &[f64]) -> Change {
    let (old, new) = (median(before), median(now));
    Change {
        what,
        before: old,
        now: new,
        speed: new / old,
        verdict: judge(before, now),
    }
}

fn training(before: &Record, now: &Record) -> Vec<Change> {
    let pairs = now.training.iter().filter_map(|new| {
        let old = before
            .training
            .iter()
            .find(|old| old.threads == new.threads)?;
        let what = format!("training, {}, samples/s", threads(new.threads));
        Some(change(
            what,
            &old.samples_per_second,
            &new.samples_per_second,
        ))
    });
    pairs.collect()
}

fn products(before: &Record, now: &Record) -> Vec<Change> {
    let pairs = now.products.iter().filter_map(|new| {
        let old = before.products.iter().find(|old| {
            (&old.engine, old.layer, old.stage) == (&new.engine, new.layer, new.stage)
        })?;
        let what = format!(
            "layer {} {}, {}, GFLOP/s",
            new.layer,
            new.stage.name(),
            new.engine
        );
        let flops = 2e-9 * (new.rows * new.fan_in * new.fan_out) as f64;
        let rates = |seconds: &[f64]| seconds.iter().map(|s| flops / s).collect::<Vec<f64>>();
        Some(change(what, &rates(&old.seconds), &rates(&new.seconds)))
    });
    pairs.collect()
}

fn peaks(before: &Record, now: &Record) -> Vec<Change> {
    let pairs = now.peak.iter().filter_map(|new| {
        let old = before.peak.iter().find(|old| old.threads == new.threads)?;
        let what = format!("register peak, {}, GFLOP/s", threads(new.threads));
        Some(change(what, &old.samples, &new.samples))
    });
    pairs.collect()
}

/// The change of the time to the accuracy, over the seeds that reached it.
fn times(before: &Record, now: &Record) -> Vec<Change> {
    let seconds = |record: &Record| -> Vec<f64> {
        let seeds = record.time_to.iter().flat_map(|time_to| &time_to.seeds);
        seeds.filter_map(|seed| seed.seconds).collect()
    };
    let (old, new) = (seconds(before), seconds(now));
    if old.is_empty() || new.is_empty() {
        return Vec::new();
    }
    let inverse = |seconds: &[f64]| seconds.iter().map(|s| 1.0 / s).collect::<Vec<f64>>();
    vec![Change {
        before: median(&old),
        now: median(&new),
        ..change(
            "time to the accuracy, s".to_owned(),
            &inverse(&old),
            &inverse(&new),
        )
    }]
}

/// A number of threads: `1 thread`, `2 threads`.
pub(super) fn threads(count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} thread{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_do_not_overlap_are_a_change() {
        let before = [100.0, 102.0, 98.0, 101.0, 99.0];
        assert_eq!(
            judge(&before, &[90.0, 97.0, 91.0, 92.0, 93.0]),
            Verdict::Slower
        );
        assert_eq!(
            judge(&before, &[110.0, 103.0, 109.0, 111.0, 108.0]),
            Verdict::Faster
        );
    }

    #[test]
    fn runs_that_overlap_are_no_change() {
        let before = [100.0, 102.0, 98.0, 101.0, 99.0];
        assert_eq!(judge(&before, &before), Verdict::Same);
        // One run, 98.5, is within the earlier range.
        assert_eq!(
            judge(&before, &[90.0, 98.5, 91.0, 92.0, 93.0]),
            Verdict::Same
        );
    }

    #[test]
    fn changes_below_a_hundredth_do_not_count() {
        let before = [100.0, 100.1, 100.2, 100.1, 100.0];
        assert_eq!(
            judge(&before, &[99.4, 99.5, 99.3, 99.4, 99.5]),
            Verdict::Same
        );
        assert_eq!(
            judge(&before, &[98.4, 98.5, 98.3, 98.4, 98.5]),
            Verdict::Slower
        );
    }

    #[test]
    fn one_outlier_among_eight_does_not_hide_a_change() {
        // The interval of eight runs is from the second to the seventh.
        let before = [100.0, 101.0, 102.0, 103.0, 104.0, 105.0, 106.0, 40.0];
        let now = [80.0, 81.0, 82.0, 83.0, 84.0, 85.0, 86.0, 104.0];
        assert_eq!(judge(&before, &now), Verdict::Slower);
    }

    #[test]
    fn two_runs_are_too_few_to_judge() {
        assert_eq!(judge(&[100.0, 101.0], &[50.0, 51.0, 52.0]), Verdict::Open);
    }
}
