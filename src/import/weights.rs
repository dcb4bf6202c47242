//! The parameters of an imported network. Batch normalisation that is not kept is folded into the linear layer that follows
//! or precedes it, which computes the same numbers up to rounding.

use super::modules::{Linear, Norm};
use super::numbers::{Converted, read};
use super::supplied::WeightShape;
use crate::compute::normalization::EPSILON;
use crate::data::fit_scaling::expected_instead;
use crate::error::Result;
use crate::nn::Spec;
use crate::tensors::TensorFile;

/// A layer with the batch normalisation around it.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// On its inputs, in order: indices.
    pub inputs: Vec<usize>,
    /// Between it and its activation, in order: indices.
    pub outputs: Vec<usize>,
}

/// What becomes of batch normalisation and of missing biases.
pub(super) struct Source<'a, 'b> {
    pub file: &'a TensorFile<'b>,
    /// In their order.
    pub linears: &'a [Linear<'b>],
    pub shape: WeightShape,
    pub norms: &'a [Norm<'b>],
    /// The number added to variances; `None` for the default of the names.
    pub epsilon: Option<f64>,
    /// For each layer.
    pub around: &'a [Around],
}

/// The number that PyTorch adds to variances by default.
pub(super) const EPSILON_OF_PYTORCH: f64 = 1e-5;
/// The number that Keras adds to variances by default.
pub(super) const EPSILON_OF_KERAS: f64 = 1e-3;

/// A batch normalisation: `y = γ (x − mean) / √(var + ε) + β`.
struct Statistics {
    gamma: Vec<f64>,
    beta: Vec<f64>,
    mean: Vec<f64>,
    variance: Vec<f64>,
    epsilon: f64,
}

impl Statistics {
    /// `y = scale · x + shift` for each unit.
    fn affine(&self) -> Vec<(f64, f64)> {
        let units = self.gamma.iter().zip(&self.variance);
        let scales = units.map(|(gamma, variance)| gamma / (variance + self.epsilon).sqrt());
        let rest = self.mean.iter().zip(&self.beta);
        let pairs = scales.zip(rest);
        pairs
            .map(|(scale, (mean, beta))| (scale, beta - mean * scale))
            .collect()
    }
}

impl Source<'_, '_> {
    /// Returns the parameters of the network `spec`.
    ///
    /// # Errors
    /// Returns [`crate::Error::Model`] if a number is NaN or infinite, or is so after folding, and for a variance that is
    /// too small to be normalised by.
    pub(super) fn parameters(&self, spec: &Spec, converted: &mut Converted) -> Result<Vec<f32>> {
        let mut parameters = vec![0.0; spec.parameters()];
        for (index, layer) in spec.layers().iter().enumerate() {
            let (linear, around) = (&self.linears[index], &self.around[index]);
            let mut weight = self.weight(linear, converted)?;
            let mut bias = match &linear.bias {
                Some(bias) => read(self.file, &bias.name, &bias.tensor, converted)?,
                None => vec![0.0; layer.fan_out],
            };
            // The last one is the nearest.
            for &norm in around.inputs.iter().rev() {
                let pairs = self.statistics(norm, converted)?.affine();
                fold_inputs(&mut weight, &mut bias, &pairs);
            }
            let (flat_weight, flat_bias) = layer.split_mut(&mut parameters);
            let kept = match layer.is_normalized() {
                true => Some(self.statistics(around.outputs[0], converted)?),
                false => {
                    for &norm in &around.outputs {
                        let pairs = self.statistics(norm, converted)?.affine();
                        fold_outputs(&mut weight, &mut bias, &pairs);
                    }
                    None
                }
            };
            let name = &linear.weight.name;
            self.round(name, &weight, flat_weight)?;
            let Some(kept) = kept else {
                self.round(name, &bias, flat_bias)?;
                continue;
            };
            // The bias moves the mean, and the shift takes its place.
            let mean: Vec<f64> = kept.mean.iter().zip(&bias).map(|(m, b)| m - b).collect();
            let epsilon = f64::from(EPSILON);
            let variance = kept.variance.iter().map(|variance| match kept.epsilon {
                EPSILON_OF_PYTORCH => *variance,
                // This network adds its own.
                other => variance + other - epsilon,
            });
            let variance: Vec<f64> = variance.collect();
            self.round(name, &kept.beta, flat_bias)?;
            let norm = layer.norm_mut(&mut parameters).expect("a normalised layer");
            let name = &self.norms[around.outputs[0]].variance.name;
            if let Some(at) = variance.iter().position(|variance| *variance < 0.0) {
                let found = format!("element {at} is {}", kept.variance[at]);
                return Err(self.file.refuse_tensor(name, found, "a larger variance"));
            }
            self.round(name, &kept.gamma, norm.gamma)?;
            self.round(name, &mean, norm.mean)?;
            self.round(name, &variance, norm.variance)?;
        }
        Ok(parameters)
    }

