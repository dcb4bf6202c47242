//! How an engine and a number of threads were chosen: the measured rates, and the estimate for a network.

use std::io::{self, Write};

use super::number::{counted, grouped};
use super::table::Table;
use crate::bench::engine_table::{EngineTable, Load};
use crate::bench::team::{ChosenBy, TeamChoice};
use crate::compute::Engine;
use crate::compute::parallel::Division;

/// Writes the measured rates of this machine's engines, what they amount to for `load`, and which engine was `chosen`.
///
/// # Errors
/// Returns the errors of `out`.
pub fn write_choice(
    out: &mut dyn Write,
    measured: &EngineTable,
    load: &Load,
    chosen: Engine,
) -> io::Result<()> {
    let mut engines: Vec<Engine> = measured.rates.iter().map(|rate| rate.engine).collect();
    engines.dedup();
    let title = "Engines: forward product and weight update on one thread, GFLOP/s";
    let mut table = Table::new(title, 1, ["layer", "batch"]);
    engines
        .iter()
        .for_each(|engine| table.column(engine.name()));
    for first in measured
        .rates
        .iter()
        .filter(|rate| rate.engine == engines[0])
    {
        let shape = (first.rows, first.fan_in, first.fan_out);
        let mut cells = vec![format!("{}→{}", shape.1, shape.2), shape.0.to_string()];
        cells.extend(engines.iter().map(|&engine| {
            let mut of_engine = measured.rates.iter().filter(|rate| rate.engine == engine);
            let found = of_engine.find(|rate| (rate.rows, rate.fan_in, rate.fan_out) == shape);
            found.map_or("–".to_owned(), |rate| format!("{:.1}", rate.gflops))
        }));
        table.row(cells);
    }
    table.write_text(out)?;
    for estimate in measured.estimates(load) {
        let mark = if estimate.engine == chosen {
            "  ← chosen"
        } else {
            ""
        };
        writeln!(
            out,
            "  {} in batches of {}, {}: {:.2} µs per sample in products{mark}",
            load.spec,
            load.batch_size,
            estimate.engine.name(),
            1e6 * estimate.seconds_per_sample
        )?;
    }
    Ok(())
}

/// Writes the rates of numbers of threads, if there are any, and why one was chosen.
///
/// # Errors
/// Returns the errors of `out`.
pub fn write_team(out: &mut dyn Write, choice: &TeamChoice) -> io::Result<()> {
    let threads = choice.shape.threads.get();
    let why = match choice.by {
        ChosenBy::Setting => "as set",
        ChosenBy::OneCore => "this process may use one core",
        ChosenBy::LongSteps => "steps are so long that all cores are fastest",
        ChosenBy::Measurement => "measured now",
        ChosenBy::EarlierMeasurement => "measured at an earlier start",
        ChosenBy::Default => "the rates could not be measured, so all cores are used",
    };
    writeln!(
        out,
        "Threads: {threads} of {}, {why}",
        counted(choice.cores.get(), "core")
    )?;
    for rate in &choice.rates {
        let mark = match rate.shape == choice.shape {
            true => "  ← chosen",
            false => "",
        };
        writeln!(
            out,
            "  {}{}: {} samples/s{mark}",
            counted(rate.shape.threads.get(), "thread"),
            match rate.shape.division {
                Division::Units => "",
                Division::Rows => ", all layers divided by rows",
            },
            grouped(rate.samples_per_second.round() as usize),
        )?;
    }
    Ok(())
}
