//! `--engine`, and which engine `auto` stands for on this machine: measured once, then kept in the user's cache, so that
//! the same command gives the same bits the next time.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use perceptor::bench::engine_table::{EngineTable, Load};
use perceptor::compute::{Engine, EngineChoice};
use perceptor::config::CheckedConfig;
use perceptor::data::Dataset;
use perceptor::nn::Spec;
use perceptor::report::engines::write_choice;
use perceptor::{Error, Result};

use super::cache_folder::usable_cache_folder;
use super::threads::ThreadsArg;
use super::values::named;

const TABLE_FILE: &str = "engines.json";

#[derive(Debug, Args)]
pub struct ComputeArgs {
    #[command(flatten)]
    pub threads: ThreadsArg,
    /// What computes matrix products: perceptor's kernels (native), OpenBLAS, or portable Rust; auto takes the fastest
    /// for the network, measured once on each machine
    #[arg(long, help_heading = "Compute", hide_short_help = true, default_value = EngineChoice::default().name(), value_parser = named(EngineChoice::ALL, EngineChoice::name))]
    pub engine: EngineChoice,
}

#[derive(Debug, Args)]
pub struct VerboseArg {
    /// Print the measured speeds of engines and numbers of threads, and which ones are used
    #[arg(long, short, help_heading = "Output", conflicts_with = "quiet")]
    pub verbose: bool,
}

/// Returns the engine for `spec` in batches of `batch_size`: the one that was chosen, or the fastest if that is `auto`.
pub fn choose(
    choice: EngineChoice,
    spec: &Spec,
    batch_size: usize,
    verbosity: Verbosity,
) -> Result<Engine> {
    choose_for(choice, || Load::dense(spec, batch_size), verbosity)
}

/// Returns the engine that trains `spec` on `train`: that of `config`, or the fastest if that is `auto`.
pub fn choose_for_training(
    config: &CheckedConfig,
    spec: &Spec,
    train: &Dataset,
    verbosity: Verbosity,
) -> Result<Engine> {
    let load = || Load::training(config, spec, train);
    choose_for(config.engine, load, verbosity)
}

fn choose_for<'a>(
    choice: EngineChoice,
    load: impl Fn() -> Load<'a>,
    verbosity: Verbosity,
) -> Result<Engine> {
    let is_named = choice != EngineChoice::Auto;
    if is_named && verbosity != Verbosity::Verbose {
        return choice.resolve();
    }
    let (table, load) = (table(verbosity)?, load());
    let chosen = match is_named {
        true => choice.resolve()?,
        false => usable(table.choose(&load), verbosity)?,
    };
    if verbosity == Verbosity::Verbose {
        let mut text = Vec::new();
        drop(write_choice(&mut text, &table, &load, chosen));
        // A closed stderr must not end the command.
        drop(io::stderr().write_all(&text));
    }
    Ok(chosen)
}

/// Returns the engine of the table's choice or, if OpenBLAS cannot be used today, the next one.
fn usable(choice: EngineChoice, verbosity: Verbosity) -> Result<Engine> {
    choice.resolve().or_else(|error| {
        note(&format!("auto does without OpenBLAS: {error}"), verbosity);
        EngineChoice::Auto.resolve()
    })
}

/// Writes a line to stderr unless that is `Quiet`.
fn note(line: &str, verbosity: Verbosity) {
    if verbosity != Verbosity::Quiet {
        // A closed stderr must not end the command.
        drop(writeln!(io::stderr(), "{line}"));
    }
}

/// How much about the choice of an engine goes to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Nothing.
    Quiet,
    /// That a measurement takes place.
    Normal,
    /// In addition, the measured speeds.
    Verbose,
}

impl Verbosity {
    pub fn new(quiet: bool, verbose: bool) -> Verbosity {
        match (quiet, verbose) {
            (_, true) => Verbosity::Verbose,
            (true, _) => Verbosity::Quiet,
            _ => Verbosity::Normal,
        }
    }
}

/// Returns the file in the user's cache that keeps the speeds on this machine.
pub fn table_file() -> PathBuf {
    usable_cache_folder().join(TABLE_FILE)
}

/// Returns the speeds on this machine: those in the user's cache, or new ones, which are then kept there.
fn table(verbosity: Verbosity) -> Result<EngineTable> {
    let path = table_file();
    let mut table = EngineTable::read(&path).unwrap_or_else(EngineTable::empty);
    if !table.rates.is_empty() {
        return Ok(table);
    }
    let place = path.display();
    let what = "measuring once which engine is fastest on this machine";
    note(&format!("{what}; kept in {place}"), verbosity);
    table.measure_engines()?;
    let openblas = Engine::Openblas
        .is_built_in()
        .then(|| Engine::Openblas.check());
    if let Some(Err(error)) = &openblas {
        note(&format!("auto does without OpenBLAS: {error}"), verbosity);
    }
    // A limit on memory may be another the next time.
    if !matches!(openblas, Some(Err(Error::Memory(_)))) {
        // If the cache cannot be written, the next run measures again.
        drop(table.write(&path));
    }
    Ok(table)
}