    /// Returns the weights `[in · out]`.
    fn weight(&self, linear: &Linear, converted: &mut Converted) -> Result<Vec<f64>> {
        let weight = &linear.weight;
        let numbers = read(self.file, &weight.name, &weight.tensor, converted)?;
        let [rows, columns] = linear.shape;
        Ok(match self.shape {
            WeightShape::InOut => numbers,
            WeightShape::OutIn => {
                let of_column = |column: usize| (0..rows).map(move |row| row * columns + column);
                let order = (0..columns).flat_map(of_column);
                order.map(|at| numbers[at]).collect()
            }
        })
    }

    fn statistics(&self, norm: usize, converted: &mut Converted) -> Result<Statistics> {
        let norm = &self.norms[norm];
        let mut or = |named: &Option<super::modules::Named>, default: f64| match named {
            Some(named) => read(self.file, &named.name, &named.tensor, converted),
            None => Ok(vec![default; norm.width]),
        };
        let (gamma, beta) = (or(&norm.scale, 1.0)?, or(&norm.shift, 0.0)?);
        let epsilon = self.epsilon.unwrap_or(match norm.is_keras {
            true => EPSILON_OF_KERAS,
            false => EPSILON_OF_PYTORCH,
        });
        let mean = read(self.file, &norm.mean.name, &norm.mean.tensor, converted)?;
        let named = &norm.variance;
        let variance = read(self.file, &named.name, &named.tensor, converted)?;
        let is_bad = |variance: &f64| *variance < 0.0 || variance + epsilon <= 0.0;
        if let Some(at) = variance.iter().position(is_bad) {
            let found = format!("element {at} is {}", variance[at]);
            let expected = "variances of at least 0";
            return Err(self.file.refuse_tensor(&named.name, found, expected));
        }
        Ok(Statistics {
            gamma,
            beta,
            mean,
            variance,
            epsilon,
        })
    }

    /// Rounds numbers that belong to the tensor `name`.
    fn round(&self, name: &str, from: &[f64], to: &mut [f32]) -> Result<()> {
        for (from, to) in from.iter().zip(to) {
            *to = *from as f32;
            if !to.is_finite() {
                let found = format!("{from:e} after batch normalisation");
                let expected = expected_instead(*from, "finite numbers");
                return Err(self.file.refuse_tensor(name, found, expected));
            }
        }
        Ok(())
    }
}

/// `w = s w` and `b = b + t w`, for inputs `s x + t`.
///
/// Shapes: `weight [in · out]`, `bias [out]`, `pairs [in]`.
fn fold_inputs(weight: &mut [f64], bias: &mut [f64], pairs: &[(f64, f64)]) {
    for (row, (scale, shift)) in weight.chunks_exact_mut(bias.len()).zip(pairs) {
        for (w, b) in row.iter_mut().zip(bias.iter_mut()) {
            *b += shift * *w;
            *w *= scale;
        }
    }
}

/// `w = w s` and `b = b s + t`, for outputs `s z + t`.
///
/// Shapes: `weight [in · out]`, `bias [out]`, `pairs [out]`.
fn fold_outputs(weight: &mut [f64], bias: &mut [f64], pairs: &[(f64, f64)]) {
    for row in weight.chunks_exact_mut(pairs.len()) {
        row.iter_mut()
            .zip(pairs)
            .for_each(|(w, (scale, _))| *w *= scale);
    }
    for (b, (scale, shift)) in bias.iter_mut().zip(pairs) {
        *b = *b * scale + shift;
    }
}
