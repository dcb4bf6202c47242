//! `perceptor model`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use perceptor::Model;
use perceptor::report::model::ModelReport;

use super::failure::Failure;
use super::values::Format;

const EXAMPLES: &str = "\
Examples:
  perceptor model show runs/train-1/model.safetensors
  perceptor model show model.safetensors --format json";

/// Show a model file: network, inputs, outputs, settings and scores
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct ShowArgs {
    /// Model file, written by train or import
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Output format: text, or one JSON object
    #[arg(long, help_heading = "Output", value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl ShowArgs {
    pub fn run(&self) -> Result<(), Failure> {
        let model = Model::load(&self.model)?;
        let length = self.model.metadata().map_or(0, |about| about.len());
        let report = ModelReport::new(self.model.display().to_string(), length, &model);
        let mut out = io::stdout().lock();
        match self.format {
            Format::Text => report.write_text(&mut out)?,
            Format::Json => report.write_json(&mut out)?,
        }
        Ok(out.flush()?)
    }
}
