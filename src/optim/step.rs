//! One step of a rule: clipping, decay, the optimiser, and the moving average.
//!
//! Parameters are processed in chunks that stay in the nearest cache, so that a pass for each part of the rule costs
//! little more than one pass for all. Every instruction set gives the same bits.

use multiversion::multiversion;

use super::optimizer::elementwise;
use super::rule::Rule;

/// The largest number of slots of a parameter: two of an optimiser, and the average.
pub const MAX_SLOTS: usize = 3;

/// The slots of some parameters, in the order of [`Rule::slots`]; slots that the rule does not have are empty.
pub type Slots<'a> = [&'a mut [f32]; MAX_SLOTS];

/// Elements of a chunk: weights, gradient and slots take 20 KiB together.
const CHUNK: usize = 1024;

/// A [`Rule`] at one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    rule: Rule,
    learning_rate: f32,
    corrections: [f32; 2],
    average: Option<f32>,
    gradient_scale: f32,
}

impl Rule {
    /// The numbers of step `number`, counted from 1 at the start of the run, at `learning_rate`.
    pub fn at(&self, number: u64, learning_rate: f32) -> Step {
        /// The number of steps in which an average forgets its start, as in TensorFlow's moving averages.
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

    /// The same step without the average, for weights whose norm is still to be limited to [`Rule::max_norm`].
    pub fn without_average(self) -> Step {
        Step {
            average: None,
            ..self
        }
    }

    /// The same step with the whole gradient, of the Euclidean norm `norm`, scaled down to [`Rule::clip_norm`]. A NaN
    /// or infinite norm makes the weights NaN, so that divergence is visible.
    pub fn clipped(self, norm: f64) -> Step {
        let max = self.rule.clip_norm.map_or(f64::INFINITY, f64::from);
        // A comparison with NaN is false, so NaN is kept.
        let gradient_scale = match norm <= max {
            true => 1.0,
            false if norm.is_infinite() => f32::NAN,
            false => (max / norm) as f32,
        };
        Step {
            gradient_scale,
            ..self
        }
    }

    /// Updates `weights` and their `slots` by the mean `gradient`.
    ///
    /// Shapes: all `[n]`, except slots that the rule does not have, `[0]`. Overwrites all of them.
    ///
    /// # Panics
    /// Panics if the gradient or a slot of the rule has another length than the weights.
    pub fn apply(&self, weights: &mut [f32], slots: &mut Slots, gradient: &mut [f32]) {
        let length = weights.len();
        let optimizer = &self.rule.optimizer;
        assert_eq!(gradient.len(), length, "a gradient for each weight");
        for start in (0..length).step_by(CHUNK) {
            let chunk = start..length.min(start + CHUNK);
            let mut slots = slots.each_mut().map(|slot| match slot.is_empty() {
                true => &mut [][..],
                false => &mut slot[chunk.clone()],
            });
            let (weights, gradient) = (&mut weights[chunk.clone()], &mut gradient[chunk]);
            self.condition(weights, gradient);
            let decay = self.rule.weight_decay;
            if decay != 0.0 && optimizer.decouples_decay() {
                scale(weights, 1.0 - self.learning_rate * decay);
            }
            optimizer.step(
                self.learning_rate,
                self.corrections,
                weights,
                &mut slots,
                gradient,
            );
            let average = &mut slots[optimizer.slots().len()];
            self.update_average(average, weights);
        }
    }

    /// Makes the gradient what the optimiser takes: clipped, and with decay unless the optimiser decouples it.
    fn condition(&self, weights: &[f32], gradient: &mut [f32]) {
        let rule = &self.rule;
        if self.gradient_scale != 1.0 {
            scale(gradient, self.gradient_scale);
        }
        if let Some(max) = rule.clip_value {
            clip(gradient, max);
        }
        if rule.weight_decay != 0.0 && !rule.optimizer.decouples_decay() {
            add_decay(gradient, weights, rule.weight_decay);
        }
        if rule.l1 != 0.0 {
            add_signs(gradient, weights, rule.l1);
        }
    }

    /// The descent of plain momentum, for an up-to-date velocity: `w = w − η v`. Denormal velocities become 0 first.
    ///
    /// Shapes: both `[n]`. Overwrites both.
    pub fn descend(&self, weights: &mut [f32], velocity: &mut [f32]) {
        elementwise::descend(self.learning_rate, weights, velocity);
    }

    /// Updates the moving average, if the rule keeps one: `a = δ a + (1 − δ) w`.
    ///
    /// Shapes: both `[n]`. Overwrites `average`.
    pub fn update_average(&self, average: &mut [f32], weights: &[f32]) {
        if let Some(share) = self.average {
            elementwise::average(share, average, weights);
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn scale(numbers: &mut [f32], factor: f32) {
    for x in numbers {
        *x *= factor;
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn clip(gradient: &mut [f32], max: f32) {
    for g in gradient {
        // A comparison with NaN is false, so NaN is kept.
        let below = if *g < -max { -max } else { *g };
        *g = if below > max { max } else { below };
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn add_decay(gradient: &mut [f32], weights: &[f32], decay: f32) {
    for (g, w) in gradient.iter_mut().zip(weights) {
        *g += decay * w;
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn add_signs(gradient: &mut [f32], weights: &[f32], l1: f32) {
    for (g, w) in gradient.iter_mut().zip(weights) {
        *g += l1 * elementwise::sign(*w);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{OptimizerConfig, OptimizerName};
    use crate::kernels::sum_of_squares;

    /// One weight after a step against `gradient`, clipped to a norm of 1.
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
    fn a_gradient_with_a_nan_or_infinite_norm_makes_the_weights_nan() {
        assert_eq!(clipped_step(-0.5), 3.5);
        assert_eq!(clipped_step(1e18), 2.0);
        // The last one is finite, but its square in `f32` is not.
        for gradient in [f32::NAN, f32::INFINITY, 1e20] {
            let weight = clipped_step(gradient);
            assert!(weight.is_nan(), "{weight} after {gradient}");
        }
    }

    /// The weights after a step of each rule against `gradient [n]`, with and without everything that may be combined
    /// with an optimiser.
    fn weights_after_a_step(gradient: &[f32]) -> Vec<(OptimizerConfig, Vec<f32>)> {
        let plain = OptimizerName::ALL.map(|optimizer| OptimizerConfig {
            optimizer,
            ..OptimizerConfig::default()
        });
        let combined = plain.clone().map(|config| OptimizerConfig {
            weight_decay: Some(0.1),
            l1: 0.1,
            clip_value: Some(0.5),
            average: Some(0.9),
            ..config
        });
        let step = |config: OptimizerConfig| {
            let mut weights = vec![1.0; gradient.len()];
            let mut own = vec![weights.clone(); config.rule().slots().len()];
            let mut slots: Slots = [&mut [], &mut [], &mut []];
            for (slot, own) in slots.iter_mut().zip(&mut own) {
                *slot = own;
            }
            let step = config.rule().at(1, 0.1);
            step.apply(&mut weights, &mut slots, &mut gradient.to_vec());
            (config, weights)
        };
        plain.into_iter().chain(combined).map(step).collect()
    }

    #[test]
    fn a_nan_gradient_makes_only_its_own_weight_nan_in_every_rule() {
        // More than a chunk, with a ragged end; one NaN among full registers, and one after them.
        let mut gradient = vec![0.25; CHUNK + 37];
        let broken = [5, CHUNK + 36];
        for at in broken {
            gradient[at] = f32::NAN;
        }
        for (config, weights) in weights_after_a_step(&gradient) {
            for (at, weight) in weights.iter().enumerate() {
                assert_eq!(weight.is_nan(), broken.contains(&at), "{config:?} at {at}");
            }
        }
    }
}
