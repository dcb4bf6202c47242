//! A slow implementation of batch normalisation: one shard of samples at a time, by the textbook's sums.

use super::Reference;

/// The ε that is added to a variance.
const EPSILON: f64 = 1e-5;

/// One sample of a shard.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The features, `[inputs]`.
    pub x: Vec<f64>,
    /// The true class.
    pub label: usize,
    /// The masks of this sample, in the form of [`Reference::masks`]; those of the network are not used for shards.
    pub masks: Vec<Vec<f64>>,
}

/// Samples that are normalised together.
pub type Shard<'a> = &'a [Sample];

/// What backpropagation needs of a hidden layer of a shard.
struct Normalized {
    /// The inputs of the layer, `[samples, in]`.
    input: Vec<Vec<f64>>,
    /// The normalised products x̂, `[samples, out]`.
    x_hat: Vec<Vec<f64>>,
    /// `γ ⊙ x̂ + β`, `[samples, out]`.
    scaled: Vec<Vec<f64>>,
    /// The mean of the products, `[out]`.
    mean: Vec<f64>,
    /// The mean square of the distances from the mean, `[out]`.
    variance: Vec<f64>,
}

impl Reference {
    /// The index at which γ of a hidden layer starts; the running mean and the running variance follow.
    fn gamma(&self, layer: usize) -> usize {
        self.start(layer) + (self.sizes[layer] + 1) * self.sizes[layer + 1]
    }

    /// The running mean and variance of a hidden layer, `[out]` each.
    fn running(&self, layer: usize) -> (Vec<f64>, Vec<f64>) {
        let out = self.sizes[layer + 1];
        let statistics = &self.parameters[self.gamma(layer) + out..];
        (
            statistics[..out].to_vec(),
            statistics[out..2 * out].to_vec(),
        )
    }

    /// `γ (z − mean) / √(var + ε) + β` of unit `j` with the running statistics.
    pub(super) fn normalize_running(&self, layer: usize, j: usize, z: f64) -> f64 {
        let (mean, variance) = self.running(layer);
        let gamma = self.parameters[self.gamma(layer) + j];
        let beta = self.parameters[self.start(layer) + self.sizes[layer] * mean.len() + j];
        gamma * (z - mean[j]) / (variance[j] + EPSILON).sqrt() + beta
    }

    /// The product `x · w` of one sample.
    fn product(&self, layer: usize, x: &[f64]) -> Vec<f64> {
        let (start, out) = (self.start(layer), self.sizes[layer + 1]);
        let weight = |i: usize, j: usize| self.parameters[start + i * out + j];
        let sum = |j: usize| x.iter().enumerate().map(|(i, x)| x * weight(i, j)).sum();
        (0..out).map(sum).collect()
    }

    /// The hidden layers of a shard, and the logits of its samples.
    fn forward_shard(&self, shard: Shard) -> (Vec<Normalized>, Vec<Vec<f64>>) {
        let last = self.sizes.len() - 2;
        let samples = shard.len() as f64;
        let mut input: Vec<Vec<f64>> = shard.iter().map(|sample| sample.x.clone()).collect();
        let mut layers = Vec::new();
        for layer in 0..last {
            let (fan_in, out) = (self.sizes[layer], self.sizes[layer + 1]);
            let z: Vec<Vec<f64>> = input.iter().map(|x| self.product(layer, x)).collect();
            let mean: Vec<f64> = (0..out)
                .map(|j| z.iter().map(|z| z[j]).sum::<f64>() / samples)
                .collect();
            let square = |j: usize| z.iter().map(|z| (z[j] - mean[j]).powi(2)).sum::<f64>();
            let variance: Vec<f64> = (0..out).map(|j| square(j) / samples).collect();
            let (mean, variance) = match self.frozen.contains(&layer) {
                true => self.running(layer),
                false => (mean, variance),
            };
            let normalize = |z: &Vec<f64>| {
                let at = |j: usize| (z[j] - mean[j]) / (variance[j] + EPSILON).sqrt();
                (0..out).map(at).collect()
            };
            let x_hat: Vec<Vec<f64>> = z.iter().map(normalize).collect();
            let (beta, gamma) = (self.start(layer) + fan_in * out, self.gamma(layer));
            let scale = |x: &Vec<f64>| {
                let at = |j: usize| self.parameters[gamma + j] * x[j] + self.parameters[beta + j];
                (0..out).map(at).collect()
            };
            let scaled: Vec<Vec<f64>> = x_hat.iter().map(scale).collect();
            let y = |(u, sample): (&Vec<f64>, &Sample)| {
                let y = u.iter().map(|&u| self.activate(u)).collect();
                masked(y, sample, layer)
            };
            let next = scaled.iter().zip(shard).map(y).collect();
            layers.push(Normalized {
                input: std::mem::replace(&mut input, next),
                x_hat,
                scaled,
                mean,
                variance,
            });
        }
        let bias = self.start(last) + self.sizes[last] * self.sizes[last + 1];
        let logits = |x: &Vec<f64>| {
            let z = self.product(last, x).into_iter().enumerate();
            z.map(|(j, z)| z + self.parameters[bias + j]).collect()
        };
        let logits = input.iter().map(logits).collect();
        let classes = Normalized {
            input,
            x_hat: Vec::new(),
            scaled: Vec::new(),
            mean: Vec::new(),
            variance: Vec::new(),
        };
        layers.push(classes);
        (layers, logits)
    }

