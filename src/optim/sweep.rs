//! The update, element by element: what the optimisers' formulas come to in `f32`.
//!
//! Parameters are taken in chunks that stay in the nearest cache, so that a pass for each thing to be done costs little
//! more than one for all. Every instruction set gives the same bits. What is kept from step to step is flushed where it
//! is denormal.

use multiversion::multiversion;

use super::{Optimizer, Slots, Step};
use crate::kernels::flush;

/// Elements of a chunk: with weights, gradient and slots 20 KiB.
const CHUNK: usize = 1024;

/// [`Step::apply`].
pub(super) fn apply(step: &Step, weights: &mut [f32], slots: &mut Slots, gradient: &mut [f32]) {
    let length = weights.len();
    assert_eq!(gradient.len(), length, "a gradient for each weight");
    for start in (0..length).step_by(CHUNK) {
        let chunk = start..length.min(start + CHUNK);
        let mut slots = slots.each_mut().map(|slot| match slot.is_empty() {
            true => &mut [][..],
            false => &mut slot[chunk.clone()],
        });
        let (weights, gradient) = (&mut weights[chunk.clone()], &mut gradient[chunk]);
        condition(step, weights, gradient);
        let decay = step.rule.weight_decay;
        if decay != 0.0 && step.rule.optimizer.decouples_decay() {
            scale(weights, 1.0 - step.learning_rate * decay);
        }
        move_along(step, weights, &mut slots, gradient);
        let average = &mut slots[step.rule.optimizer.slots().len()];
        step.follow(average, weights);
    }
}

/// What the optimiser takes for the gradient: clipped, and with decay where that goes through it.
fn condition(step: &Step, weights: &[f32], gradient: &mut [f32]) {
    let rule = &step.rule;
    if step.gradient_scale != 1.0 {
        scale(gradient, step.gradient_scale);
    }
    if let Some(most) = rule.clip_value {
        clip(gradient, most);
    }
    if rule.weight_decay != 0.0 && !rule.optimizer.decouples_decay() {
        add_decay(gradient, weights, rule.weight_decay);
    }
    if rule.l1 != 0.0 {
        add_signs(gradient, weights, rule.l1);
    }
}

/// The optimiser's own step.
fn move_along(step: &Step, weights: &mut [f32], slots: &mut Slots, gradient: &[f32]) {
    let rate = step.learning_rate;
    let [first, second, _] = slots;
    match step.rule.optimizer {
        Optimizer::Sgd { momentum, nesterov } => {
            accumulate(first, momentum, gradient);
            match nesterov {
                false => descend(rate, weights, first),
                true => descend_ahead(rate, momentum, weights, first, gradient),
            }
        }
        Optimizer::Adam {
            beta1,
            beta2,
            epsilon,
            ..
        } => {
            let [first_rest, second_root] = step.corrections;
            follow(beta1, first, gradient);
            follow_squares(beta2, second, gradient);
            let numbers = [rate / first_rest, second_root, epsilon];
            descend_scaled(numbers, weights, first, second);
        }
        Optimizer::RmsProp {
            alpha,
            epsilon,
            momentum,
        } => {
            follow_squares(alpha, first, gradient);
            if momentum == 0.0 {
                descend_scaled([rate, 1.0, epsilon], weights, gradient, first);
            } else {
                accumulate_scaled([momentum, epsilon], second, gradient, first);
                descend(rate, weights, second);
            }
        }
        Optimizer::Lion { beta1, beta2 } => {
            descend_by_sign([rate, beta1], weights, first, gradient);
            follow(beta2, first, gradient);
        }
    }
}

