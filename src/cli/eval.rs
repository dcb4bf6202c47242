//! `perceptor eval`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use perceptor::compute::parallel::Workers;
use perceptor::data::{Dataset, Note};
use perceptor::report::eval::EvalReport;
use perceptor::table::Schema;
use perceptor::train::eval::MOST_ITEMS;
use perceptor::{Model, Predictor};

use super::engine::{ComputeArgs, Verbosity, choose};
use super::failure::Failure;
use super::opening::print_notes;
use super::reading::Reading;
use super::setting_flags::SettingFlags;
use super::source::DataArgs;
use super::spelling::Flags;
use super::stdin::{STDIN, Stdin, is_stdin};
use super::values::Format;

const EXAMPLES: &str = "\
Examples:
  perceptor eval runs/train-1/model.safetensors    on data/mnist or generated digits
  perceptor eval model.safetensors --data DIR --format json
  perceptor eval model.safetensors --data test.csv    a model that was trained on a table";

/// Measure a model on a test set: loss, accuracy, confusion matrix, or R²
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct EvalArgs {
    /// Model file, written by train or import
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    reading: SettingFlags<Reading>,
    /// Output format: text, or one JSON object
    #[arg(long, help_heading = "Output", value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    compute: ComputeArgs,
}

impl EvalArgs {
    pub fn run(&self) -> Result<(), Failure> {
        let workers = self.compute.threads.workers()?;
        let model = Model::load(&self.model)?;
        let (data, notes) = match &model.schema {
            Some(schema) => self.table(&model, schema, &workers)?,
            None => self.idx_files(&model, &workers)?,
        };
        print_notes(&notes);
        let spec = &model.spec;
        let engine = choose(self.compute.engine, spec, MOST_ITEMS, Verbosity::Normal)?;
        let evaluation = Predictor::with_engine(&model, engine, &workers)?.evaluate(&data)?;
        let name = self.model.display().to_string();
        let report = EvalReport::new(name, &model, &data, &evaluation);
        let report = match &model.schema {
            Some(_) if is_stdin(self.data.test_table()?) => report.with_data_name(STDIN),
            _ => report,
        };
        let report = report.with_notes(&notes, &Flags);
        let mut out = io::stdout().lock();
        match self.format {
            Format::Text => report.write_text(&mut out)?,
            Format::Json => report.write_json(&mut out)?,
        }
        out.flush()?;
        Ok(())
    }

    /// Reads a table by the schema of the model.
    fn table(
        &self,
        model: &Model,
        schema: &Schema,
        workers: &Workers,
    ) -> perceptor::Result<(Dataset, Vec<Note>)> {
        let (path, options) = (self.data.test_table()?, self.reading.options(model)?);
        if !is_stdin(path) {
            let encoded = schema.read_labelled(path, &options, workers)?;
            return Ok((encoded.data, encoded.notes));
        }
        let stdin = Stdin::spool()?;
        let encoded = schema.read_labelled(stdin.path(), &options, workers);
        let encoded = encoded.map_err(|error| stdin.rename(error))?;
        Ok((encoded.data, stdin.rename_notes(&encoded.notes)))
    }

    /// Opens IDX files.
    fn idx_files(
        &self,
        model: &Model,
        workers: &Workers,
    ) -> perceptor::Result<(Dataset, Vec<Note>)> {
        self.data.check_no_table()?;
        self.reading.options(model)?;
        let data = model.open_test(&self.data.test(workers)?)?;
        let notes = data.notes().iter().cloned();
        let notes = notes
            .chain(data.without_sample())
            .chain(model.input_warning(data.rows()));
        let notes = notes.collect();
        Ok((data, notes))
    }
}
