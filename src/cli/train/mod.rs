//! `perceptor train`: what was typed and what a file says become the settings of a run, the run is trained and looked
//! after, and its end is told. `settings` says which source of a setting wins.

mod settings;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::{ArgMatches, Args};
use perceptor::TrainConfig;
use perceptor::bench::peak::{self, Instructions};
use perceptor::compute::parallel::Workers;
use perceptor::data::{DataMode, Fingerprint, Scale, Splits};
use perceptor::nn::{Activation, Init, Spec};
use perceptor::report::training::{Close, TrainReport, banner, summary};
use perceptor::run::{
    Care, Environment, Every, Failure as Failed, Identifier, Keeper, Resumption, RunFolder,
    Settings,
};
use perceptor::train::trainer::spec_for;
use perceptor::train::{Ending, Outcome, State, Training};

use self::settings::recorded;
use super::engine::{ComputeArgs, Tell, VerboseArg, choose, workers};
use super::progress::Progress;
use super::signals::{StopSignals, explain_cut_files};
use super::source::{DataArgs, Source, program, shell_word};
use super::{Failure, Format, Hidden, complain, named, parse_hidden, refuse};

/// The exit code of a run that is done, though not all of it could be recorded.
const NOT_SAVED: u8 = 4;

/// How long each sample of the peak takes that a profile is held against, in seconds.
const PEAK_SECONDS: f64 = 1e-3;

const EXAMPLES: &str = "\
Examples:
  perceptor train                                     data/mnist, or generated digits without it
  perceptor train --data DIR --epochs 30              the tutorial's network on your own IDX files
  perceptor train --hidden 512,256 --activation relu --batch-size 128 --lr 0.05
  perceptor train --resume runs/train-1               go on with a run that was stopped
  perceptor train --config runs/train-1/config.toml --lr 0.05
  perceptor train --format json --quiet > run.json    for machines";

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
    /// How images are held: mapped, or copied into memory first, for files that others write to
    #[arg(long, help_heading = "Data", default_value = DataMode::default().name(), value_parser = named(DataMode::ALL, DataMode::name))]
    data_mode: DataMode,

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
    #[arg(long, alias = "learning-rate", value_name = "X", help_heading = "Training", default_value_t = TrainConfig::default().learning_rate, allow_negative_numbers = true)]
    lr: f32,
    /// Momentum, 0 to below 1
    #[arg(long, value_name = "X", help_heading = "Training", default_value_t = TrainConfig::default().momentum, allow_negative_numbers = true)]
    momentum: f32,
    /// Seed of all randomness: the same seed gives the same model
    #[arg(long, value_name = "N", help_heading = "Training", default_value_t = TrainConfig::default().seed)]
    seed: u64,
    #[command(flatten)]
    compute: ComputeArgs,

    /// Settings to start from, as the config.toml of a run; flags win over them
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Runs",
        conflicts_with = "resume"
    )]
    config: Option<PathBuf>,
    /// Go on with the run in this folder, to the very same model. Only --epochs, --threads, the place of
    /// the data and how the run is saved and told may be given anew
    #[arg(long, value_name = "RUN", help_heading = "Runs")]
    resume: Option<PathBuf>,
    /// How often to save what a stopped run goes on from: a number of epochs, steps or minutes, as
    /// "10 minutes", or never
    #[arg(long, value_name = "N UNIT", help_heading = "Runs", default_value_t = Every::default())]
    checkpoint_every: Every,
    /// Checkpoints to keep, the newest ones
    #[arg(long, value_name = "N", help_heading = "Runs", default_value_t = Settings::default().keep)]
    keep: NonZeroUsize,

    /// Folder of the run [default: runs/train-N, N the next free number]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    out: Option<PathBuf>,
    /// Write into the folder of --out although it holds a run, whose model is replaced at the end
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
    pub fn run(&self, matches: &ArgMatches) -> Result<(), Failure> {
        let start = Instant::now();
        let plan = self.plan(matches)?;
        let session = Session::open(self, plan)?;
        session.run(start)
    }

    /// What to train, from flags and files, before any data are read.
    fn plan(&self, matches: &ArgMatches) -> perceptor::Result<Plan> {
        if let Some(path) = &self.resume {
            TrainArgs::check_resume_flags(matches)?;
            let mut resumption = Resumption::open(path)?;
            resumption.settings = self.over(Some(resumption.settings), matches)?;
            resumption.settings.train.check()?;
            return Ok(Plan::Resume(Box::new(resumption)));
        }
        let file = self.config.as_deref().map(Settings::read).transpose()?;
        let settings = self.over(file, matches)?;
        settings.train.check()?;
        Ok(Plan::Begin(Box::new(settings)))
    }
}

