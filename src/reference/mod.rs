//! A slow implementation of the same mathematics: one sample at a time, in `f64`, by the textbook's sums.
//!
//! The tests compare the fast implementation with it. It shares no code with that except the names of the
//! activations: no BLAS, no vector kernels, no layout helpers. Its own gradient is compared with central differences.
//! With batch normalisation the loss of a sample depends on its whole shard; [`batch_norm`] has that case.

mod activation;
pub mod batch_norm;

use crate::nn::Activation;

/// A network with parameters in the layout of [`crate::nn::Spec`]: for each layer weights `[in, out]`, row by row, then
/// biases `[out]`; with batch normalisation followed by γ, running mean and running variance `[out]` for each hidden
/// layer.
#[derive(Debug, Clone)]
pub struct Reference {
    /// The widths from inputs to classes.
    pub sizes: Vec<usize>,
    /// The activation of every layer but the last.
    pub activation: Activation,
    /// Whether every hidden layer is normalised. [`Reference::affine_outputs`] and [`Reference::loss`] then use the
    /// running statistics, as in evaluation; [`Reference::gradient`] is for networks without batch normalisation.
    pub batch_norm: bool,
    /// Layers that use the running statistics for a shard too, as frozen ones do.
    pub frozen: Vec<usize>,
    /// The flat buffer, `[parameters]`.
    pub parameters: Vec<f64>,
    /// The factors of the outputs of each hidden layer l on their way to the next, `[out_l]`: 0 for a dropped unit.
    /// Empty without dropout.
    pub masks: Vec<Vec<f64>>,
}