    /// The mean and variance of the product `x · w` of every hidden layer over a shard. The variance is the mean square
    /// of the distances from the mean.
    ///
    /// Shapes: returns `[out_l]` twice for each hidden layer l.
    pub fn shard_statistics(&self, shard: Shard) -> Vec<[Vec<f64>; 2]> {
        let (mut layers, _) = self.forward_shard(shard);
        layers.pop();
        let statistics = layers.into_iter();
        statistics
            .map(|layer| [layer.mean, layer.variance])
            .collect()
    }

    /// The summed cross-entropy of a shard that is normalised by its own statistics, in nats.
    pub fn shard_loss(&self, shard: Shard) -> f64 {
        let (_, logits) = self.forward_shard(shard);
        let losses = logits.iter().zip(shard).map(|(logits, sample)| {
            let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = logits.iter().map(|z| (z - largest).exp()).sum();
            sum.ln() + largest - logits[sample.label]
        });
        losses.sum()
    }

    /// The gradient of [`Reference::shard_loss`] by backpropagation, with 0 for running statistics.
    ///
    /// Shapes: returns `[parameters]`.
    pub fn shard_gradient(&self, shard: Shard) -> Vec<f64> {
        let (layers, logits) = self.forward_shard(shard);
        let samples = shard.len() as f64;
        let mut gradient = vec![0.0; self.parameters.len()];
        let error = |(logits, sample): (&Vec<f64>, &Sample)| {
            let label = sample.label;
            let sum: f64 = logits.iter().map(|z| (z - logits[label]).exp()).sum();
            let errors = logits.iter().enumerate().map(|(class, z)| {
                (z - logits[label]).exp() / sum - f64::from(u8::from(class == label))
            });
            errors.collect::<Vec<f64>>()
        };
        // The gradient at the outputs of the layer before its activation: at the logits first.
        let mut d: Vec<Vec<f64>> = logits.iter().zip(shard).map(error).collect();
        for (index, layer) in layers.iter().enumerate().rev() {
            let (fan_in, out) = (self.sizes[index], self.sizes[index + 1]);
            let (start, bias) = (self.start(index), self.start(index) + fan_in * out);
            for j in 0..out {
                gradient[bias + j] = d.iter().map(|d| d[j]).sum();
                if layer.x_hat.is_empty() {
                    continue;
                }
                let gamma = self.parameters[self.gamma(index) + j];
                let pairs = d.iter().zip(&layer.x_hat);
                let d_gamma: f64 = pairs.map(|(d, x)| d[j] * x[j]).sum();
                gradient[self.gamma(index) + j] = d_gamma;
                let scale = gamma / (layer.variance[j] + EPSILON).sqrt();
                let statistics_move = !self.frozen.contains(&index);
                for (d, x) in d.iter_mut().zip(&layer.x_hat) {
                    let common = gradient[bias + j] + x[j] * d_gamma;
                    let share = if statistics_move { 1.0 / samples } else { 0.0 };
                    d[j] = scale * (d[j] - share * common);
                }
            }
            let mut dx = vec![vec![0.0; fan_in]; d.len()];
            for ((d, x), dx) in d.iter().zip(&layer.input).zip(&mut dx) {
                for (i, j) in (0..fan_in).flat_map(|i| (0..out).map(move |j| (i, j))) {
                    gradient[start + i * out + j] += x[i] * d[j];
                    dx[i] += d[j] * self.parameters[start + i * out + j];
                }
            }
            if index > 0 {
                let before = layers[index - 1].scaled.iter().zip(shard);
                for (dx, (u, sample)) in dx.iter_mut().zip(before) {
                    *dx = masked(std::mem::take(dx), sample, index - 1);
                    for (dx, &u) in dx.iter_mut().zip(u) {
                        *dx *= self.activate_derivative(u);
                    }
                }
            }
            d = dx;
        }
        gradient
    }

    /// The gradient of [`Reference::shard_loss`] by central differences.
    ///
    /// Shapes: returns `[parameters]`.
    pub fn shard_gradient_by_differences(&self, shard: Shard, h: f64) -> Vec<f64> {
        let mut moved = self.clone();
        (0..self.parameters.len())
            .map(|at| {
                moved.parameters[at] = self.parameters[at] + h;
                let above = moved.shard_loss(shard);
                moved.parameters[at] = self.parameters[at] - h;
                let below = moved.shard_loss(shard);
                moved.parameters[at] = self.parameters[at];
                (above - below) / (2.0 * h)
            })
            .collect()
    }
}

/// The outputs of hidden layer `layer`, or the gradient at them, after units of `sample` are dropped.
fn masked(mut numbers: Vec<f64>, sample: &Sample, layer: usize) -> Vec<f64> {
    if let Some(mask) = sample.masks.get(layer) {
        numbers.iter_mut().zip(mask).for_each(|(x, m)| *x *= m);
    }
    numbers
}