/// What to do.
enum Plan {
    Begin(Box<Settings>),
    Resume(Box<Resumption>),
}

/// A run in its folder, ready to train.
struct Session<'a> {
    args: &'a TrainArgs,
    settings: Settings,
    workers: Workers,
    data: Arc<Splits>,
    source: Source,
    spec: Spec,
    folder: RunFolder,
    /// What to go on from; none to begin.
    from: Option<State>,
    fingerprint: Option<Fingerprint>,
    resumed: bool,
}

impl Session<'_> {
    fn open(args: &TrainArgs, plan: Plan) -> perceptor::Result<Session<'_>> {
        let (mut settings, resumption) = match plan {
            Plan::Begin(settings) => (*settings, None),
            Plan::Resume(resumption) => (resumption.settings.clone(), Some(*resumption)),
        };
        let workers = workers(settings.threads)?;
        if let Some(resumption) = &resumption {
            resumption.check_engine(|engine| engine.describe(workers.blas()))?;
        }
        // Refused before the data are looked at, chosen when the network is known.
        settings.train.engine.resolve()?;
        let source = DataArgs::of(&settings).training(&workers, args.quiet)?;
        let data = Splits::open_as(&source.files, settings.classes, settings.data_mode)?;
        let data = Arc::new(data);
        let spec = spec_for(&settings.train, &data)?;
        let batch_size = settings.train.batch_size.min(data.train.items());
        let tell = Tell::new(args.quiet, args.verbose.verbose);
        settings.train.engine = choose(settings.train.engine, &spec, batch_size, tell)?;
        let resumed = resumption.is_some();
        let mut fingerprint = None;
        let (folder, from) = match resumption {
            None => (RunFolder::create(args.out.as_deref(), args.exist_ok)?, None),
            Some(resumption) => {
                let found = Fingerprint::of(&data);
                resumption.check(&settings.train, &found, &source.name)?;
                fingerprint = Some(found);
                warn_of_damage(&resumption);
                resumption.begin()?
            }
        };
        let recorded = recorded(&settings, &source);
        let config = folder.config();
        // A run that has a checkpoint must not lose its settings in a power cut; one that begins has time for that.
        let written = match resumed {
            true => recorded.write(&config),
            false => recorded.write_soon(&config),
        };
        if let Err(error) = written {
            folder.discard();
            return Err(error);
        }
        Ok(Session {
            args,
            settings,
            workers,
            data,
            source,
            spec,
            folder,
            from,
            fingerprint,
            resumed,
        })
    }

    fn banner(&self) -> Result<(), Failure> {
        if self.args.quiet {
            return Ok(());
        }
        let mut text = Vec::new();
        let (name, config) = (&self.source.name, &self.settings.train);
        banner(
            &mut text,
            name,
            &self.data,
            &self.spec,
            config,
            &self.workers,
        )?;
        if self.resumed {
            let folder = self.folder.path().display();
            let done = |state: &State| state.epochs.len() >= config.epochs;
            match &self.from {
                None => writeln!(
                    text,
                    "  resuming  {folder} from its beginning: it has no checkpoint"
                )?,
                Some(state) if done(state) => writeln!(
                    text,
                    "  finished  {folder}: all epochs are done; give --epochs with more to train on"
                )?,
                Some(state) => writeln!(text, "  resuming  {folder} from {}", state.place())?,
            }
        }
        // A closed stderr is no reason not to train.
        drop(io::stderr().write_all(&text));
        Ok(())
    }

    fn run(mut self, start: Instant) -> Result<(), Failure> {
        self.banner()?;
        let resume = format!(
            "{} train --resume {}",
            program(),
            shell_word(self.folder.path())
        );
        explain_cut_files(&format!("put the file back as it was, then {resume}"));
        let signals = StopSignals::heed();
        let progress = Arc::new(Progress::new(self.settings.train.epochs, self.args.quiet));
        let mut keeper = match self.keeper(&signals, &progress) {
            Ok(keeper) => keeper,
            Err(error) => {
                self.folder.discard();
                return Err(error.into());
            }
        };
        let training = Training {
            config: &self.settings.train,
            data: &self.data,
            workers: &self.workers,
            profiled: self.args.profile || self.args.format == Format::Json,
            from: self.from.take(),
        };
        let ending = training.run(&mut keeper, &mut |event| progress.show(&event));
        progress.finish();
        match ending {
            Ok(Ending::Finished(outcome)) => self.finish(keeper, &outcome, start),
            Ok(Ending::Stopped(place)) => {
                let failed = keeper.finish();
                let (signal, code) = signals.came().unwrap_or(("a signal", 1));
                let mut text = format!("stopped by {signal} at {place}\n");
                if !failed {
                    let saved = self.folder.shelf().file(place);
                    text += &format!("saved          {}\n", saved.display());
                }
                text += &format!("resume         {resume}\n");
                drop(io::stderr().write_all(text.as_bytes()));
                Err(Failure::Told(if failed { NOT_SAVED } else { code }))
            }
            Err(error) => {
                keeper.finish();
                let code = refuse(&error);
                if let Some((_, kept)) = self
                    .folder
                    .shelf()
                    .list()
                    .ok()
                    .and_then(|list| list.into_iter().next())
                {
                    drop(writeln!(io::stderr(), "kept           {}", kept.display()));
                }
                self.folder.discard();
                Err(Failure::Told(code))
            }
        }
    }

    /// Who looks after the run.
    fn keeper(&self, signals: &StopSignals, progress: &Arc<Progress>) -> perceptor::Result<Keeper> {
        let config = &self.settings.train;
        let engine = config.engine.describe(self.workers.blas());
        let care = Care {
            every: self.settings.checkpoint_every,
            keep: self.settings.keep,
            epochs: config.epochs,
            steps: self
                .data
                .train
                .items()
                .div_ceil(config.batch_size.min(self.data.train.items())),
            stop: Arc::clone(&signals.stop),
        };
        let identifier = Identifier {
            spec: self.spec.clone(),
            config: config.clone(),
            engine: engine.clone(),
            data: Arc::clone(&self.data),
            fingerprint: self.fingerprint.clone(),
        };
        let (threads, blas) = (self.workers.threads(), self.workers.blas().clone());
        let environment = move || Environment::look(engine, threads, blas);
        let done = self.from.as_ref().map_or(&[][..], |state| &state.epochs);
        let progress = Arc::clone(progress);
        let tell = move |failure: &Failed| progress.aside(|| complain_of(failure));
        Keeper::new(&self.folder, care, done, identifier, environment, tell)
    }

    /// Writes the model and says what the run came to.
    fn finish(self, keeper: Keeper, outcome: &Outcome, start: Instant) -> Result<(), Failure> {
        let model = self.folder.model();
        let saved = outcome.model.save(&model);
        let failed = keeper.finish();
        if let Err(error) = saved {
            self.folder.discard();
            return Err(error.into());
        }
        let wall_seconds = start.elapsed().as_secs_f64();
        let profiled = outcome.profile.is_some();
        let peak = || peak::measure(&self.workers, Instructions::detect(), PEAK_SECONDS);
        let close = Close {
            wall_seconds,
            resumed: self.resumed,
            peak: profiled.then(peak),
            model: &model,
        };
        let mut out = io::stdout().lock();
        match self.args.format {
            Format::Json => {
                let (name, config) = (&self.source.name, &self.settings.train);
                let report =
                    TrainReport::new(name, &self.data, config, &self.workers, outcome, &close);
                serde_json::to_writer_pretty(&mut out, &report)?;
                writeln!(out)?;
            }
            Format::Text => {
                let next = self.next_command(&model);
                summary(&mut out, outcome, &close, &next)?;
            }
        }
        out.flush()?;
        match failed {
            true => Err(Failure::Told(NOT_SAVED)),
            false => Ok(()),
        }
    }

    /// What one would type next, by the name this program was called by: a look at the model class by
    /// class, or its use.
    fn next_command(&self, model: &Path) -> String {
        let program = program();
        let model = shell_word(model);
        match &self.data.test {
            Some(_) => format!(
                "{program} eval {model}{}",
                DataArgs::of(&self.settings).test_flags()
            ),
            None => format!("{program} predict {model} IMAGES"),
        }
    }
}

/// Says at once what could not be written.
fn complain_of(failure: &Failed) {
    let hint = match &failure.standing {
        Some(standing) => Some(format!("training goes on; {} is whole", standing.display())),
        None => failure.error.hint(),
    };
    complain(&failure.error.to_string(), hint.as_deref());
}

/// Says which checkpoints are damaged.
fn warn_of_damage(resumption: &Resumption) {
    for error in resumption.damaged() {
        drop(writeln!(io::stderr(), "warning: {error}"));
    }
    if let (Some(from), true) = (resumption.from(), resumption.damaged().next().is_some()) {
        drop(writeln!(
            io::stderr(),
            "hint: the one before is whole: going on from {}",
            from.display()
        ));
    }
}
