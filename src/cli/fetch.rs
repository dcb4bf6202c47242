//! `perceptor data fetch`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use perceptor::datasets::fetch::{CATALOGUE, DataSet, Request, fetch};
use perceptor::report::number::{bytes, grouped};
use perceptor::report::table::Table;

use super::cache_folder::cache_folder;
use super::downloads::Downloads;
use super::failure::Failure;
use super::shell::{program, shell_word};

const EXAMPLES: &str = "\
Examples:
  perceptor data fetch                          list the sets, with sizes and licences
  perceptor data fetch mnist                    into data/mnist, where train looks first
  perceptor data fetch fashion-mnist --out clothing
  perceptor data fetch mnist --mirror http://localhost:8000/mnist/";

/// Download a data set, and verify it
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct FetchArgs {
    /// Name of the data set [default: list all]
    #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(CATALOGUE.iter().map(|set| set.name)))]
    name: Option<String>,
    /// List the sets with their sizes and licences
    #[arg(long, conflicts_with = "name")]
    list: bool,
    /// Folder for the four files [default: data/NAME]
    #[arg(long, value_name = "DIR", requires = "name")]
    out: Option<PathBuf>,
    /// URL of a folder to try before the known mirrors; may be repeated, and may be plain HTTP
    #[arg(long, value_name = "URL", requires = "name")]
    mirror: Vec<String>,
    /// Replace other files in the folder
    #[arg(long, requires = "name")]
    force: bool,
    /// Seconds without data after which the next mirror is tried
    #[arg(long, hide_short_help = true, value_name = "SECONDS", default_value_t = 30.0, value_parser = parse_timeout)]
    timeout: f64,
    /// Do not show progress
    #[arg(long, short, requires = "name")]
    quiet: bool,
}

fn parse_timeout(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok();
    let seconds = seconds.filter(|seconds| (0.1..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "expected a number of seconds from 0.1 to 86400".to_owned())
}

impl FetchArgs {
    pub fn run(&self) -> Result<(), Failure> {
        match self.name.as_deref().and_then(DataSet::named) {
            Some(set) => self.fetch(set),
            None => Ok(list(&mut io::stdout().lock())?),
        }
    }

    fn fetch(&self, set: &DataSet) -> Result<(), Failure> {
        let folder = self.out.clone();
        let folder = folder.unwrap_or_else(|| PathBuf::from("data").join(set.name));
        let request = Request {
            set,
            folder: &folder,
            archives: &cache_folder(),
            mirrors: &self.mirror,
            force: self.force,
            timeout: Duration::from_secs_f64(self.timeout),
        };
        let downloads = Downloads::new(self.quiet);
        let fetched = fetch(&request, &mut |event| downloads.show(event));
        downloads.finish();
        fetched?;
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "{}: {} training and {} test samples, 28×28 u8: {}",
            folder.display(),
            grouped(set.train),
            grouped(set.test),
            set.about
        )?;
        writeln!(out, "licence  {}", set.licence)?;
        writeln!(out, "cite     {}", set.citation)?;
        let (program, word) = (program(), shell_word(&folder));
        writeln!(out, "next     {program} train --data {word}")?;
        Ok(())
    }
}

fn list(out: &mut dyn Write) -> io::Result<()> {
    let columns = [
        "name", "what", "licence", "train", "test", "download", "on disk",
    ];
    let mut table = Table::new("data sets to fetch: perceptor data fetch NAME", 3, columns);
    for set in &CATALOGUE {
        table.row(vec![
            set.name.to_owned(),
            set.about.to_owned(),
            set.licence.to_owned(),
            grouped(set.train),
            grouped(set.test),
            bytes(set.packed_bytes() as usize),
            bytes(set.all_raw_bytes() as usize),
        ]);
    }
    table.write_text(out)?;
    writeln!(
        out,
        "the EMNIST sets share one archive, which is kept in the user's cache folder"
    )
}
