//! `perceptor predict`.

use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use perceptor::data::Rows;
use perceptor::nn::Task;
use perceptor::report::number::grouped;
use perceptor::report::predict::{Detail, Format, PredictReport, PredictedColumns};
use perceptor::table::{Decimal, Delimiter, Records, Schema, TableOptions};
use perceptor::train::eval::MOST_ITEMS as BLOCK_ITEMS;
use perceptor::{Error, Model, Predictor, Refusal};

use super::engine::{ComputeArgs, Verbosity, choose};
use super::failure::Failure;
use super::opening::print_notes;
use super::prediction_file::OutputArgs;
use super::reading::Reading;
use super::samples::{SampleArgs, Samples};
use super::setting_flags::SettingFlags;
use super::stdin::{Stdin, is_stdin};

/// Largest number of samples predicted before they are printed.
const MOST_ITEMS: usize = 8192;
/// Largest number of probabilities in memory.
const MOST_PROBABILITIES: usize = 1 << 24;

const EXAMPLES: &str = "\
Examples:
  perceptor predict runs/train-1/model.safetensors images.gz --limit 10
  perceptor predict model.safetensors digit.png --resize 28x28 --invert
  perceptor predict model.safetensors new.csv --append --out answered.csv
  perceptor predict model.safetensors - --format json < rows.csv";

