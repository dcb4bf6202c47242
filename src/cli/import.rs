//! `perceptor import`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use perceptor::data::Scaling;
use perceptor::export::pytorch::{self, Supplied};
use perceptor::nn::Activation;
use perceptor::nn::Task;

use super::export::{check_free, refuse_existing, write_done};
use super::failure::Failure;
use super::shell::{program, shell_word};
use super::values::named;

const EXAMPLES: &str = "\
Examples:
  perceptor import runs/train-1/model.pytorch.safetensors --out model.safetensors
  perceptor import net.safetensors --activation relu --scale-factor 1/255
  perceptor import net.safetensors --activation relu --scale-offset 33.3 --scale-factor 0.0127";

/// Read a network from PyTorch: the state_dict of an nn.Sequential as safetensors
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct ImportArgs {
    /// Tensors N.weight [out, in] and N.bias [out], written by safetensors.torch.save_file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Model to write [default: FILE with the extension .perceptor.safetensors]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Activation of the hidden layers, if the file does not say
    #[arg(long, value_name = "NAME", value_parser = named(Activation::ALL, Activation::name))]
    activation: Option<Activation>,
    /// What the outputs mean, if the file does not say [default: classification]
    #[arg(long, value_name = "TASK", value_parser = named(Task::ALL, Task::name))]
    task: Option<Task>,
    /// Number to subtract from every element before scaling [default: 0]
    #[arg(long, value_name = "X", requires = "scale_factor", allow_negative_numbers = true, value_parser = parse_number)]
    scale_offset: Option<f32>,
    /// Factor of every element, if the file does not say: a number or a quotient. 1/255 for torchvision's
    /// ToTensor; 1/(255 s) with an offset of 255 m if Normalize(m, s) follows
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = parse_number)]
    scale_factor: Option<f32>,
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
        };
        let model = pytorch::load(&self.file, &supplied)?;
        let out = self.out.clone().unwrap_or_else(|| default_path(&self.file));
        check_free(&out, self.force, &self.file)?;
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