/// The loss of one sample, as a function of the outputs of the last layer.
#[derive(Debug, Clone, Copy)]
pub enum Objective<'a> {
    /// Cross-entropy of the softmax against `(1 − smoothing) · onehot(label) + smoothing / classes`, in nats.
    CrossEntropy {
        /// The true class.
        label: usize,
        /// The share of the target that is spread over all classes.
        smoothing: f64,
    },
    /// The mean of `−t ln p − (1 − t) ln(1 − p)` with `p = 1 / (1 + e⁻ᶻ)` over these targets of 0 and 1, in nats.
    BinaryCrossEntropy(&'a [f64]),
    /// The mean of `(z − t)²` over these targets.
    SquaredError(&'a [f64]),
    /// The mean over these targets of `½ (z − t)²` up to a distance, and of the tangent at that distance beyond it.
    Huber(&'a [f64], f64),
    /// The mean of `|z − t|` over these targets.
    AbsoluteError(&'a [f64]),
    /// The mean over these targets of the distance to `z`, times this share for targets above and times the rest of 1 for
    /// targets below.
    Quantile(&'a [f64], f64),
    /// The mean of `2 (t ln(t / μ) − t + μ)` with `μ = eᶻ` over these targets.
    Poisson(&'a [f64]),
}

impl Objective<'_> {
    /// The loss for the outputs `z`.
    ///
    /// Shapes: `z [outputs]`.
    fn loss(self, z: &[f64]) -> f64 {
        match self {
            Objective::CrossEntropy { label, smoothing } => {
                let truth = truth(label, smoothing, z.len());
                let terms = truth.iter().zip(log_softmax(z));
                terms.map(|(t, ln_p)| -t * ln_p).sum()
            }
            Objective::BinaryCrossEntropy(t) => mean(z, t, |z, t| {
                let p = 1.0 / (1.0 + (-z).exp());
                -t * p.ln() - (1.0 - t) * (1.0 - p).ln()
            }),
            Objective::SquaredError(t) => mean(z, t, |z, t| (z - t).powi(2)),
            Objective::Huber(t, delta) => mean(z, t, |z, t| match (z - t).abs() {
                near if near <= delta => near.powi(2) / 2.0,
                far => delta * far - delta.powi(2) / 2.0,
            }),
            Objective::AbsoluteError(t) => mean(z, t, |z, t| (z - t).abs()),
            Objective::Quantile(t, share) => mean(z, t, |z, t| match z < t {
                true => share * (t - z),
                false => (1.0 - share) * (z - t),
            }),
            Objective::Poisson(t) => mean(z, t, |z, t| {
                let log = if t > 0.0 { t * (t.ln() - z) } else { 0.0 };
                2.0 * (log - t + z.exp())
            }),
        }
    }

    /// The gradient at the outputs.
    ///
    /// Shapes: `z [outputs]`; returns `[outputs]`.
    fn gradient(self, z: &[f64]) -> Vec<f64> {
        let each = |t: &[f64], slope: &dyn Fn(f64, f64) -> f64| {
            let slopes = z.iter().zip(t).map(|(&z, &t)| slope(z, t));
            slopes.map(|slope| slope / z.len() as f64).collect()
        };
        match self {
            Objective::CrossEntropy { label, smoothing } => {
                let truth = truth(label, smoothing, z.len());
                let terms = truth.iter().zip(log_softmax(z));
                terms.map(|(t, ln_p)| ln_p.exp() - t).collect()
            }
            Objective::BinaryCrossEntropy(t) => each(t, &|z, t| 1.0 / (1.0 + (-z).exp()) - t),
            Objective::SquaredError(t) => each(t, &|z, t| 2.0 * (z - t)),
            Objective::Huber(t, delta) => each(t, &|z, t| (z - t).clamp(-delta, delta)),
            Objective::AbsoluteError(t) => each(t, &|z, t| (z - t).signum()),
            Objective::Quantile(t, share) => each(t, &|z, t| match z < t {
                true => -share,
                false => 1.0 - share,
            }),
            Objective::Poisson(t) => each(t, &|z, t| 2.0 * (z.exp() - t)),
        }
    }
}

/// The target as a distribution over `classes`.
fn truth(label: usize, smoothing: f64, classes: usize) -> Vec<f64> {
    let mut truth = vec![smoothing / classes as f64; classes];
    truth[label] += 1.0 - smoothing;
    truth
}

/// The mean of `f` over pairs.
fn mean(z: &[f64], t: &[f64], f: impl Fn(f64, f64) -> f64) -> f64 {
    let terms = z.iter().zip(t).map(|(&z, &t)| f(z, t));
    terms.sum::<f64>() / z.len() as f64
}

/// `z − ln Σ eᶻ`.
fn log_softmax(z: &[f64]) -> Vec<f64> {
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = z.iter().map(|z| (z - largest).exp()).sum();
    z.iter().map(|z| z - largest - sum.ln()).collect()
}

impl Reference {
    /// The inputs of the layer after hidden layer `layer`, for the affine outputs `z` of the latter.
    fn hidden_outputs(&self, layer: usize, z: &[f64]) -> Vec<f64> {
        let y = z.iter().map(|&z| self.activate(z));
        match self.masks.get(layer) {
            None => y.collect(),
            Some(mask) => y.zip(mask).map(|(y, m)| y * m).collect(),
        }
    }

    /// The index at which layer `layer` starts in the flat buffer.
    fn start(&self, layer: usize) -> usize {
        // One row of biases, and three of batch normalisation.
        let rows = if self.batch_norm { 4 } else { 1 };
        (0..layer)
            .map(|l| (self.sizes[l] + rows) * self.sizes[l + 1])
            .sum()
    }

    /// The affine outputs `z` of every layer for one sample, normalised in hidden layers with batch normalisation; the
    /// last are the logits.
    ///
    /// Shapes: `x [inputs]`; returns `[out_l]` for each layer l.
    pub fn affine_outputs(&self, x: &[f64]) -> Vec<Vec<f64>> {
        let mut outputs: Vec<Vec<f64>> = Vec::new();
        for layer in 0..self.sizes.len() - 1 {
            let (fan_in, fan_out) = (self.sizes[layer], self.sizes[layer + 1]);
            let start = self.start(layer);
            let input = match outputs.last() {
                None => x.to_vec(),
                Some(z) => self.hidden_outputs(layer - 1, z),
            };
            let z = (0..fan_out)
                .map(|j| {
                    let products =
                        (0..fan_in).map(|i| input[i] * self.parameters[start + i * fan_out + j]);
                    if self.batch_norm && layer + 2 < self.sizes.len() {
                        return self.normalize_running(layer, j, products.sum());
                    }
                    products.sum::<f64>() + self.parameters[start + fan_in * fan_out + j]
                })
                .collect();
            outputs.push(z);
        }
        outputs
    }

    /// The cross-entropy of one sample, in nats.
    ///
    /// Shapes: `x [inputs]`.
    pub fn loss(&self, x: &[f64], label: usize) -> f64 {
        let smoothing = 0.0;
        self.loss_of(x, Objective::CrossEntropy { label, smoothing })
    }

    /// The given objective for one sample.
    ///
    /// Shapes: `x [inputs]`.
    pub fn loss_of(&self, x: &[f64], objective: Objective) -> f64 {
        let outputs = self.affine_outputs(x);
        objective.loss(&outputs[outputs.len() - 1])
    }

    /// The gradient of the loss of one sample by backpropagation
    /// (D. Rumelhart, G. Hinton and R. Williams, *Learning representations by back-propagating errors*, 1986).
    ///
    /// Shapes: `x [inputs]`; returns `[parameters]`.
    pub fn gradient(&self, x: &[f64], label: usize) -> Vec<f64> {
        let smoothing = 0.0;
        self.gradient_of(x, Objective::CrossEntropy { label, smoothing })
    }

    /// The gradient of any objective for one sample by backpropagation.
    ///
    /// Shapes: `x [inputs]`; returns `[parameters]`.
    pub fn gradient_of(&self, x: &[f64], objective: Objective) -> Vec<f64> {
        let outputs = self.affine_outputs(x);
        let mut gradient = vec![0.0; self.parameters.len()];
        let mut dz = objective.gradient(&outputs[outputs.len() - 1]);
        for layer in (0..self.sizes.len() - 1).rev() {
            let (fan_in, fan_out) = (self.sizes[layer], self.sizes[layer + 1]);
            let start = self.start(layer);
            let input: Vec<f64> = match layer {
                0 => x.to_vec(),
                _ => self.hidden_outputs(layer - 1, &outputs[layer - 1]),
            };
            let mut dx = vec![0.0; fan_in];
            for j in 0..fan_out {
                gradient[start + fan_in * fan_out + j] += dz[j];
                for i in 0..fan_in {
                    gradient[start + i * fan_out + j] += input[i] * dz[j];
                    dx[i] += dz[j] * self.parameters[start + i * fan_out + j];
                }
            }
            if layer > 0 {
                if let Some(mask) = self.masks.get(layer - 1) {
                    dx.iter_mut().zip(mask).for_each(|(d, m)| *d *= m);
                }
                let before = outputs[layer - 1].iter().zip(&dx);
                dz = before
                    .map(|(&z, d)| d * self.activate_derivative(z))
                    .collect();
            }
        }
        gradient
    }

    /// The gradient of the loss of one sample by central differences, `(f(w + h) − f(w − h)) / 2h`.
    ///
    /// Shapes: `x [inputs]`; returns `[parameters]`.
    pub fn gradient_by_differences(&self, x: &[f64], label: usize, h: f64) -> Vec<f64> {
        let smoothing = 0.0;
        self.differences_of(x, Objective::CrossEntropy { label, smoothing }, h)
    }

    /// The gradient of any objective for one sample by central differences.
    ///
    /// Shapes: `x [inputs]`; returns `[parameters]`.
    pub fn differences_of(&self, x: &[f64], objective: Objective, h: f64) -> Vec<f64> {
        let mut moved = self.clone();
        (0..self.parameters.len())
            .map(|at| {
                moved.parameters[at] = self.parameters[at] + h;
                let above = moved.loss_of(x, objective);
                moved.parameters[at] = self.parameters[at] - h;
                let below = moved.loss_of(x, objective);
                moved.parameters[at] = self.parameters[at];
                (above - below) / (2.0 * h)
            })
            .collect()
    }
}
