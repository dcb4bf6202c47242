//! `perceptor train`.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use perceptor::bench::peak::{self, Instructions};
use perceptor::compute::parallel::Workers;
use perceptor::data::{Scale, Splits};
use perceptor::durable::create_folder;
use perceptor::nn::{Activation, Init};
use perceptor::report::training::{Ending, TrainReport, banner, summary};
use perceptor::train::trainer::{spec_for, train_profiled};
use perceptor::train::{Event, Outcome};
use perceptor::{Error, Refusal, TrainConfig};

use super::engine::{ComputeArgs, Tell, VerboseArg, choose};
use super::progress::Progress;
use super::source::{DataArgs, program, shell_word};
use super::{Failure, Format, Hidden, named, parse_hidden};

const EXAMPLES: &str = "\
Examples:
  perceptor train                                     data/mnist, or generated digits without it
  perceptor train --data DIR --epochs 30              the tutorial's network on your own IDX files
  perceptor train --hidden 512,256 --activation relu --batch-size 128 --lr 0.05
  perceptor train --format json --quiet > run.json    for machines";

const MODEL_FILE: &str = "model.safetensors";

/// How long each sample of the peak takes that a profile is held against.
const PEAK_SECONDS: f64 = 1e-3;

/// Train a network
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct TrainArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Number of classes [default: counted from the training labels]
    #[arg(long, value_name = "N", help_heading = "Data")]
    classes: Option<usize>,
    /// How elements become inputs: by the range of their type, by mean and deviation of the training
    /// set, or not at all
    #[arg(long, help_heading = "Data", default_value = Scale::default().name(), value_parser = named(Scale::ALL, Scale::name))]
    scale: Scale,

    /// Widths of the hidden layers, or none
    #[arg(long, value_name = "N,N,...", help_heading = "Network", default_value = "100", value_parser = parse_hidden)]
    hidden: Hidden,
    /// Activation of the hidden layers
    #[arg(long, help_heading = "Network", default_value = Activation::default().name(), value_parser = named(Activation::ALL, Activation::name))]
    activation: Activation,
    /// Initial weights; auto is he before relu and leaky-relu, and xavier elsewhere
    #[arg(long, help_heading = "Network", default_value = Init::default().name(), value_parser = named(Init::ALL, Init::name))]
    init: Init,
    /// Initial value of every bias
    #[arg(long, value_name = "X", help_heading = "Network", default_value_t = TrainConfig::default().bias_init, allow_negative_numbers = true)]
    bias_init: f32,

    /// Passes over the training set
    #[arg(long, value_name = "N", help_heading = "Training", default_value_t = TrainConfig::default().epochs)]
    epochs: usize,
    /// Samples a step
    #[arg(long, value_name = "N", help_heading = "Training", default_value_t = TrainConfig::default().batch_size)]
    batch_size: usize,
    /// Shuffle within windows of about N items, read ahead in large blocks: for files larger than memory, in
    /// which a full permutation would read from all over the disk [default: shuffle all]
    #[arg(long, value_name = "N", help_heading = "Training")]
    shuffle_window: Option<usize>,
    /// Learning rate, on the mean gradient of a batch
    #[arg(long, value_name = "X", help_heading = "Training", default_value_t = TrainConfig::default().learning_rate, allow_negative_numbers = true)]
    lr: f32,
    /// Momentum, 0 to below 1
    #[arg(long, value_name = "X", help_heading = "Training", default_value_t = TrainConfig::default().momentum, allow_negative_numbers = true)]
    momentum: f32,
    /// Seed of all randomness: the same seed gives the same model
    #[arg(long, value_name = "N", help_heading = "Training", default_value_t = TrainConfig::default().seed)]
    seed: u64,
    #[command(flatten)]
    compute: ComputeArgs,

    /// Folder for the model [default: runs/train-N, N the next free number]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    out: Option<PathBuf>,
    /// Write into the folder of --out although it holds a model, which is replaced at the end
    #[arg(long, help_heading = "Output", requires = "out")]
    exist_ok: bool,
    /// Text, or one JSON object on stdout
    #[arg(long, help_heading = "Output", value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Tell where the time went, phase by phase, against the peak of the cores; always part of --format json
    #[arg(long, help_heading = "Output")]
    profile: bool,
    /// No banner and no progress on stderr
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
    #[command(flatten)]
    verbose: VerboseArg,
}

impl TrainArgs {
    fn config(&self) -> TrainConfig {
        TrainConfig {
            hidden: self.hidden.0.clone(),
            activation: self.activation,
            init: self.init,
            bias_init: self.bias_init,
            scale: self.scale,
            epochs: self.epochs,
            shuffle_window: self.shuffle_window,
            batch_size: self.batch_size,
            learning_rate: self.lr,
            momentum: self.momentum,
            seed: self.seed,
            engine: self.compute.engine,
        }
    }

