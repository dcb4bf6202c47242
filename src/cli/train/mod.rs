//! `perceptor train`: what was typed and what a file says become the settings of a run, the run is trained and looked
//! after, and its end is told. Here are the flags, with those of a theme in a file of their own;
//! `settings` says which source of a setting wins, `session` trains.

mod optimizer;
mod precedence;
mod regularization;
mod schedule;
mod session;
mod task;
mod validation;

use std::io::{self, Write};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Instant;

use clap::{ArgAction, ArgMatches, Args, Command};
use perceptor::TrainConfig;
use perceptor::data::{DataMode, Scale};
use perceptor::nn::{Activation, Init};
use perceptor::run::{Every, RECIPES, Recipe, Resumption, Settings};

use self::optimizer::OptimizerArgs;
use self::regularization::RegularizationArgs;
use self::schedule::ScheduleArgs;
use self::session::Session;
pub use self::task::TaskArgs;
pub use self::validation::HoldoutArgs;
use self::validation::ValidationArgs;
use super::engine::{ComputeArgs, VerboseArg};
use super::or_none::OrNone;
use super::source::DataArgs;
use super::train::precedence::FREE;
pub(crate) use super::train::precedence::take;
pub use super::train::precedence::{check_files, check_resume_flags, is_given, recorded};
use super::{Failure, Format, Hidden, named, parse_hidden};

const EXAMPLES: &str = "\
Examples:
  perceptor train                                     data/mnist, or generated digits without it
  perceptor train --data DIR --epochs 30              the tutorial's network on your own IDX files
  perceptor train --recipe quick                      settings by name; --recipe list shows them
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
    /// set, not at all, or as the model of --init-from has it, which is the default beside that
    #[arg(long, help_heading = "Data", default_value = Scale::default().name(), value_parser = named(Scale::ALL, Scale::name))]
    scale: Scale,
    /// How images are held: mapped, or copied into memory first, for files that others write to
    #[arg(long, help_heading = "Data", default_value = DataMode::default().name(), value_parser = named(DataMode::ALL, DataMode::name))]
    data_mode: DataMode,
    #[command(flatten)]
    task: TaskArgs,

    /// Widths of the hidden layers, or none
    #[arg(long, value_name = "N,N,...", help_heading = "Network", default_value = "100", value_parser = parse_hidden)]
    hidden: Hidden,
    /// Activation of the hidden layers
    #[arg(long, help_heading = "Network", default_value = Activation::default().name(), value_parser = named(Activation::ALL, Activation::name))]
    activation: Activation,
    /// Batch normalisation of every hidden layer, over shards of up to 64 samples of a batch; =false does without that of
    /// a file of settings or a model
    #[arg(long, help_heading = "Network", value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set, default_value_t = false, default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    batch_norm: bool,
    /// Initial weights; auto is he before relu and its relatives from leaky-relu to softplus, lecun
    /// before scaled-tanh, and xavier elsewhere
    #[arg(long, help_heading = "Network", default_value = Init::default().name(), value_parser = named(Init::ALL, Init::name))]
    init: Init,
    /// Weights of --init uniform are between -X and X [default: 0.05]
    #[arg(
        long,
        value_name = "X",
        help_heading = "Network",
        allow_negative_numbers = true
    )]
    init_range: Option<f32>,
    /// Initial value of every bias
    #[arg(long, value_name = "X", help_heading = "Network", default_value_t = TrainConfig::default().bias_init, allow_negative_numbers = true)]
    bias_init: f32,
    /// Begin from the weights of this model, in the place of drawn ones; without --hidden, --activation and --task,
    /// with its network
    #[arg(long, value_name = "MODEL", help_heading = "Network")]
    init_from: Option<PathBuf>,
    /// Layers to leave as they are, by their names in the model file: layers.0 is the first [default: none]
    #[arg(
        long,
        value_name = "NAME,NAME,...",
        help_heading = "Network",
        value_delimiter = ','
    )]
    freeze: Vec<String>,

    /// Passes over the training set
    #[arg(long, value_name = "N", help_heading = "Training", default_value_t = TrainConfig::default().epochs)]
    epochs: usize,
    /// Samples a step
    #[arg(long, value_name = "N", help_heading = "Training", default_value_t = TrainConfig::default().batch_size)]
    batch_size: usize,
    /// Shuffle within windows of about N items, read ahead in large blocks: for files larger than memory, in
    /// which a full permutation would read from all over the disk; none shuffles all
    #[arg(
        long,
        value_name = "N",
        help_heading = "Training",
        default_value = "none"
    )]
    shuffle_window: OrNone<usize>,
    /// Seed of all randomness: the same seed gives the same model
    #[arg(long, value_name = "N", help_heading = "Training", default_value_t = TrainConfig::default().seed)]
    seed: u64,
    #[command(flatten)]
    optimizer: OptimizerArgs,
    #[command(flatten)]
    schedule: ScheduleArgs,
    #[command(flatten)]
    regularization: RegularizationArgs,
    #[command(flatten)]
    validation: ValidationArgs,
    #[command(flatten)]
    compute: ComputeArgs,

    /// Settings to start from by name, tried and measured, as quick or accurate; list shows them with what they
    /// reached. Flags win over them
    #[arg(long, value_name = "NAME", help_heading = "Runs", conflicts_with_all = ["config", "resume"])]
    recipe: Option<String>,
    /// Settings to start from, as the config.toml of a run; flags win over them
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Runs",
        conflicts_with = "resume"
    )]
    config: Option<PathBuf>,
    /// Go on with the run in this folder, to the very same model. Only --epochs, --max-time, --threads, the
    /// place of the data and how the run is saved and told may be given anew
    #[arg(long, value_name = "RUN", help_heading = "Runs")]
    resume: Option<PathBuf>,
    /// How often to save what a stopped run goes on from: a number of epochs or steps, as "500 steps", a time, as
    /// 10m, or never
    #[arg(long, value_name = "HOW OFTEN", help_heading = "Runs", default_value_t = Every::default())]
    checkpoint_every: Every,
    /// Checkpoints to keep, the newest ones
    #[arg(long, value_name = "N", help_heading = "Runs", default_value_t = Settings::default().keep)]
    keep: NonZeroU32,

    /// Folder of the run [default: runs/train-N, N the next free number]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    out: Option<PathBuf>,
    /// Write into the folder of --out although it holds files of a run; they are replaced, a model at the end
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

