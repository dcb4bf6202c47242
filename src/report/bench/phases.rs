//! The tables about where the time of a step goes: its phases, and the cost of lines that travel between cores.

use crate::bench::phases::{PhaseRate, Phases};
use crate::bench::{Pair, Record};
use crate::report::number::{counted, grouped};
use crate::report::table::Table;

/// The table with a row for each phase of a step at one number of threads.
pub(super) fn phases(phases: &Phases) -> Table {
    let title = format!(
        "Phases of a step with {}: {:.1} µs a step, mean of {} with clocks",
        counted(phases.threads, "thread"),
        1e6 * phases.seconds_per_step(),
        grouped(phases.steps)
    );
    let columns = ["phase", "µs a step", "share", "GFLOP/s", "of peak"];
    let mut table = Table::new(title, 1, columns);
    for phase in &phases.phases {
        table.row(row(phase));
    }
    table
}

fn row(phase: &PhaseRate) -> Vec<String> {
    let PhaseRate {
        seconds_per_step,
        share,
    } = phase;
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let optional = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    vec![
        share.phase.name().to_owned(),
        format!("{:.2}", 1e6 * seconds_per_step),
        percent(share.share),
        optional(share.gflops.map(|rate| format!("{rate:.1}"))),
        optional(share.of_peak.map(percent)),
    ]
}

/// The table with a row for each pair of workers.
pub(super) fn cores(pairs: &[Pair]) -> Table {
    let title = format!(
        "Cores: cache lines that travel between two workers, ns, medians of {}",
        counted(pairs[0].rounds, "round")
    );
    let columns = [
        "workers",
        "round trip",
        "read the other's",
        "write after the other read",
        "write one's own",
    ];
    let mut table = Table::new(title, 0, columns);
    for pair in pairs {
        let [one, other] = pair.workers;
        table.row(vec![
            format!("{one}, {other}"),
            format!("{:.0}", pair.round_trip_ns),
            format!("{:.1}", pair.read_ns),
            format!("{:.1}", pair.write_after_read_ns),
            format!("{:.1}", pair.write_own_ns),
        ]);
    }
    table
}

/// Why there is no table of [`cores`], if training was measured.
pub(super) fn no_cores(record: &Record) -> Option<String> {
    let is_missing = record.cores.is_empty() && !record.training.is_empty();
    let reason = match (record.settings.threads.get(), record.machine.cores) {
        (_, 1) => "this process may use one core only",
        (1, _) => "only one thread was asked for",
        _ => "an earlier version of perceptor wrote the record",
    };
    is_missing.then(|| format!("The cost of travelling cache lines is not measured: {reason}."))
}