/// `sign x`, with `sign 0 = 0`.
#[inline(always)]
fn sign(x: f32) -> f32 {
    // NaN goes on.
    if x == 0.0 { x } else { x.signum() }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn scale(numbers: &mut [f32], factor: f32) {
    for x in numbers {
        *x *= factor;
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn clip(gradient: &mut [f32], most: f32) {
    for g in gradient {
        // Written so that NaN is kept.
        let below = if *g < -most { -most } else { *g };
        *g = if below > most { most } else { below };
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
        *g += l1 * sign(*w);
    }
}

/// `w = w − η v`. Denormal velocities become 0 first.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn descend(learning_rate: f32, weights: &mut [f32], velocity: &mut [f32]) {
    for (w, v) in weights.iter_mut().zip(velocity) {
        *v = flush(*v);
        *w -= learning_rate * *v;
    }
}

/// `v = μ v + g`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn accumulate(velocity: &mut [f32], momentum: f32, gradient: &[f32]) {
    for (v, g) in velocity.iter_mut().zip(gradient) {
        *v = flush(momentum * *v + g);
    }
}

/// `w = w − η (g + μ v)`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn descend_ahead(
    rate: f32,
    momentum: f32,
    weights: &mut [f32],
    velocity: &[f32],
    gradient: &[f32],
) {
    for ((w, v), g) in weights.iter_mut().zip(velocity).zip(gradient) {
        *w -= rate * (g + momentum * v);
    }
}

/// `a = a + (1 − β) (x − a)`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn follow(share: f32, average: &mut [f32], numbers: &[f32]) {
    let rest = 1.0 - share;
    for (a, x) in average.iter_mut().zip(numbers) {
        *a = flush(*a + rest * (x - *a));
    }
}

/// `s = β s + (1 − β) g²`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn follow_squares(share: f32, squares: &mut [f32], gradient: &[f32]) {
    let rest = 1.0 - share;
    for (s, g) in squares.iter_mut().zip(gradient) {
        *s = flush(share * *s + rest * g * g);
    }
}

/// `w = w − η m / (√s / r + ε)`, with η, r and ε as `numbers`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn descend_scaled(numbers: [f32; 3], weights: &mut [f32], direction: &[f32], squares: &[f32]) {
    let [rate, root, epsilon] = numbers;
    for ((w, m), s) in weights.iter_mut().zip(direction).zip(squares) {
        *w -= rate * m / (s.sqrt() / root + epsilon);
    }
}

/// `v = μ v + g / (√s + ε)`, with μ and ε as `numbers`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn accumulate_scaled(numbers: [f32; 2], velocity: &mut [f32], gradient: &[f32], squares: &[f32]) {
    let [momentum, epsilon] = numbers;
    for ((v, g), s) in velocity.iter_mut().zip(gradient).zip(squares) {
        *v = momentum * *v + g / (s.sqrt() + epsilon);
    }
}

/// `w = w − η sign(β m + (1 − β) g)`, with η and β as `numbers`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn descend_by_sign(numbers: [f32; 2], weights: &mut [f32], momentum: &[f32], gradient: &[f32]) {
    let [rate, share] = numbers;
    for ((w, m), g) in weights.iter_mut().zip(momentum).zip(gradient) {
        *w -= rate * sign(share * m + (1.0 - share) * g);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{OptimizerConfig, OptimizerName};

    /// Weights after a step of each rule against `gradient [n]`, with and without all that can stand beside an optimiser.
    fn weights_after_a_step(gradient: &[f32]) -> Vec<(OptimizerConfig, Vec<f32>)> {
        let plain = OptimizerName::ALL.map(|optimizer| OptimizerConfig {
            optimizer,
            ..OptimizerConfig::default()
        });
        let beset = plain.clone().map(|config| OptimizerConfig {
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
            apply(&step, &mut weights, &mut slots, &mut gradient.to_vec());
            (config, weights)
        };
        plain.into_iter().chain(beset).map(step).collect()
    }

    #[test]
    fn what_is_no_number_goes_through_every_rule_to_its_weight_alone() {
        // More than a chunk, with a ragged end; one in the midst of registers, and one behind them.
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
