//! `perceptor import`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use perceptor::data::Scaling;
use perceptor::import::{self, NormPlace, Supplied, WeightShape};
use perceptor::nn::Activation;
use perceptor::nn::Task;

use super::export::{check_free, refuse_existing, write_done};
use super::failure::Failure;
use super::shell::{program, shell_word};
use super::spelling::Flags;
use super::values::named;

const EXAMPLES: &str = "\
Examples:
  perceptor import runs/train-1/model.pytorch.safetensors --out model.safetensors
  perceptor import net.safetensors --activation relu --scale-factor 1/255
  perceptor import net.safetensors --activation relu --scale-offset 33.3 --scale-factor 0.0127
  perceptor import net.safetensors --activation relu --scale-factor 1 --batch-norm before";

/// Read a network that PyTorch or another program saved as safetensors
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct ImportArgs {
    /// Tensors NAME.weight [out, in] and NAME.bias [out], and the tensors of BatchNorm1d, as safetensors.torch.save_file writes
    /// them
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Model to write [default: FILE with the extension .perceptor.safetensors]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Activation of the hidden layers, if the file lacks it
    #[arg(long, value_name = "NAME", value_parser = named(Activation::ALL, Activation::name))]
    activation: Option<Activation>,
    /// What the outputs mean, if the file lacks it [default: classification]
    #[arg(long, value_name = "TASK", value_parser = named(Task::ALL, Task::name))]
    task: Option<Task>,
    /// Number to subtract from every element before scaling [default: 0]
    #[arg(long, value_name = "X", requires = "scale_factor", allow_negative_numbers = true, value_parser = parse_number)]
    scale_offset: Option<f32>,
    /// Factor of every element, if the file lacks it: a number or a quotient. 1/255 for torchvision's
    /// ToTensor; 1/(255 s) with an offset of 255 m if Normalize(m, s) follows
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = parse_number)]
    scale_factor: Option<f32>,
    /// Names of the layers in their order, if numbers and widths do not determine it; others are left out
    #[arg(
        long,
        value_name = "NAME,NAME,...",
        value_delimiter = ',',
        hide_short_help = true
    )]
    layers: Option<Vec<String>>,
    /// Order of the axes of weights, if names and widths do not determine it
    #[arg(long, value_name = "AXES", hide_short_help = true, value_parser = named(WeightShape::ALL, WeightShape::name))]
    weights: Option<WeightShape>,
    /// Side of the activation on which batch normalisation is, if numbers in an nn.Sequential do not determine it
    #[arg(long, value_name = "SIDE", hide_short_help = true, value_parser = named(NormPlace::ALL, NormPlace::name))]
    batch_norm: Option<NormPlace>,
    /// Number that batch normalisation adds to variances [default: 1e-5, with the names of Keras 1e-3]
    #[arg(long, value_name = "X", hide_short_help = true, value_parser = parse_epsilon)]
    batch_norm_epsilon: Option<f64>,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
}

impl ImportArgs {
    pub fn run(&self) -> Result<(), Failure> {
        let supplied = Supplied {
            activation: self.activation,
            scaling: self
                .scale_factor
                .map(|factor| Scaling::global(self.scale_offset.unwrap_or(0.0), factor)),
            task: self.task,
            layers: self.layers.clone(),
            weights: self.weights,
            batch_norm: self.batch_norm,
            batch_norm_epsilon: self.batch_norm_epsilon,
        };
        let imported = import::load(&self.file, &supplied)?;
        let out = self.out.clone().unwrap_or_else(|| default_path(&self.file));
        check_free(&out, self.force, &self.file)?;
        for note in &imported.notes {
            let text = note.spelled(&Flags);
            // A closed stderr must not end the command.
            drop(writeln!(
                io::stderr(),
                "note: {}: {text}",
                self.file.display()
            ));
        }
        let model = imported.model;
        match self.force {
            true => model.save(&out)?,
            false => model
                .save_new(&out)
                .map_err(|error| refuse_existing(&out, error))?,
        }
        let mut stdout = io::stdout().lock();
        write_done(&mut stdout, "a model", &model, &out)?;
        let (program, out) = (program(), shell_word(&out));
        writeln!(stdout, "next  {program} eval {out} --data DIR")?;
        Ok(())
    }
}

/// `net.safetensors` and `net.pytorch.safetensors` become `net.perceptor.safetensors`.
fn default_path(file: &Path) -> PathBuf {
    let stem = file.with_extension("");
    let stem = match stem.extension() {
        Some(extension) if extension == "pytorch" => stem.with_extension(""),
        _ => stem,
    };
    let mut name = stem.into_os_string();
    name.push(".perceptor.safetensors");
    name.into()
}

/// `0.0039`, or `1/255`.
fn parse_number(text: &str) -> Result<f32, String> {
    let number = |text: &str| text.trim().parse::<f32>().ok();
    let value = match text.split_once('/') {
        Some((above, below)) => number(above).zip(number(below)).map(|(a, b)| a / b),
        None => number(text),
    };
    value
        .filter(|value| value.is_finite())
        .ok_or_else(|| "expected a finite number, or a quotient, as 1/255".to_owned())
}

fn parse_epsilon(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok();
    let value = value.filter(|value| (0.0..=1.0).contains(value));
    value.ok_or_else(|| "expected a number from 0 to 1, as 1e-5".to_owned())
}