    pub fn run(&self) -> Result<(), Failure> {
        let start = Instant::now();
        let mut config = self.config();
        config.check()?;
        config.engine.resolve()?;
        let workers = self.compute.threads.workers()?;
        let source = self.data.training(&workers, self.quiet)?;
        let data = Splits::open(&source.files, self.classes)?;
        let spec = spec_for(&config, &data)?;
        let batch_size = config.batch_size.min(data.train.items());
        let tell = Tell::new(self.quiet, self.verbose.verbose);
        config.engine = choose(config.engine, &spec, batch_size, tell)?;
        let folder = RunFolder::create(self.out.as_deref(), self.exist_ok)?;
        if !self.quiet {
            let mut text = Vec::new();
            banner(&mut text, &source.name, &data, &spec, &config, &workers)?;
            // A closed stderr is no reason not to train.
            drop(io::stderr().write_all(&text));
        }
        let outcome = self.train(&config, &data, &workers);
        let outcome = outcome.inspect_err(|_| folder.remove_if_empty())?;
        let model = folder.path.join(MODEL_FILE);
        let saved = outcome.model.save(&model);
        saved.inspect_err(|_| folder.remove_if_empty())?;
        let wall_seconds = start.elapsed().as_secs_f64();
        let profiled = outcome.profile.is_some();
        let ending = Ending {
            wall_seconds,
            peak: profiled.then(|| peak::measure(&workers, Instructions::detect(), PEAK_SECONDS)),
            model: &model,
        };
        let mut out = io::stdout().lock();
        match self.format {
            Format::Json => {
                let report =
                    TrainReport::new(&source.name, &data, &config, &workers, &outcome, &ending);
                serde_json::to_writer_pretty(&mut out, &report)?;
                writeln!(out)?;
            }
            Format::Text => {
                let next = self.next_command(&data, &model);
                summary(&mut out, &outcome, &ending, &next)?;
            }
        }
        out.flush()?;
        Ok(())
    }

    fn train(
        &self,
        config: &TrainConfig,
        data: &Splits,
        workers: &Workers,
    ) -> perceptor::Result<Outcome> {
        let progress = Progress::new(config.epochs, self.quiet);
        let profiled = self.profile || self.format == Format::Json;
        let show = &mut |event: Event| progress.show(&event);
        let outcome = train_profiled(config, data, workers, profiled, show);
        progress.finish();
        outcome
    }

    /// What one would type next, by the name this program was called by: a look at the model class by
    /// class, or its use.
    fn next_command(&self, data: &Splits, model: &Path) -> String {
        let program = program();
        let model = shell_word(model);
        match &data.test {
            Some(_) => format!("{program} eval {model}{}", self.data.test_flags()),
            None => format!("{program} predict {model} IMAGES"),
        }
    }
}

/// The folder a run writes to.
struct RunFolder {
    path: PathBuf,
    created: bool,
}

impl RunFolder {
    /// Makes the folder and tries whether it can be written, before hours are spent on what goes there.
    fn create(out: Option<&Path>, exist_ok: bool) -> perceptor::Result<RunFolder> {
        let folder = match out {
            None => RunFolder {
                path: next_free(Path::new("runs"))?,
                created: true,
            },
            Some(path) => {
                let created = !path.exists();
                create_folder(path)?;
                let model = path.join(MODEL_FILE);
                if model.exists() && !exist_ok {
                    return Err(Error::Config(
                        Refusal::new(
                            "--out",
                            format!("{} is there already", model.display()),
                            "a folder without a model",
                        )
                        .hint("name another folder, or add --exist-ok to replace the model"),
                    ));
                }
                if model.is_dir() {
                    return Err(Error::Model(Refusal::new(
                        model.display(),
                        "a folder",
                        "a model file, or nothing",
                    )));
                }
                RunFolder {
                    path: path.to_owned(),
                    created,
                }
            }
        };
        perceptor::durable::check_writable(&folder.path)?;
        Ok(folder)
    }

    fn remove_if_empty(&self) {
        if self.created {
            // Best effort: fails where something stands in it, and that is right.
            drop(fs::remove_dir(&self.path));
        }
    }
}

/// Makes `runs/train-N` for the first N from 1 on that is free, whoever else is looking for one.
fn next_free(runs: &Path) -> perceptor::Result<PathBuf> {
    create_folder(runs)?;
    let mut number = 1u64;
    loop {
        let path = runs.join(format!("train-{number}"));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(source) => {
                return Err(Error::Io {
                    path,
                    action: "create the folder",
                    source,
                });
            }
        }
    }
}
