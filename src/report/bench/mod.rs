//! The report of a bench as text, Markdown or JSON: machine and work, a table for each kind of measurement, and
//! warnings last, where they are seen. The numbers and their statistics come from [`crate::bench`].

mod changes;
mod phases;

use std::io::{self, Write};

use self::changes::{changes, verdict};
use self::phases::{cores, no_cores};
use super::number::{counted, grouped, percent};
use super::table::Table;
use crate::bench::products::Stage;
use crate::bench::record::Work;
use crate::bench::statistics::Estimate;
use crate::bench::time_to::Seed;
use crate::bench::{Record, TimeTo};

/// The report of a bench: a record with its writers.
#[derive(Debug)]
pub struct BenchReport<'a> {
    record: &'a Record,
}

impl<'a> BenchReport<'a> {
    /// The report of a record.
    pub fn new(record: &'a Record) -> BenchReport<'a> {
        BenchReport { record }
    }

    /// Writes the report for a terminal.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", title(self.record))?;
        for (name, fact) in facts(self.record) {
            writeln!(out, "  {name:<9} {fact}")?;
        }
        for table in tables(self.record) {
            writeln!(out)?;
            table.write_text(out)?;
        }
        writeln!(out)?;
        for line in remarks(self.record) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    /// Writes the report as Markdown.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}\n", title(self.record))?;
        for (name, fact) in facts(self.record) {
            writeln!(out, "- {name}: {fact}")?;
        }
        for table in tables(self.record) {
            writeln!(out)?;
            table.write_markdown(out)?;
        }
        for line in remarks(self.record) {
            writeln!(out, "\n{line}")?;
        }
        Ok(())
    }

    /// Writes the record as one JSON object, whose fields are those of [`Record`].
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        super::write_json(out, self.record)
    }
}

fn title(record: &Record) -> String {
    let Record {
        version,
        revision,
        build,
        ..
    } = record;
    format!("perceptor {version} ({revision}, {build} build)")
}

/// The machine and the work, one line for each fact.
fn facts(record: &Record) -> Vec<(&'static str, String)> {
    let (machine, work) = (&record.machine, &record.work);
    let mut facts = vec![
        (
            "machine",
            format!(
                "{}, {}, {} {}, {}",
                machine.processor,
                counted(machine.cores, "core"),
                machine.architecture,
                machine.system,
                machine.instructions
            ),
        ),
        (
            "data",
            format!(
                "{}: {} training samples",
                work.data,
                grouped(work.train_items)
            ),
        ),
        (
            "network",
            format!(
                "{}, {}, {} parameters, {} kFLOP per sample",
                work.network,
                work.settings.activation.name(),
                grouped(work.parameters),
                grouped((work.flops_per_sample / 1e3).round() as usize)
            ),
        ),
        ("training", training_facts(work)),
        ("engine", work.kernels.clone()),
    ];
    if let Some(settings) = other_settings(work) {
        facts.insert(facts.len() - 1, ("settings", settings));
    }
    facts
}

/// The numbers of training that decide how it goes.
fn training_facts(work: &Work) -> String {
    let optimizer = &work.settings.optimizer;
    let momentum = optimizer.momentum.map(|it| format!(", momentum {it}"));
    format!(
        "batch size {}, {}, learning rate {}{}, seed {}",
        work.batch_size,
        optimizer.optimizer.name(),
        optimizer
            .learning_rate
            .map_or("–".to_owned(), |rate| rate.to_string()),
        momentum.unwrap_or_default(),
        work.settings.seed
    )
}

/// The other settings that differ from the defaults of training; `None` if none does.
fn other_settings(work: &Work) -> Option<String> {
    const ELSEWHERE: [&str; 8] = [
        "hidden",
        "activation",
        "batch_size",
        "optimizer",
        "learning_rate",
        "momentum",
        "seed",
        "engine",
    ];
    let is_other = |key: &str| match key {
        "epochs" => work.depends_on_epochs(),
        _ => !ELSEWHERE.contains(&key),
    };
    let settings = work.changed_settings().into_iter();
    let settings = settings.filter(|(key, _)| is_other(key));
    let settings: Vec<String> = settings
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    (!settings.is_empty()).then(|| settings.join("; "))
}

/// A table for each kind of measurement that the record has.
fn tables(record: &Record) -> Vec<Table> {
    let mut tables = Vec::new();
    if !record.peak.is_empty() {
        tables.push(peak(record));
    }
    if !record.cores.is_empty() {
        tables.push(cores(&record.cores));
    }
    if !record.products.is_empty() {
        tables.push(products(record));
    }
    if !record.training.is_empty() {
        tables.push(training(record));
    }
    tables.extend(record.phases.iter().map(phases::phases));
    tables.extend(record.time_to.as_ref().map(time_to));
    let changes = record.comparison.as_ref().and_then(changes);
    tables.extend(changes);
    tables
}

fn peak(record: &Record) -> Table {
    let instructions = &record.machine.instructions;
    let samples = record.peak[0].samples.len();
    let title =
        format!("Peak: multiply-adds in registers, {instructions}, best of {samples} samples");
    let mut table = Table::new(title, 0, ["threads", "GFLOP/s", "per thread"]);
    for peak in &record.peak {
        table.row(vec![
            peak.threads.to_string(),
            format!("{:.1}", peak.gflops),
            format!("{:.1}", peak.gflops / peak.threads as f64),
        ]);
    }
    table
}

