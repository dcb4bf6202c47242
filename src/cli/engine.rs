//! `--engine` and `--threads`, and what `auto` comes to on this machine: measured once, then kept in the user's cache,
//! so that the same command gives the same bits the next time.

use std::io::{self, Write};
use std::num::NonZeroUsize;

use clap::Args;
use perceptor::Result;
use perceptor::bench::EngineTable;
use perceptor::compute::parallel::Workers;
use perceptor::compute::{Engine, EngineChoice};
use perceptor::nn::Spec;
use perceptor::report::engines::write_choice;

use super::named;
use super::source::usable_cache_folder;

const TABLE_FILE: &str = "engines.json";

#[derive(Debug, Args)]
pub struct ThreadsArg {
    /// Worker threads [default: all cores this process may use]. The result does not depend on it
    #[arg(long, value_name = "N", help_heading = "Compute")]
    pub threads: Option<NonZeroUsize>,
}

impl ThreadsArg {
    pub fn workers(&self) -> Result<Workers> {
        workers(self.threads)
    }
}

/// As many workers as were asked for, or as the machine has cores for.
pub fn workers(threads: Option<NonZeroUsize>) -> Result<Workers> {
    Workers::new(threads.unwrap_or_else(Workers::available))
}

#[derive(Debug, Args)]
pub struct ComputeArgs {
    #[command(flatten)]
    pub threads: ThreadsArg,
    /// Who computes: our own kernels (native), OpenBLAS, or portable Rust; auto takes the fastest for the network
    /// by a measurement that is made once on each machine
    #[arg(long, help_heading = "Compute", default_value = EngineChoice::default().name(), value_parser = named(EngineChoice::ALL, EngineChoice::name))]
    pub engine: EngineChoice,
}

#[derive(Debug, Args)]
pub struct VerboseArg {
    /// Show what the engines were measured at, and which one is taken
    #[arg(long, short, help_heading = "Output", conflicts_with = "quiet")]
    pub verbose: bool,
}

/// The engine for `spec` in batches of `batch_size`: the one that was chosen, or the fastest if that is `auto`.
pub fn choose(choice: EngineChoice, spec: &Spec, batch_size: usize, tell: Tell) -> Result<Engine> {
    let named = choice != EngineChoice::Auto;
    if named && tell != Tell::Everything {
        return choice.resolve();
    }
    let table = table(tell)?;
    let chosen = match named {
        true => choice.resolve()?,
        false => table.choose(spec, batch_size).resolve()?,
    };
    if tell == Tell::Everything {
        let mut text = Vec::new();
        drop(write_choice(&mut text, &table, spec, batch_size, chosen));
        // A closed stderr is no reason not to compute.
        drop(io::stderr().write_all(&text));
    }
    Ok(chosen)
}

/// How much of the choice goes to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tell {
    /// Nothing.
    Nothing,
    /// That a measurement is made.
    Work,
    /// The table, too.
    Everything,
}

impl Tell {
    pub fn new(quiet: bool, verbose: bool) -> Tell {
        match (quiet, verbose) {
            (_, true) => Tell::Everything,
            (true, _) => Tell::Nothing,
            _ => Tell::Work,
        }
    }
}

/// The table of this machine: the one that is kept, else a new one, which then is.
fn table(tell: Tell) -> Result<EngineTable> {
    let path = usable_cache_folder().join(TABLE_FILE);
    if let Some(table) = EngineTable::read(&path) {
        return Ok(table);
    }
    if tell != Tell::Nothing {
        let place = path.display();
        drop(writeln!(
            io::stderr(),
            "measuring which engine is the fastest here, once; kept in {place}"
        ));
    }
    let table = EngineTable::measure()?;
    // Without it the next run measures again; this one has what it needs.
    drop(table.write(&path));
    Ok(table)
}