/// What most runs are made with, in the order of the help, which begins with it.
const COMMON: [&str; 13] = [
    "data",
    "recipe",
    "hidden",
    "activation",
    "optimizer",
    "lr",
    "schedule",
    "epochs",
    "batch_size",
    "dropout",
    "validation_split",
    "seed",
    "resume",
];

/// The command with its common flags before all groups.
pub fn common_first(command: Command) -> Command {
    let common = COMMON.iter().copied().enumerate();
    let command = common.fold(command, |command, (place, flag)| {
        command.mut_arg(flag, |arg| arg.help_heading("Common").display_order(place))
    });
    // Groups stand in the order of their first flags, and a flag that was touched goes behind the others.
    let others = command.get_arguments().map(|arg| arg.get_id().to_string());
    let others: Vec<String> = others
        .filter(|flag| !COMMON.contains(&flag.as_str()))
        .collect();
    let others = others.iter();
    others.fold(command, |command, flag| command.mut_arg(flag, |arg| arg))
}

impl TrainArgs {
    pub fn run(&self, matches: &ArgMatches) -> Result<(), Failure> {
        let start = Instant::now();
        if self.recipe.as_deref() == Some("list") {
            return Ok(write_recipes(&mut io::stdout().lock())?);
        }
        let plan = self.plan(matches)?;
        let session = Session::open(self, plan)?;
        session.run(start)
    }

    /// What to train, from flags and files, before any data are read.
    fn plan(&self, matches: &ArgMatches) -> perceptor::Result<Plan> {
        if let Some(path) = &self.resume {
            let hint = "start another run with --config RUN/config.toml and this flag";
            check_resume_flags(matches, &FREE, ("the run", hint))?;
            let mut resumption = Resumption::open(path)?;
            resumption.settings = self.over(Some(resumption.settings), matches)?;
            resumption.settings.train.check()?;
            return Ok(Plan::Resume(Box::new(resumption)));
        }
        let file = match (&self.recipe, &self.config) {
            (Some(name), _) => Some(Recipe::find(name)?.settings()),
            (None, Some(path)) => Some(Settings::read(path)?),
            (None, None) => None,
        };
        let mut settings = self.over(file, matches)?;
        self.take_from_model(&mut settings, matches)?;
        settings.train.check()?;
        settings.train = settings.train.resolved();
        Ok(Plan::Begin(Box::new(settings)))
    }
}

/// Every recipe with what its head says.
fn write_recipes(out: &mut dyn Write) -> io::Result<()> {
    for recipe in RECIPES {
        let mut name = recipe.name;
        for line in recipe.head() {
            writeln!(out, "{name:<10} {line}")?;
            name = "";
        }
    }
    out.flush()
}

/// What to do.
enum Plan {
    Begin(Box<Settings>),
    Resume(Box<Resumption>),
}
