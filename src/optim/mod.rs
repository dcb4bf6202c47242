//! How a gradient moves the parameters: which optimiser, with what beside it, at which learning rate.
//!
//! A [`Rule`] holds for a whole run; [`Rule::at`] gives the numbers of one step, which are a function of its place in the
//! run alone; [`Step::apply`] is the update itself, element by element, on whatever part of the parameters a worker
//! has. The order is that of PyTorch: the mean gradient is clipped, decay is added to it, the optimiser makes a step of it,
//! units beyond the largest norm are scaled down, and the average follows.

mod optimizer;
mod sweep;

pub use optimizer::Optimizer;

/// Slots of a parameter at the most: two of an optimiser, and the average.
pub const MOST_SLOTS: usize = 3;

/// The slots of some parameters, in the order of [`Rule::slots`]; those beyond are empty.
pub type Slots<'a> = [&'a mut [f32]; MOST_SLOTS];

/// What is done with every gradient of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// What makes a step of a gradient.
    pub optimizer: Optimizer,
    /// Weight decay λ, of weights and neither of biases nor of the scales γ of batch normalisation, which PyTorch's optimisers
    /// let decay as well: `g + λ w` as the gradient, or `w − η λ w` beside the step where the
    /// optimiser decouples it (I. Loshchilov and F. Hutter, *Decoupled Weight Decay Regularization*, 2019).
    pub weight_decay: f32,
    /// L1 penalty: `g + λ₁ sign w`, of weights and not of biases.
    pub l1: f32,
    /// The largest Euclidean norm of the weights into a hidden unit; they are scaled down to it after a step
    /// (N. Srivastava and others, *Dropout*, 2014, section 5.1).
    pub max_norm: Option<f32>,
    /// The largest Euclidean norm of the whole gradient; it is scaled down to it (R. Pascanu and others, *On the
    /// difficulty of training recurrent neural networks*, 2013).
    pub clip_norm: Option<f32>,
    /// The largest magnitude of an element of the gradient.
    pub clip_value: Option<f32>,
    /// The share δ of the old average in the new, `a = δ a + (1 − δ) w`; none where no average is kept (B. Polyak and A.
    /// Juditsky, *Acceleration of stochastic approximation by averaging*, 1992, in its exponential form).
    pub average: Option<f32>,
}

impl Rule {
    /// Stochastic gradient descent with momentum, and nothing beside it.
    pub fn sgd(momentum: f32) -> Rule {
        Optimizer::Sgd {
            momentum,
            nesterov: false,
        }
        .into()
    }

    /// What is kept for every parameter from one step to the next, each as long as the parameters: the optimiser's
    /// own, then the average.
    pub fn slots(&self) -> Vec<&'static str> {
        let average = self.average.map(|_| AVERAGE);
        let own = self.optimizer.slots().iter().copied();
        own.chain(average).collect()
    }

    /// The momentum, where the update is `v = μ v + g` and `w = w − η v` and nothing else: then it can be done while
    /// the gradient is still in registers.
    pub fn plain_momentum(&self) -> Option<f32> {
        let nothing_beside = self.weight_decay == 0.0
            && self.l1 == 0.0
            && self.clip_norm.is_none()
            && self.clip_value.is_none()
            && self.average.is_none();
        match self.optimizer {
            Optimizer::Sgd {
                momentum,
                nesterov: false,
            } if nothing_beside => Some(momentum),
            _ => None,
        }
    }

    /// Whether a weight moves although its gradient is 0 and always was.
    pub fn moves_idle_weights(&self) -> bool {
        self.weight_decay != 0.0 || self.l1 != 0.0 || self.max_norm.is_some()
    }

    /// The numbers of step `number`, counted from 1 at the run's beginning, at `learning_rate`.
    pub fn at(&self, number: u64, learning_rate: f32) -> Step {
        /// Steps over which an average forgets where it began, as TensorFlow's moving averages do.
        const YOUNG: f64 = 10.0;
        let age = number as f64;
        let young = ((1.0 + age) / (YOUNG + age)) as f32;
        Step {
            rule: *self,
            learning_rate,
            corrections: self.optimizer.corrections(number),
            average: self.average.map(|share| share.min(young)),
            gradient_scale: 1.0,
        }
    }
}