/// The table with a row for each product of each layer, and a column for each engine.
fn products(record: &Record) -> Table {
    let title = format!(
        "Products: batches of {} on one thread, GFLOP/s and share of the peak, medians of {}",
        record.products[0].rows,
        counted(record.settings.runs, "run")
    );
    let mut table = Table::new(title, 2, ["layer", "product"]);
    let mut engines: Vec<&str> = Vec::new();
    for product in &record.products {
        if !engines.contains(&product.engine.as_str()) {
            engines.push(&product.engine);
            table.column(&product.engine);
        }
    }
    let of_first = record.products.iter().filter(|p| p.engine == engines[0]);
    for row in of_first {
        let mut cells = vec![
            layer_name(row.layer, row.fan_in, row.fan_out),
            row.stage.name().to_owned(),
        ];
        cells.extend(
            engines
                .iter()
                .map(|engine| rate(record, engine, row.layer, row.stage)),
        );
        table.row(cells);
    }
    table
}

fn layer_name(layer: usize, fan_in: usize, fan_out: usize) -> String {
    format!("{layer}  {fan_in}→{fan_out}")
}

fn rate(record: &Record, engine: &str, layer: usize, stage: Stage) -> String {
    let mut products = record.products.iter();
    let found = products.find(|p| (p.engine.as_str(), p.layer, p.stage) == (engine, layer, stage));
    found.map_or("–".to_owned(), |product| {
        let of_peak = format!("({:.0} %)", 100.0 * product.of_peak);
        format!("{:.1} {of_peak:>7}", product.gflops)
    })
}

fn training(record: &Record) -> Table {
    let title = format!(
        "Training: {} of about {} s for each number of threads, in turn",
        counted(record.settings.runs, "run"),
        record.settings.seconds
    );
    let columns = [
        "threads",
        "samples/s",
        "min",
        "max",
        "spread",
        "GFLOP/s",
        "of peak",
        "speed-up",
    ];
    let mut table = Table::new(title, 0, columns);
    for training in &record.training {
        let summary = &training.summary;
        let rate = |rate: f64| grouped(rate.round() as usize);
        table.row(vec![
            training.threads.to_string(),
            rate(summary.median),
            rate(summary.min),
            rate(summary.max),
            format!("{:.1} %", 100.0 * summary.spread),
            format!("{:.1}", training.gflops),
            format!("{:.1} %", 100.0 * training.of_peak),
            training.speed_up.as_ref().map_or("1".to_owned(), speed_up),
        ]);
    }
    table
}

/// A median with its range, if there is more than one run: `1.93 (1.90 to 1.95)`.
fn speed_up(estimate: &Estimate) -> String {
    if estimate.confidence == 0.0 {
        return format!("{:.2}", estimate.median);
    }
    format!(
        "{:.2} ({:.2} to {:.2})",
        estimate.median, estimate.low, estimate.high
    )
}

fn time_to(found: &TimeTo) -> Table {
    let title = format!(
        "Time to {} on the test set, from the start of the process, evaluated after every epoch",
        percent(found.goal.accuracy)
    );
    let mut table = Table::new(title, 0, ["seed", "seconds", "epochs", "accuracy"]);
    for seed in &found.seeds {
        table.row(seed_row(seed));
    }
    table
}

fn seed_row(seed: &Seed) -> Vec<String> {
    let last = seed.evaluations.last();
    vec![
        seed.seed.to_string(),
        seed.seconds
            .map_or("never".to_owned(), |s| format!("{s:.3}")),
        seed.evaluations.len().to_string(),
        last.map_or("–".to_owned(), |last| percent(last.accuracy)),
    ]
}

/// The sentences below the tables: how certain the numbers are, the result of a comparison, and warnings.
fn remarks(record: &Record) -> Vec<String> {
    let mut lines = Vec::new();
    // All have the same number of runs, hence the same confidence.
    let mut speed_ups = record.training.iter().filter_map(|t| t.speed_up);
    if let Some(estimate) = speed_ups.next().filter(|one| one.confidence > 0.0) {
        lines.push(format!(
            "Speed-up is relative to one thread in the same round; \
             its range contains the true median in {:.0} of 100 cases.",
            100.0 * estimate.confidence
        ));
    }
    lines.extend(no_cores(record));
    lines.extend(record.time_to.as_ref().map(time_to_remark));
    if let Some(comparison) = &record.comparison {
        lines.push(verdict(comparison));
        lines.extend(comparison.notes.iter().map(|note| format!("note: {note}")));
    }
    lines.extend(
        record
            .warnings
            .iter()
            .map(|warning| format!("warning: {warning}")),
    );
    lines
}

fn time_to_remark(found: &TimeTo) -> String {
    let (reached, seeds) = (found.reached, found.seeds.len());
    let mean = found.mean.map(|mean| match found.deviation {
        Some(deviation) => format!(": mean {mean:.3} s, standard deviation {deviation:.3} s"),
        None => format!(": {mean:.3} s"),
    });
    let missed = (reached < seeds).then(|| {
        let epochs = counted(found.goal.epochs, "epoch");
        format!("; {} never did within {epochs}", seeds - reached)
    });
    format!(
        "{reached} of {} reached it{}{}.",
        counted(seeds, "seed"),
        mean.unwrap_or_default(),
        missed.unwrap_or_default()
    )
}
