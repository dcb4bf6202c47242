//! Flags that say what a search draws from where.

use clap::{Args, ValueEnum};
use perceptor::TrainConfig;
use perceptor::tune::{Range, Space};

/// What is drawn from where.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "Ranges: LOW..HIGH, or one number to fix it; from 0, half of the trials have 0"
)]
pub struct RangeArgs {
    /// Learning rate, on a logarithmic scale [default: 0.03 to 5 times that of the optimiser, for sgd 0.003..0.5]
    #[arg(long, value_name = "RANGE", allow_negative_numbers = true)]
    lr: Option<Range>,
    /// Width of every hidden layer, on a logarithmic scale, a multiple of 8 [default: 64..1024]
    #[arg(long, value_name = "RANGE", allow_negative_numbers = true)]
    width: Option<Range>,
    /// Hidden layers [default: 1..3]
    #[arg(long, value_name = "RANGE", allow_negative_numbers = true)]
    depth: Option<Range>,
    /// Samples a step, a power of two [default: 32..512]
    #[arg(long, value_name = "RANGE", allow_negative_numbers = true)]
    batch_size: Option<Range>,
    /// Share of the hidden units that is dropped [default: 0..0.5]
    #[arg(long, value_name = "RANGE", allow_negative_numbers = true)]
    dropout: Option<Range>,
    /// Weight decay, on a logarithmic scale [default: 0..0.001, for adamw and lion 0..0.1]
    #[arg(long, value_name = "RANGE", allow_negative_numbers = true)]
    weight_decay: Option<Range>,
    /// Share of the truth that is spread over all classes [default: 0..0.2]
    #[arg(long, value_name = "RANGE", allow_negative_numbers = true)]
    label_smoothing: Option<Range>,
    /// Batch normalisation behind every hidden layer: tried in half of the trials, on in all, or in none
    /// [default: try]
    #[arg(long, value_enum)]
    pub(super) batch_norm: Option<BatchNorm>,
}

/// Which trials have batch normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BatchNorm {
    Try,
    On,
    Off,
}

impl RangeArgs {
    /// The ranges that were given, and for the rest those that suit what `config` fixes, unless `fixed` says that a file
    /// has the setting.
    pub(super) fn space(&self, config: &TrainConfig, fixed: &dyn Fn(&str) -> bool) -> Space {
        let around = Space::around(config.optimizer.optimizer, config.task.task);
        let of = |given: Option<Range>, key: &str, default: Option<Range>| {
            given.or(default.filter(|_| !fixed(key)))
        };
        // Width and depth make one setting.
        let network = self.width.is_some() || self.depth.is_some() || !fixed("hidden");
        let part =
            |given: Option<Range>, default: Option<Range>| given.or(default).filter(|_| network);
        Space {
            lr: of(self.lr, "learning_rate", around.lr),
            width: part(self.width, around.width),
            depth: part(self.depth, around.depth),
            batch_size: of(self.batch_size, "batch_size", around.batch_size),
            dropout: of(self.dropout, "dropout", around.dropout),
            weight_decay: of(self.weight_decay, "weight_decay", around.weight_decay),
            label_smoothing: of(
                self.label_smoothing,
                "label_smoothing",
                around.label_smoothing,
            ),
            batch_norm: match self.batch_norm {
                Some(which) => which == BatchNorm::Try,
                None => !fixed("batch_norm"),
            },
        }
    }
}