impl From<Optimizer> for Rule {
    /// The optimiser alone.
    fn from(optimizer: Optimizer) -> Rule {
        Rule {
            optimizer,
            weight_decay: 0.0,
            l1: 0.0,
            max_norm: None,
            clip_norm: None,
            clip_value: None,
            average: None,
        }
    }
}

/// The name of the average among the slots.
pub const AVERAGE: &str = "average";

/// A [`Rule`] at one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    rule: Rule,
    learning_rate: f32,
    corrections: [f32; 2],
    average: Option<f32>,
    gradient_scale: f32,
}

impl Step {
    /// The rule.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The learning rate η of this step.
    pub fn learning_rate(&self) -> f32 {
        self.learning_rate
    }

    /// The same step for biases, which do not decay.
    pub fn without_decay(self) -> Step {
        Step {
            rule: Rule {
                weight_decay: 0.0,
                l1: 0.0,
                ..self.rule
            },
            ..self
        }
    }

    /// The same step without the average, for weights that are still to be held to [`Rule::max_norm`].
    pub fn without_average(self) -> Step {
        Step {
            average: None,
            ..self
        }
    }

    /// The same step with the whole gradient, of the Euclidean norm `norm`, scaled down to [`Rule::clip_norm`]. A norm that
    /// is no number, or beyond all of them, leaves none in the weights, so that a diverging run shows.
    pub fn clipped(self, norm: f64) -> Step {
        let most = self.rule.clip_norm.map_or(f64::INFINITY, f64::from);
        // Written so that NaN goes on.
        let gradient_scale = match norm <= most {
            true => 1.0,
            false if norm.is_infinite() => f32::NAN,
            false => (most / norm) as f32,
        };
        Step {
            gradient_scale,
            ..self
        }
    }

    /// One step of `weights` with their `slots` against the mean `gradient`.
    ///
    /// Shapes: all `[n]`, slots that the rule does not have `[0]`. Overwrites all of them.
    ///
    /// # Panics
    /// When a slot of the rule has another length than the weights.
    pub fn apply(&self, weights: &mut [f32], slots: &mut Slots, gradient: &mut [f32]) {
        sweep::apply(self, weights, slots, gradient);
    }

    /// `v` is up to date: `w = w − η v`. Denormal velocities become 0 first.
    ///
    /// Shapes: both `[n]`. Overwrites both.
    pub fn descend(&self, weights: &mut [f32], velocity: &mut [f32]) {
        sweep::descend(self.learning_rate, weights, velocity);
    }

    /// `a = δ a + (1 − δ) w`, where an average is kept.
    ///
    /// Shapes: both `[n]`. Overwrites `average`.
    pub fn follow(&self, average: &mut [f32], weights: &[f32]) {
        if let Some(share) = self.average {
            sweep::follow(share, average, weights);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::sum_of_squares;

    /// A step of one weight against `gradient`, clipped to a norm of 1.
    fn clipped_step(gradient: f32) -> f32 {
        let rule = Rule {
            clip_norm: Some(1.0),
            ..Rule::sgd(0.0)
        };
        let norm = sum_of_squares(&[gradient]).sqrt();
        let (mut weights, mut velocity) = ([3.0], [0.0]);
        let mut slots: Slots = [&mut velocity, &mut [], &mut []];
        let step = rule.at(1, 1.0).clipped(norm);
        step.apply(&mut weights, &mut slots, &mut [gradient]);
        weights[0]
    }

    #[test]
    fn a_gradient_whose_norm_is_beyond_all_numbers_shows_and_does_not_freeze() {
        assert_eq!(clipped_step(-0.5), 3.5);
        assert_eq!(clipped_step(1e18), 2.0);
        // The last one is finite, and its square in `f32` is not.
        for gradient in [f32::NAN, f32::INFINITY, 1e20] {
            let weight = clipped_step(gradient);
            assert!(weight.is_nan(), "{weight} after {gradient}");
        }
    }
}
