//! How many threads train a network with `--threads auto`: as many as are fastest, measured at the first starts with each kind of
//! work, then kept next to the speeds of the engines.

use std::io::{self, Write};
use std::time::SystemTime;

use perceptor::bench::EngineTable;
use perceptor::bench::team::{self, ChosenBy, TeamChoice, TimedRun};
use perceptor::config::Threads;
use perceptor::report::engines::write_team;

use super::engine::{Verbosity, table_file};

/// Returns the shape of the team that trains `run`: the one that was chosen, or the fastest if that is `auto`.
pub fn choose_team(threads: Threads, run: &TimedRun, verbosity: Verbosity) -> TeamChoice {
    let choice = match threads {
        Threads::Count(count) => TeamChoice::of(count, run.cores, ChosenBy::Setting),
        Threads::Auto => fastest(run),
    };
    if verbosity == Verbosity::Verbose {
        let mut text = Vec::new();
        drop(write_team(&mut text, &choice));
        // A closed stderr must not end the command.
        drop(io::stderr().write_all(&text));
    }
    choice
}

/// Returns the fastest shape by the rates in the user's cache, or by new ones, which are then kept there.
fn fastest(run: &TimedRun) -> TeamChoice {
    let (cores, candidates) = (run.cores, run.candidates());
    if candidates.len() == 1 {
        let by = match cores.get() {
            1 => ChosenBy::OneCore,
            _ => ChosenBy::LongSteps,
        };
        return TeamChoice::of(cores, cores, by);
    }
    let (path, work, now) = (table_file(), run.work(), SystemTime::now());
    let kept = EngineTable::read(&path);
    let kept = kept.and_then(|table| table.teams.find(&work, &candidates, now));
    if let Some(rates) = kept {
        return TeamChoice::from_rates(rates, cores, ChosenBy::EarlierMeasurement);
    }
    // What is wrong with the data is reported by the run itself.
    let mut rates = team::measure(run, &candidates).unwrap_or_default();
    if !rates.is_empty() {
        // Read again: another process may have measured meanwhile.
        let mut table = EngineTable::read(&path).unwrap_or_else(EngineTable::empty);
        rates = table.teams.keep(work, rates, now);
        // If the cache cannot be written, the next run measures again.
        drop(table.write(&path));
    }
    TeamChoice::from_rates(rates, cores, ChosenBy::Measurement)
}
