//! What is printed before a search.

use std::io::{self, Write};

use crate::data::{Dataset, Splits};
use crate::report::number::{counted, grouped};
use crate::report::target_words;
use crate::tune::Plan;

/// Writes what a search is about to do: data, ranges, fixed settings, rungs, and what computes.
///
/// # Errors
/// Returns the errors of `out`.
pub fn banner(
    out: &mut dyn Write,
    data_name: &str,
    data: &Splits,
    plan: &Plan,
    threads: usize,
    engine: &str,
) -> io::Result<()> {
    let train = &plan.settings.train;
    let held_out = data.validation.as_ref().map_or(0, Dataset::samples);
    writeln!(out, "perceptor {} ({})", crate::VERSION, crate::REVISION)?;
    writeln!(
        out,
        "  data      {data_name}: {} training and {} validation samples, {} features, {}",
        grouped(data.train.samples()),
        grouped(held_out),
        data.train.features(),
        target_words(data.train.targets()),
    )?;
    let searched = plan.space.searched();
    let searched = searched.map(|(key, range)| format!("{} {range}", key.0.replace('_', " ")));
    let batch_norm = plan.space.batch_norm.then(|| "batch norm".to_owned());
    let searched = searched.chain(batch_norm);
    writeln!(
        out,
        "  search    {}",
        searched.collect::<Vec<_>>().join(", ")
    )?;
    writeln!(
        out,
        "  fixed     {}, {} by {}, seed {}; other settings as in tune.toml",
        train.activation.name(),
        train.optimizer.optimizer.name(),
        train.schedule.schedule.name(),
        train.seed
    )?;
    let rungs = plan.rungs();
    let rungs = rungs.iter().map(|rung| match rung.trials {
        1 => format!("1 trial for {}", rung.epochs),
        trials => format!("{trials} trials for {}", rung.epochs),
    });
    let rungs = rungs.collect::<Vec<_>>().join(", ");
    let limit = plan.time.map(|time| format!(", within {time}"));
    writeln!(
        out,
        "  rungs     {rungs} epochs{}",
        limit.unwrap_or_default()
    )?;
    let threads = counted(threads, "thread");
    writeln!(out, "  compute   {threads}, engine {engine}")
}
