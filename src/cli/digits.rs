//! `perceptor data digits`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use super::failure::Failure;
use super::shell::{program, shell_word};
use super::threads::ThreadsArg;
use clap::Args;
use perceptor::datasets::generated::GeneratedDigits;
use perceptor::report::number::{grouped, seconds};

const EXAMPLES: &str = "\
Examples:
  perceptor data digits --out digits
  perceptor data digits --out more --train 600000 --test 10000 --seed 2";

/// Generate handwritten digits, 28×28 pixels, in the file format of MNIST
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct DigitsArgs {
    /// Folder for the four files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace an existing data set
    #[arg(long)]
    force: bool,
    /// Number of training samples
    #[arg(long, value_name = "N", default_value_t = GeneratedDigits::default().train)]
    train: usize,
    /// Number of test samples
    #[arg(long, value_name = "N", default_value_t = GeneratedDigits::default().test)]
    test: usize,
    /// Seed; the same seed gives the same bytes
    #[arg(long, value_name = "N", default_value_t = GeneratedDigits::default().seed)]
    seed: u64,
    #[command(flatten)]
    threads: ThreadsArg,
}

impl DigitsArgs {
    pub fn run(&self) -> Result<(), Failure> {
        let start = Instant::now();
        let digits = GeneratedDigits {
            train: self.train,
            test: self.test,
            seed: self.seed,
        };
        let workers = self.threads.workers()?;
        match self.force {
            true => digits.write(&self.out, &workers)?,
            false => digits.write_new(&self.out, &workers)?,
        }
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "{} training and {} test digits in {} after {}",
            grouped(self.train),
            grouped(self.test),
            self.out.display(),
            seconds(start.elapsed().as_secs_f64()),
        )?;
        let program = program();
        writeln!(
            out,
            "next  {program} train --data {}",
            shell_word(&self.out)
        )?;
        Ok(())
    }
}