/// Predict the class, the labels or the values of each sample
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct PredictArgs {
    /// Model file, written by train or import
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// A table for a model of one; else an IDX, CSV, NPY or NPZ file or pictures; - is standard input
    ///
    /// A table must have the columns that the model was trained on. Other files must have as many numbers per sample as the
    /// model has inputs, and pictures as many pixels. A folder of pictures is read by name
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print the probability of every class; always printed for several labels per sample
    #[arg(long, conflicts_with = "top")]
    proba: bool,
    /// Print the K most probable classes
    #[arg(long, value_name = "K")]
    top: Option<std::num::NonZeroUsize>,
    /// Skip the first N samples
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: usize,
    /// Stop after N samples [default: all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Output format: aligned text, CSV with a header, or one JSON object per line [default: text, or as --out ends]
    #[arg(long, help_heading = "Output", value_enum)]
    format: Option<PredictFormat>,
    #[command(flatten)]
    output: OutputArgs,
    /// Write the columns of the table before the predictions, with --format csv
    #[arg(long, help_heading = "Output")]
    append: bool,
    #[command(flatten)]
    samples: SampleArgs,
    #[command(flatten)]
    reading: SettingFlags<Reading>,
    #[command(flatten)]
    compute: ComputeArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PredictFormat {
    Text,
    Csv,
    #[value(alias = "jsonl")]
    Json,
}

/// Writes the outputs of the network for the sample of this number.
type WriteSample<'a> = dyn FnMut(usize, &[f32]) -> Result<(), Failure> + 'a;

impl PredictArgs {
    pub fn run(&self) -> Result<(), Failure> {
        let Some(stdin) = self.files.iter().find(|path| is_stdin(path)) else {
            return self.predict_files(&self.files, None);
        };
        if self.files.len() > 1 {
            let expected = "nothing in addition to standard input";
            let found = format!("{} files", self.files.len());
            return Err(Error::Config(Refusal::new(stdin.display(), found, expected)).into());
        }
        let stdin = Stdin::spool()?;
        let done = self.predict_files(&[stdin.path().to_owned()], Some(&stdin));
        done.map_err(|failure| match failure {
            Failure::Refused(error) => Failure::Refused(stdin.rename(error)),
            other => other,
        })
    }

    /// Predicts the samples in `files`, which may be the copy of standard input.
    fn predict_files(&self, files: &[PathBuf], stdin: Option<&Stdin>) -> Result<(), Failure> {
        let sources: Vec<&Path> = files
            .iter()
            .chain([&self.model])
            .map(|path| &**path)
            .collect();
        self.output.check(&sources)?;
        let workers = self.compute.threads.workers()?;
        let model = Model::load(&self.model)?;
        let Samples { rows, mut notes } =
            self.samples.read(files, &model, &self.reading, &workers)?;
        model.check_inputs(&rows)?;
        if model.schema.is_none() {
            notes.extend(model.input_warning(&rows));
        }
        let count = rows.len();
        if self.offset >= count {
            return Err(Failure::Refused(Error::Config(Refusal::new(
                "--offset",
                self.offset.to_string(),
                format!("below the {count} samples of {}", rows.name()),
            ))));
        }
        let end = self
            .limit
            .map_or(count, |limit| count.min(self.offset.saturating_add(limit)));
        self.check_task(model.spec.task())?;
        self.check_append(&model)?;
        match stdin {
            None => print_notes(&notes),
            Some(stdin) => print_notes(&stdin.rename_notes(&notes)),
        }
        let engine = choose(
            self.compute.engine,
            &model.spec,
            BLOCK_ITEMS,
            Verbosity::Normal,
        )?;
        let mut predictor = Predictor::with_engine(&model, engine, &workers)?;
        let computing = (&mut predictor, model.spec.outputs());
        self.output.write(|out| {
            self.write(&files[0], &model, computing, (&rows, self.offset..end), out)
        })?;
        if let Some(path) = self.output.path() {
            let count = grouped(end - self.offset);
            writeln!(io::stdout(), "{}: {count} predictions", path.display())?;
        }
        Ok(())
    }

    /// Predicts some of the rows of `file`, and writes the predictions.
    fn write(
        &self,
        file: &Path,
        model: &Model,
        computing: (&mut Predictor, usize),
        (rows, samples): (&Rows, Range<usize>),
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        match (&model.schema, self.format()) {
            (Some(schema), PredictFormat::Csv) => {
                let mut table = self.table(file, schema, &self.reading.options(model)?)?;
                table.start(samples.start, out)?;
                self.predict(computing, rows, samples, &mut |_, row| {
                    table.write(row, out)
                })
            }
            _ => {
                let report = self.report(model);
                report.write_header(out)?;
                self.predict(computing, rows, samples, &mut |item, row| {
                    Ok(report.write_sample(out, item, row)?)
                })
            }
        }
    }

    /// Returns the format of the output: the given one, or that of the name of the file.
    fn format(&self) -> PredictFormat {
        let extension = self.output.path().and_then(Path::extension);
        self.format
            .unwrap_or_else(|| match extension.and_then(|it| it.to_str()) {
                Some("csv") => PredictFormat::Csv,
                Some("json" | "jsonl" | "ndjson") => PredictFormat::Json,
                _ => PredictFormat::Text,
            })
    }

    /// Predicts `samples`, and passes the outputs of each to `write`.
    fn predict(
        &self,
        (predictor, outputs): (&mut Predictor, usize),
        rows: &Rows,
        samples: Range<usize>,
        write: &mut WriteSample,
    ) -> Result<(), Failure> {
        let items = (MOST_PROBABILITIES / outputs.max(1)).clamp(1, MOST_ITEMS);
        for start in samples.clone().step_by(items) {
            let block = start..samples.end.min(start + items);
            let predictions = predictor.predict_rows(rows, block)?;
            for (item, row) in (start..).zip(predictions.rows()) {
                let row = row.to_slice().expect("rows of a new array are contiguous");
                write(item, row)?;
            }
        }
        Ok(())
    }

    fn report<'a>(&self, model: &'a Model) -> PredictReport<'a> {
        PredictReport {
            task: model.spec.task(),
            names: model.class_names.as_ref(),
            outputs: model.spec.outputs(),
            format: match self.format() {
                PredictFormat::Text => Format::Text,
                PredictFormat::Csv => Format::Csv,
                PredictFormat::Json => Format::JsonLines,
            },
            detail: self.detail(),
        }
    }

    fn detail(&self) -> Detail {
        match (self.proba, self.top) {
            (true, _) => Detail::All,
            (_, Some(count)) => Detail::Top(count.get()),
            _ => Detail::Best,
        }
    }

    /// Opens the table again to append to it, if that is asked for.
    fn table<'a>(
        &self,
        file: &Path,
        schema: &'a Schema,
        options: &TableOptions,
    ) -> perceptor::Result<AnsweredTable<'a>> {
        if !self.append {
            let columns =
                PredictedColumns::new(schema, self.detail(), Delimiter::Byte(b','), Decimal::Point);
            return Ok(AnsweredTable {
                columns,
                records: None,
            });
        }
        let records = Records::open(file, options, schema.header)?;
        let (delimiter, decimal) = (records.delimiter(), records.decimal());
        let columns = PredictedColumns::new(schema, self.detail(), delimiter, decimal);
        let own = columns.titles();
        let titles = records.titles().unwrap_or_default();
        if let Some(title) = titles.iter().find(|title| own.contains(title)) {
            let found = format!("a column {title:?}");
            let expected = "none of that name, with --append";
            return Err(Error::Data(Refusal::new(file.display(), found, expected)));
        }
        Ok(AnsweredTable {
            columns,
            records: Some(records),
        })
    }

    /// Returns an error if `--append` is given where nothing can be appended.
    fn check_append(&self, model: &Model) -> Result<(), Error> {
        let found = match (&model.schema, self.format()) {
            _ if !self.append => return Ok(()),
            (None, _) => "given for a model of IDX files",
            (_, PredictFormat::Text) => "given with --format text",
            (_, PredictFormat::Json) => "given with --format json",
            (Some(_), PredictFormat::Csv) => return Ok(()),
        };
        let expected = "--format csv, and a model that was trained on a table";
        Err(Error::Config(Refusal::new("--append", found, expected)))
    }

    /// Returns an error if a flag asks for something that a model of this task does not predict.
    fn check_task(&self, task: Task) -> Result<(), Error> {
        let refuse = |flag: &str, expected: &str| {
            let found = format!("given for a model of {}", task.name());
            Err(Error::Config(Refusal::new(flag, found, expected)))
        };
        let one_class = "a classification model";
        match task {
            Task::Regression | Task::Multilabel if self.top.is_some() => refuse("--top", one_class),
            Task::Regression if self.proba => {
                refuse("--proba", "a model that predicts probabilities")
            }
            _ => Ok(()),
        }
    }
}

/// Predictions as CSV, behind the records of the table if these are read again.
struct AnsweredTable<'a> {
    columns: PredictedColumns<'a>,
    records: Option<Records>,
}

impl AnsweredTable<'_> {
    /// Writes the header, and skips this many records.
    fn start(&mut self, skipped: usize, out: &mut dyn Write) -> Result<(), Failure> {
        match &mut self.records {
            None => self.columns.write_header(out, &[])?,
            Some(records) => {
                // A table without a header stays one.
                if let Some(titles) = records.titles() {
                    self.columns.write_header(out, &titles)?;
                }
                for _ in 0..skipped {
                    records.read()?;
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, row: &[f32], out: &mut dyn Write) -> Result<(), Failure> {
        let record = self.records.as_mut().map(Records::read).transpose()?;
        Ok(self.columns.write_row(out, record, row)?)
    }
}
