//! The learning rate, step by step: a pure function of how far a run is.
//!
//! Progress is counted in steps from the run's beginning, so that a run that goes on needs no state of its schedule; only
//! `plateau` looks back, at the losses of the epochs that are done. Warm-up comes first, linear from one step's share up
//! to the learning rate; what follows counts from its end.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How the learning rate goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleName {
    /// The same throughout.
    #[default]
    Constant,
    /// Times a factor every so many epochs.
    Step,
    /// Times a factor an epoch, evenly over its steps.
    Exponential,
    /// Down half a cosine to the least one (I. Loshchilov and F. Hutter, *SGDR*, 2017, without restarts).
    Cosine,
    /// Up from a 25th, then down to a 250,000th, each along half a cosine (L. Smith and N. Topin, *Super-Convergence*,
    /// 2018, with PyTorch's numbers for the learning rate; the momentum stays).
    OneCycle,
    /// Times a factor when the loss has not gone down for so many epochs.
    Plateau,
    /// `η / (1 + t)ᵖ`, t in epochs.
    InverseScaling,
}

impl ScheduleName {
    /// Every schedule.
    pub const ALL: [ScheduleName; 7] = [
        ScheduleName::Constant,
        ScheduleName::Step,
        ScheduleName::Exponential,
        ScheduleName::Cosine,
        ScheduleName::OneCycle,
        ScheduleName::Plateau,
        ScheduleName::InverseScaling,
    ];

    /// The name used by flags, files and messages.
    pub fn name(self) -> &'static str {
        match self {
            ScheduleName::Constant => "constant",
            ScheduleName::Step => "step",
            ScheduleName::Exponential => "exponential",
            ScheduleName::Cosine => "cosine",
            ScheduleName::OneCycle => "one-cycle",
            ScheduleName::Plateau => "plateau",
            ScheduleName::InverseScaling => "inverse-scaling",
        }
    }

    /// Whether it is stretched over all epochs, so that another number of them changes the first already.
    pub fn spans_the_run(self) -> bool {
        matches!(self, ScheduleName::Cosine | ScheduleName::OneCycle)
    }
}

/// A schedule for a run of a known length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// How it goes.
    pub name: ScheduleName,
    /// The highest learning rate.
    pub learning_rate: f32,
    /// The lowest one, of cosine and plateau.
    pub least: f32,
    /// What the learning rate is multiplied by, of step, exponential and plateau.
    pub factor: f32,
    /// Epochs from one multiplication to the next of step.
    pub every: f64,
    /// Epochs without a lower loss that plateau bears.
    pub patience: usize,
    /// The power p of inverse scaling.
    pub power: f32,
    /// Epochs in which the learning rate rises, fractions allowed; none for what the schedule has: 0.3 of all epochs of
    /// one-cycle, and no rise of the others.
    pub warmup: Option<f64>,
    /// Epochs of the run.
    pub epochs: usize,
    /// Steps of an epoch.
    pub steps_an_epoch: u64,
}

impl Schedule {
    /// The same `learning_rate` throughout.
    pub fn constant(learning_rate: f32) -> Schedule {
        Schedule {
            name: ScheduleName::Constant,
            learning_rate,
            least: 0.0,
            factor: 1.0,
            every: 1.0,
            patience: 0,
            power: 0.0,
            warmup: None,
            epochs: 1,
            steps_an_epoch: 1,
        }
    }

    /// The learning rate of step `step`, counted from 0 at the run's beginning, where [`Schedule::plateau_factor`] is
    /// `plateau`.
    pub fn at(&self, step: u64, plateau: f32) -> f32 {
        let warmup = self
            .warmup
            .map(|epochs| epochs * self.steps_an_epoch as f64);
        let highest = f64::from(self.learning_rate);
        if self.name == ScheduleName::OneCycle {
            return self.one_cycle(step, warmup) as f32;
        }
        let warmup = warmup.unwrap_or(0.0);
        let (step, whole) = (
            step as f64,
            (self.epochs as u64 * self.steps_an_epoch) as f64,
        );
        if step + 1.0 < warmup {
            return (highest * (step + 1.0) / warmup) as f32;
        }
        let step = (step - warmup).max(0.0);
        let epochs = step / self.steps_an_epoch as f64;
        let (factor, least) = (f64::from(self.factor), f64::from(self.least));
        let rate = match self.name {
            ScheduleName::Constant => highest,
            ScheduleName::Step => highest * factor.powf((epochs / self.every).floor()),
            ScheduleName::Exponential => highest * factor.powf(epochs),
            ScheduleName::Cosine => half_cosine(highest, least, step / (whole - warmup).max(1.0)),
            ScheduleName::Plateau => (highest * f64::from(plateau)).max(least.min(highest)),
            ScheduleName::InverseScaling => highest * (1.0 + epochs).powf(-f64::from(self.power)),
            ScheduleName::OneCycle => unreachable!("it has returned"),
        };
        rate as f32
    }

    /// The learning rate of PyTorch's `OneCycleLR`, whose rise takes 0.3 of the steps where no warm-up says otherwise.
    fn one_cycle(&self, step: u64, warmup: Option<f64>) -> f64 {
        const RISE: f64 = 0.3;
        const FIRST: f64 = 1.0 / 25.0;
        const LAST: f64 = 1e-4;
        let highest = f64::from(self.learning_rate);
        let whole = (self.epochs as u64 * self.steps_an_epoch) as f64;
        let rise = warmup.unwrap_or(RISE * whole);
        let (top, end) = ((rise - 1.0).max(0.0), whole - 1.0);
        let step = step as f64;
        if step < top {
            half_cosine(highest * FIRST, highest, step / top)
        } else {
            let fall = (end - top).max(1.0);
            half_cosine(highest, highest * FIRST * LAST, (step - top) / fall)
        }
    }

    /// What plateau multiplies the learning rate by after epochs that ended with these `losses`: the factor, once for
    /// each time the loss was not below the lowest one before, by a ten-thousandth of it, for more than
    /// [`Schedule::patience`] epochs. PyTorch's `ReduceLROnPlateau` does the same. 1 for any other schedule.
    pub fn plateau_factor(&self, losses: impl Iterator<Item = f64>) -> f32 {
        const BELOW: f64 = 1.0 - 1e-4;
        if self.name != ScheduleName::Plateau {
            return 1.0;
        }
        let (mut lowest, mut waited, mut factor) = (f64::INFINITY, 0, 1.0);
        for loss in losses {
            if loss < lowest * BELOW {
                (lowest, waited) = (loss, 0);
            } else {
                waited += 1;
            }
            if waited > self.patience {
                (factor, waited) = (factor * self.factor, 0);
            }
        }
        factor
    }
}

/// From `from` to `to` along half a cosine, `share` of the way.
fn half_cosine(from: f64, to: f64, share: f64) -> f64 {
    to + (from - to) / 2.0 * (1.0 + (PI * share.min(1.0)).cos())
}
