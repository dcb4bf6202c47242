//! The clock of `perceptor bench --time-to`: one process for each seed, timed from before its start.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use perceptor::TrainConfig;
use perceptor::bench::time_to::{Evaluated, Goal, Seed, TimeTo};
use perceptor::bench::{Progress, time_to};

use super::failure::Failure;

/// Starts this program again for each seed, from the one of `config` on, with its own flags.
pub fn measure(
    config: &TrainConfig,
    goal: Goal,
    show: &mut dyn FnMut(&Progress),
) -> Result<time_to::TimeTo, Failure> {
    let mut progress = Progress {
        what: "time to the accuracy",
        done: 0,
        of: goal.seeds as usize,
    };
    show(&progress);
    let mut seeds = Vec::new();
    for offset in 0..goal.seeds {
        let seed = config.seed.wrapping_add(offset);
        seeds.push(Seed::new(seed, goal, from_seed(seed, config)?));
        progress.done += 1;
        show(&progress);
    }
    Ok(TimeTo::new(goal, seeds))
}

/// Returns the evaluations of one process, each with the time since before its start.
fn from_seed(seed: u64, config: &TrainConfig) -> Result<Vec<Evaluated>, Failure> {
    let start = Instant::now();
    let mut process = Command::new(env::current_exe()?)
        .args(env::args_os().skip(1))
        .args(["--evaluate-seed", &seed.to_string()])
        .args(["--evaluate-with", config.engine.name()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let out = process.stdout.take().expect("stdout is piped");
    let mut evaluations = Vec::new();
    for line in BufReader::new(out).lines() {
        let accuracy = line?.parse().unwrap_or(f64::NAN);
        evaluations.push(Evaluated {
            epoch: evaluations.len() + 1,
            seconds: start.elapsed().as_secs_f64(),
            accuracy,
        });
    }
    let ended = process.wait()?;
    if ended.success() {
        Ok(evaluations)
    } else {
        // The process has reported the error itself.
        let code = ended.code().and_then(|code| u8::try_from(code).ok());
        Err(Failure::Reported(code.unwrap_or(1)))
    }
}
