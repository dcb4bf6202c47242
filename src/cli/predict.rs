//! `perceptor predict`.

use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use perceptor::compute::parallel::Workers;
use perceptor::data::{IdxFile, Note, Rows};
use perceptor::nn::Task;
use perceptor::report::predict::{Detail, Format, PredictReport, PredictedColumns};
use perceptor::table::{Decimal, Delimiter, EncodedRows, Records, Schema, TableOptions};
use perceptor::train::eval::MOST_ITEMS as BLOCK_ITEMS;
use perceptor::{Error, Model, Predictor, Refusal};

use super::engine::{ComputeArgs, Verbosity, choose};
use super::failure::Failure;
use super::opening::print_notes;
use super::reading::Reading;
use super::setting_flags::SettingFlags;
use super::source::no_schema;

/// Largest number of samples predicted before they are printed.
const MOST_ITEMS: usize = 8192;
/// Largest number of probabilities in memory.
const MOST_PROBABILITIES: usize = 1 << 24;

const EXAMPLES: &str = "\
Examples:
  perceptor predict runs/train-1/model.safetensors t10k-images-idx3-ubyte --limit 10
  perceptor predict model.safetensors images.gz --top 3
  perceptor predict model.safetensors images --proba --format csv > predictions.csv
  perceptor predict model.safetensors new.csv --format csv --append > answered.csv    a table";

/// Predict the class, the labels or the values of each sample of an IDX file or a table
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct PredictArgs {
    /// Model file, written by train or import
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Samples: an IDX file, raw or .gz, or a table for a model that was trained on one
    #[arg(value_name = "FILE")]
    file: PathBuf,
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
    /// Output format: aligned text, CSV with a header, or one JSON object per line
    #[arg(long, help_heading = "Output", value_enum, default_value_t = PredictFormat::Text)]
    format: PredictFormat,
    /// Write the columns of the table before the predictions, with --format csv
    #[arg(long, help_heading = "Output")]
    append: bool,
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

/// The rows to predict.
struct Samples {
    rows: Rows,
    /// What was left out or changed in the table that they are from.
    notes: Vec<Note>,
}

impl PredictArgs {
    pub fn run(&self) -> Result<(), Failure> {
        let workers = self.compute.threads.workers()?;
        let model = Model::load(&self.model)?;
        let Samples { rows, notes } = self.samples(&model, &workers)?;
        model.check_inputs(&rows)?;
        let count = rows.len();
        if self.offset >= count {
            return Err(Failure::Refused(Error::Config(Refusal::new(
                "--offset",
                self.offset.to_string(),
                format!("below the {count} items of {}", self.file.display()),
            ))));
        }
        let end = self
            .limit
            .map_or(count, |limit| count.min(self.offset.saturating_add(limit)));
        self.check_task(model.spec.task())?;
        self.check_append(&model)?;
        print_notes(&notes);
        let engine = choose(
            self.compute.engine,
            &model.spec,
            BLOCK_ITEMS,
            Verbosity::Normal,
        )?;
        let mut predictor = Predictor::with_engine(&model, engine, &workers)?;
        let computing = (&mut predictor, model.spec.outputs());
        let mut out = BufWriter::new(io::stdout().lock());
        match (&model.schema, self.format) {
            (Some(schema), PredictFormat::Csv) => {
                let mut table = self.table(schema, &self.reading.options(&model)?)?;
                table.start(self.offset, &mut out)?;
                self.predict(computing, &rows, self.offset..end, &mut |_, row| {
                    table.write(row, &mut out)
                })?;
            }
            _ => {
                let report = self.report(&model);
                report.write_header(&mut out)?;
                self.predict(computing, &rows, self.offset..end, &mut |item, row| {
                    Ok(report.write_sample(&mut out, item, row)?)
                })?;
            }
        }
        out.flush()?;
        Ok(())
    }

    /// Opens the samples: a table if `model` has a schema, otherwise an IDX file.
    fn samples(&self, model: &Model, workers: &Workers) -> perceptor::Result<Samples> {
        let options = self.reading.options(model)?;
        if let Some(schema) = &model.schema {
            let EncodedRows { rows, notes } = schema.read_rows(&self.file, &options, workers)?;
            return Ok(Samples { rows, notes });
        }
        let file = IdxFile::open(&self.file).map_err(|error| match error {
            Error::Data(refusal) if looks_like_table(&self.file) => {
                Error::Data(no_schema(&self.file).hint(refusal.to_string()))
            }
            other => other,
        });
        let rows = Rows::from(file?);
        Ok(Samples {
            notes: model.input_warning(&rows).into_iter().collect(),
            rows,
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
            format: match self.format {
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
        let records = Records::open(&self.file, options, schema.header)?;
        let (delimiter, decimal) = (records.delimiter(), records.decimal());
        let columns = PredictedColumns::new(schema, self.detail(), delimiter, decimal);
        let own = columns.titles();
        let titles = records.titles().unwrap_or_default();
        if let Some(title) = titles.iter().find(|title| own.contains(title)) {
            let found = format!("a column {title:?}");
            let expected = "none of that name, with --append";
            return Err(Error::Data(Refusal::new(
                self.file.display(),
                found,
                expected,
            )));
        }
        Ok(AnsweredTable {
            columns,
            records: Some(records),
        })
    }

    /// Returns an error if `--append` is given where nothing can be appended.
    fn check_append(&self, model: &Model) -> Result<(), Error> {
        let found = match (&model.schema, self.format) {
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

/// Whether the name of a file is one of a table.
fn looks_like_table(path: &Path) -> bool {
    let name = path.to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    [".csv", ".tsv", ".txt"]
        .iter()
        .any(|ending| name.ends_with(ending))
}
