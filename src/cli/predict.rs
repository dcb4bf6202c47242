//! `perceptor predict`.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use perceptor::data::{IdxFile, Rows};
use perceptor::nn::Task;
use perceptor::report::predict::{Detail, Format, PredictReport};
use perceptor::train::eval::MOST_ITEMS as BLOCK_ITEMS;
use perceptor::{Error, Model, Predictor, Refusal};

use super::engine::{ComputeArgs, Verbosity, choose};
use super::failure::Failure;

/// Largest number of samples predicted before they are printed.
const MOST_ITEMS: usize = 8192;
/// Largest number of probabilities in memory.
const MOST_PROBABILITIES: usize = 1 << 24;

const EXAMPLES: &str = "\
Examples:
  perceptor predict runs/train-1/model.safetensors t10k-images-idx3-ubyte --limit 10
  perceptor predict model.safetensors images.gz --top 3
  perceptor predict model.safetensors images --proba --format csv > predictions.csv";

/// Predict the class, the labels or the values of each sample of an IDX file
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct PredictArgs {
    /// Model file, written by train or import
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Samples: an IDX file, raw or .gz
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

impl PredictArgs {
    pub fn run(&self) -> Result<(), Failure> {
        let workers = self.compute.threads.workers()?;
        let model = Model::load(&self.model)?;
        let images = Rows::from(IdxFile::open(&self.file)?);
        model.check_inputs(&images)?;
        let items = images.len();
        if self.offset >= items {
            return Err(Failure::Refused(Error::Config(Refusal::new(
                "--offset",
                self.offset.to_string(),
                format!("below the {items} items of {}", self.file.display()),
            ))));
        }
        let end = self
            .limit
            .map_or(items, |limit| items.min(self.offset.saturating_add(limit)));
        let (task, outputs) = (model.spec.task(), model.spec.outputs());
        self.check_task(task)?;
        let format = match self.format {
            PredictFormat::Text => Format::Text,
            PredictFormat::Csv => Format::Csv,
            PredictFormat::Json => Format::JsonLines,
        };
        let detail = match (self.proba, self.top) {
            (true, _) => Detail::All,
            (_, Some(count)) => Detail::Top(count.get()),
            _ => Detail::Best,
        };
        let engine = choose(
            self.compute.engine,
            &model.spec,
            BLOCK_ITEMS,
            Verbosity::Normal,
        )?;
        let mut predictor = Predictor::with_engine(&model, engine, &workers)?;
        let mut out = BufWriter::new(io::stdout().lock());
        let report = PredictReport {
            task,
            names: model.class_names.as_ref(),
            outputs,
            format,
            detail,
        };
        report.write_header(&mut out)?;
        let items = (MOST_PROBABILITIES / outputs).clamp(1, MOST_ITEMS);
        for start in (self.offset..end).step_by(items) {
            let block = start..end.min(start + items);
            let predictions = predictor.predict_rows(&images, block)?;
            for (item, row) in (start..).zip(predictions.rows()) {
                let row = row.to_slice().expect("rows of a new array are contiguous");
                report.write_sample(&mut out, item, row)?;
            }
        }
        out.flush()?;
        Ok(())
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
