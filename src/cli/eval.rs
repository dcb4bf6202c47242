//! `perceptor eval`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use perceptor::data::{Dataset, IdxFile, Rows};
use perceptor::report::eval::EvalReport;
use perceptor::train::eval::MOST_ITEMS;
use perceptor::{Model, Predictor};

use super::engine::{ComputeArgs, Verbosity, choose};
use super::failure::Failure;
use super::source::{DataArgs, TestFiles};
use super::values::Format;

const EXAMPLES: &str = "\
Examples:
  perceptor eval runs/train-1/model.safetensors    on data/mnist or generated digits
  perceptor eval model.safetensors --data DIR --format json";

/// Measure a model on a test set: loss, accuracy, confusion matrix, or R²
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct EvalArgs {
    /// Model file, written by train or import
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    data: DataArgs,
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
        let TestFiles { files, class_names } = self.data.test(&workers)?;
        if let Some(path) = &class_names {
            model.check_class_names(path)?;
        }
        let spec = &model.spec;
        let images = Rows::from(IdxFile::open(&files.images)?);
        model.check_inputs(&images)?;
        let labels = IdxFile::open(&files.labels)?;
        let data = Dataset::for_task(spec.task(), images, &labels, Some(spec.outputs()))?;
        let engine = choose(self.compute.engine, spec, MOST_ITEMS, Verbosity::Normal)?;
        let evaluation = Predictor::with_engine(&model, engine, &workers)?.evaluate(&data)?;
        let name = self.model.display().to_string();
        let report = EvalReport::new(
            name,
            spec.to_string(),
            model.class_names.as_ref(),
            &data,
            &evaluation,
        );
        let mut out = io::stdout().lock();
        match self.format {
            Format::Text => report.write_text(&mut out)?,
            Format::Json => report.write_json(&mut out)?,
        }
        out.flush()?;
        Ok(())
    }
}
