//! `perceptor data inspect`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use perceptor::data::label_file::read_labels;
use perceptor::data::{DataMode, Dataset, IdxFile, Rows, Splits, folder};
use perceptor::nn::Task;
use perceptor::report::banner::target_words;
use perceptor::report::inspect::{write_class_counts, write_header, write_items, write_targets};

use super::{Failure, named};

const EXAMPLES: &str = "\
Examples:
  perceptor data inspect data/mnist
  perceptor data inspect t10k-images-idx3-ubyte.gz --items 8 --offset 100";

/// Columns to draw in if stdout is not a terminal.
const DEFAULT_COLUMNS: usize = 80;

/// Describe an IDX file or a data set: sizes, class counts, a few samples drawn
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct InspectArgs {
    /// An IDX file, raw or .gz, or a folder with a data set
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// What the labels of a folder mean
    #[arg(long, default_value = Task::default().name(), value_parser = named(Task::ALL, Task::name))]
    task: Task,
    /// Number of samples to draw
    #[arg(long, value_name = "N", default_value_t = 4)]
    items: usize,
    /// First sample to draw
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: usize,
}

impl InspectArgs {
    pub fn run(&self) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        if self.path.is_dir() {
            let (files, mode) = (folder::find(&self.path)?, DataMode::default());
            let splits = Splits::open_for(self.task, &files, None, mode)?;
            self.dataset(&mut out, "training", &splits.train)?;
            if let Some(test) = &splits.test {
                writeln!(out)?;
                self.dataset(&mut out, "test", test)?;
            }
        } else {
            self.file(&mut out, &self.path)?;
        }
        out.flush()?;
        Ok(())
    }

    fn dataset(&self, out: &mut dyn Write, half: &str, data: &Dataset) -> io::Result<()> {
        writeln!(out, "{half}: {}", target_words(data.targets()))?;
        write_header(out, data.rows())?;
        write_targets(out, data.targets(), data.class_names())?;
        self.draw(out, data.rows(), Some(data))
    }

    /// Describes a single file: labels if each sample is one number, otherwise the samples themselves.
    fn file(&self, out: &mut dyn Write, path: &Path) -> Result<(), Failure> {
        let file = IdxFile::open(path)?;
        let labels = read_labels(&file);
        let rows = Rows::from(file);
        write_header(out, &rows)?;
        match labels {
            Ok(labels) => write_class_counts(out, &labels, None)?,
            Err(_) => self.draw(out, &rows, None)?,
        }
        Ok(())
    }

    fn draw(&self, out: &mut dyn Write, file: &Rows, data: Option<&Dataset>) -> io::Result<()> {
        let end = file.len().min(self.offset.saturating_add(self.items));
        let items: Vec<usize> = (self.offset..end).collect();
        let columns = terminal_columns().unwrap_or(DEFAULT_COLUMNS);
        let targets = data.map(Dataset::targets);
        let names = data.and_then(Dataset::class_names);
        write_items(out, file, targets, names, &items, columns)
    }
}

fn terminal_columns() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size()?;
    Some(usize::from(columns).max(1))
}
