//! `perceptor data inspect`.

use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::Args;
use perceptor::config::TableConfig;
use perceptor::config::setting::Setting;
use perceptor::data::files::{Opening, Pair};
use perceptor::data::{DataMode, Dataset, IdxFile, Note, Rows, Splits, Targets, folder};
use perceptor::message::Key;
use perceptor::nn::Task;
use perceptor::report::inspect::InspectReport;
use perceptor::run::{Layer, Settings};
use perceptor::table::{TrainingTable, is_table};
use perceptor::{Error, Refusal, Workers};

use super::failure::Failure;
use super::opening::print_notes;
use super::setting_flags::{Selection, SettingFlags};
use super::source::warn_of_changed_source;
use super::spelling::Flags;
use super::stdin::refuse_stdin;
use super::table::{options, request};
use super::values::Format;

const EXAMPLES: &str = "\
Examples:
  perceptor data inspect data/mnist
  perceptor data inspect t10k-images-idx3-ubyte.gz --items 8 --offset 100
  perceptor data inspect houses.csv --target price --drop id --max-categories 20";

/// Columns to draw in if stdout is not a terminal.
const DEFAULT_COLUMNS: usize = 80;

/// Describe a data set, an IDX file or a table: sizes, classes, samples drawn, columns
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct InspectArgs {
    /// An IDX file, a table such as CSV, raw or .gz, or a folder with a data set
    #[arg(value_name = "PATH")]
    path: PathBuf,
    #[command(flatten)]
    settings: SettingFlags<Described>,
    /// How a table is described: as text, or as one JSON object
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Number of samples to draw
    #[arg(long, value_name = "N", default_value_t = 4)]
    items: usize,
    /// First sample to draw
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: usize,
}

/// The settings that decide what a data set is: all of a table, and the task.
struct Described;

impl Described {
    /// The settings in addition to [`TableConfig`]. Only the task also applies to IDX files.
    const OTHERS: [&str; 2] = [TASK, "scale"];
}

const TASK: &str = "task";

impl Selection for Described {
    fn settings() -> Vec<Setting> {
        let others = Described::OTHERS.into_iter().filter_map(Settings::setting);
        let of_table = TableConfig::descriptions().into_iter();
        of_table.chain(others.cloned()).collect()
    }
}

impl InspectArgs {
    pub fn run(&self) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let given = self.settings.layer()?;
        refuse_stdin("PATH", &self.path)?;
        if is_table(&self.path)? {
            return self.table(&given, &mut out);
        }
        if let Some(key) = given.keys().find(|&key| key != TASK) {
            let found = format!("given for {}", self.path.display());
            let refusal = Refusal::new(Key(key), found, "a table to go with it");
            return Err(Error::Config(refusal).into());
        }
        let task = given.settings()?.train.task.task;
        if self.path.is_dir() {
            self.folder(task, &mut out)?;
        } else {
            self.file(&mut out, &self.path)?;
        }
        out.flush()?;
        Ok(())
    }

    /// Describes every set in a folder.
    fn folder(&self, task: Task, out: &mut dyn Write) -> Result<(), Failure> {
        let halves = folder::find_halves(&self.path)?;
        warn_of_changed_source(&self.path);
        let mode = DataMode::default();
        let has_others = halves.validation.is_some() || halves.test.is_some();
        let sets = match halves.train.is_none() && has_others {
            true => {
                let opening = Opening {
                    task,
                    classes: None,
                    known: None,
                    mode,
                };
                let open = |pair: Option<Pair>| {
                    let names = halves.class_names.as_deref();
                    pair.map(|pair| pair.open(names, &opening)).transpose()
                };
                [None, open(halves.validation)?, open(halves.test)?]
            }
            false => {
                let files = folder::find(&self.path)?;
                let splits = Splits::open_for(task, &files, None, mode)?;
                let notes = splits.notes().into_iter();
                print_notes(&notes.filter(Note::is_warning).collect::<Vec<_>>());
                [Some(splits.train), splits.validation, splits.test]
            }
        };
        let names = ["training", "validation", "test"];
        let sets = names.into_iter().zip(&sets);
        let sets = sets.filter_map(|(name, set)| Some((name, set.as_ref()?)));
        for (at, (name, set)) in sets.enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            self.dataset(out, name, set)?;
        }
        Ok(())
    }

    /// Describes the columns of a table, of which `given` has the settings.
    fn table(&self, given: &Layer, out: &mut dyn Write) -> Result<(), Failure> {
        let settings = given.settings()?;
        settings.table.check()?;
        let options = options(&settings, given)?;
        let request = request(&self.path, &settings, given, &options);
        let report = TrainingTable::inspect(&request, &Workers::new(Workers::available())?)?;
        let report = report.spelled(&Flags);
        match self.format {
            Format::Text => report.write_text(out)?,
            Format::Json => report.write_json(out)?,
        }
        out.flush()?;
        Ok(())
    }

    fn dataset(&self, out: &mut dyn Write, half: &str, data: &Dataset) -> io::Result<()> {
        let report = InspectReport {
            half: Some(half),
            rows: data.rows(),
            targets: Some(data.targets()),
            names: data.class_names(),
            samples: self.drawn(data.rows()),
        };
        report.write_text(out, columns())
    }

    /// Describes a single file: labels if each sample is one number, otherwise the samples themselves.
    fn file(&self, out: &mut dyn Write, path: &Path) -> Result<(), Failure> {
        let file = IdxFile::open(path)?;
        let targets = Targets::read(&file, Task::Classification, None).ok();
        let rows = Rows::from(file);
        let report = InspectReport {
            half: None,
            samples: match targets {
                Some(_) => 0..0,
                None => self.drawn(&rows),
            },
            rows: &rows,
            targets: targets.as_ref(),
            names: None,
        };
        Ok(report.write_text(out, columns())?)
    }

    /// The samples to draw.
    fn drawn(&self, rows: &Rows) -> Range<usize> {
        self.offset..rows.len().min(self.offset.saturating_add(self.items))
    }
}

/// The columns of the terminal, or those to draw in if stdout is none.
fn columns() -> usize {
    terminal_columns().unwrap_or(DEFAULT_COLUMNS)
}

fn terminal_columns() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size()?;
    Some(usize::from(columns).max(1))
}
