//! `perceptor data digits`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use perceptor::datasets::generated::{FILES, GeneratedDigits};
use perceptor::report::number::{grouped, seconds};
use perceptor::{Error, Refusal};

use super::failure::Failure;
use super::source::{program, shell_word};
use super::threads::ThreadsArg;

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
    /// Returns an error if the folder has a data set already.
    fn check_free(&self) -> perceptor::Result<()> {
        let mut files = FILES.iter().map(|name| self.out.join(name));
        match files.find(|path| path.exists()) {
            None => Ok(()),
            Some(path) => Err(Error::Config(
                Refusal::new(
                    "--out",
                    format!("{} exists already", path.display()),
                    "a folder without a data set",
                )
                .hint("name another folder, or add --force to replace it"),
            )),
        }
    }

    pub fn run(&self) -> Result<(), Failure> {
        let start = Instant::now();
        let digits = GeneratedDigits {
            train: self.train,
            test: self.test,
            seed: self.seed,
        };
        if !self.force {
            self.check_free()?;
        }
        digits.write(&self.out, &self.threads.workers()?)?;
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
