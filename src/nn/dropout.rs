//! Noise in training: dropout of inputs and hidden units, and Gaussian noise on inputs. Evaluation never sees any.
//!
//! A row's draws are its generator's alone ([`row_stream`]): made before the row goes forward, whoever takes it, and kept
//! beside the activations until it is back. A hidden layer's outputs stay as they are, since its derivative is taken from
//! them; what the next layer sees is a copy with some of the units dropped.

use std::ops::Range;

use bytemuck::cast_slice_mut;
use multiversion::multiversion;
use rand::Rng;

use super::network::Activations;
use super::spec::Spec;
use crate::compute::shared::{Matrix, RowsMut};
use crate::error::Result;
use crate::kernels;
use crate::random::{Purpose, Xoshiro256PlusPlus, row_stream};

/// Draws made at a time for a row of inputs: these are not kept.
const DRAWS: usize = 256;

/// What a run does to inputs and hidden units while it trains; by default nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Noise {
    /// Where all draws come from.
    pub seed: u64,
    /// Standard deviation of the noise on inputs, in units of the scaled inputs.
    pub inputs: f32,
    /// Dropout of inputs, noise included.
    pub input_dropout: Option<Dropout>,
    /// Dropout of the units of every hidden layer.
    pub dropout: Option<Dropout>,
}

impl Noise {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.inputs == 0.0 && self.input_dropout.is_none() && self.dropout.is_none()
    }

    /// Makes the draws of `rows` in step `step`, counted from the run's beginning: `x = (x + σ z) ⊙ m / keep` for inputs,
    /// with z from N(0, 1) and m from {0, 1}, and the draws that hidden layers use in [`super::Network::forward`].
    ///
    /// Overwrites the inputs of these rows.
    ///
    /// # Safety
    /// Until the next barrier these rows are this worker's alone.
    pub unsafe fn draw(&self, activations: &Activations, step: u64, rows: Range<usize>) {
        let stream = |purpose, layer, row| row_stream(self.seed, purpose, layer, step, row);
        // SAFETY: the caller's promise.
        let mut inputs = unsafe { activations.inputs(rows.clone()) };
        for (row, x) in rows.clone().zip(inputs.iter_mut()) {
            if self.inputs > 0.0 {
                add_normal(x, self.inputs, &mut stream(Purpose::InputNoise, 0, row));
            }
            if let Some(dropout) = self.input_dropout {
                dropout.drop_inputs(x, &mut stream(Purpose::Dropout, 0, row));
            }
        }
        let Some(dropped) = &activations.dropped else {
            return;
        };
        for (layer, draws) in (1..).zip(&dropped.draws) {
            // SAFETY: the caller's promise.
            let mut draws = unsafe { draws.rows_mut(rows.clone()) };
            for (row, draws) in rows.clone().zip(draws.iter_mut()) {
                draw_units(draws, &mut stream(Purpose::Dropout, layer, row));
            }
        }
    }
}

/// Inverted dropout: a unit is 0 with probability p, else multiplied by `1 / (1 − p)`, so that its mean stays
/// (N. Srivastava and others, *Dropout: A Simple Way to Prevent Neural Networks from Overfitting*, 2014).
///
/// A unit takes 16 bits of its row's generator, in order, and is dropped where they are below `65536 p`: p is a multiple of
/// 1/65536, and the factor is that of the p in force.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    below: u16,
    scale: f32,
}

impl Dropout {
    /// That of the nearest multiple of 1/65536, or none where this is 0.
    ///
    /// # Panics
    /// When `probability` is not from 0 to below 1.
    pub fn new(probability: f32) -> Option<Dropout> {
        assert!(
            (0.0..1.0).contains(&probability),
            "dropout of {probability}"
        );
        // Something is always kept.
        let below = (65_536.0 * probability).round().min(65_535.0) as u16;
        (below > 0).then(|| Dropout {
            below,
            scale: 65_536.0 / (65_536.0 - f32::from(below)),
        })
    }

    /// Shapes: `x [active columns]`, in place.
    fn drop_inputs(self, x: &mut [f32], generator: &mut Xoshiro256PlusPlus) {
        let mut draws = [0; DRAWS];
        for x in x.chunks_mut(DRAWS) {
            let draws = &mut draws[..x.len()];
            draw_units(draws, generator);
            drop_in_place(self.below, self.scale, draws, x);
        }
    }
}

/// What dropout needs beside the activations of a batch.
#[derive(Debug)]
pub(super) struct Dropped {
    dropout: Dropout,
    /// 16 bits for each unit of each hidden layer, `[rows, out_l]`.
    draws: Vec<Matrix<u16>>,
    /// Each hidden layer's outputs with some of them dropped, `[rows, out_l]`.
    outputs: Vec<Matrix>,
}

impl Dropped {
    pub(super) fn zeroed(dropout: Dropout, spec: &Spec, rows: usize) -> Result<Dropped> {
        let widths = spec.layers()[1..].iter().map(|layer| layer.fan_in);
        let draws = widths.clone().map(|width| Matrix::zeroed(rows, width));
        let outputs = widths.map(|width| Matrix::zeroed(rows, width));
        Ok(Dropped {
            dropout,
            draws: draws.collect::<Result<_>>()?,
            outputs: outputs.collect::<Result<_>>()?,
        })
    }

    /// What the layer behind `layer` takes.
    pub(super) fn output(&self, layer: usize) -> &Matrix {
        &self.outputs[layer]
    }

    /// `x = y ⊙ m / keep` for the outputs `y` of hidden layer `layer`, counted from 0.
    ///
    /// Shapes: `y [rows, out]`. Overwrites the dropped outputs of these rows.
    ///
    /// # Safety
    /// Until the next barrier these rows are this worker's alone.
    pub(super) unsafe fn forward(&self, layer: usize, rows: Range<usize>, y: &Matrix) {
        let Dropout { below, scale } = self.dropout;
        // SAFETY: the caller's promise.
        let (y, draws, x) = unsafe {
            (
                y.rows(rows.clone()),
                self.draws[layer].rows(rows.clone()),
                self.outputs[layer].rows_mut(rows),
            )
        };
        drop_units(below, scale, draws.values, y.values, x.values);
    }

    /// `dy = dx ⊙ m / keep`, in place.
    ///
    /// Shapes: `dx [rows, out]`. Overwrites `dx`.
    ///
    /// # Safety
    /// As [`Dropped::forward`].
    pub(super) unsafe fn backward(&self, layer: usize, rows: Range<usize>, dx: RowsMut) {
        let Dropout { below, scale } = self.dropout;
        // SAFETY: the caller's promise.
        let draws = unsafe { self.draws[layer].rows(rows) };
        drop_in_place(below, scale, draws.values, dx.values);
    }
}

/// 16 bits a unit, the lowest ones of each number first.
fn draw_units(draws: &mut [u16], generator: &mut Xoshiro256PlusPlus) {
    generator.fill_bytes(cast_slice_mut(draws));
    // The same draws on machines that count bytes from the other end.
    draws
        .iter_mut()
        .for_each(|draw| *draw = u16::from_le(*draw));
}

/// `x = x + σ z`, with 32 bits of the generator for each z from N(0, 1).
fn add_normal(x: &mut [f32], deviation: f32, generator: &mut Xoshiro256PlusPlus) {
    let mut bits = [0; DRAWS];
    for x in x.chunks_mut(DRAWS) {
        let bits = &mut bits[..x.len()];
        generator.fill_bytes(cast_slice_mut(bits));
        add_deviates(deviation, bits, x);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn add_deviates(deviation: f32, bits: &[u32], x: &mut [f32]) {
    for (x, bits) in x.iter_mut().zip(bits) {
        *x += deviation * kernels::normal_deviate(u32::from_le(*bits));
    }
}

/// Runs over the padding between rows too, where draws are 0 and so everything is dropped.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn drop_units(below: u16, scale: f32, draws: &[u16], y: &[f32], x: &mut [f32]) {
    for ((x, y), draw) in x.iter_mut().zip(y).zip(draws) {
        *x = if *draw < below { 0.0 } else { y * scale };
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn drop_in_place(below: u16, scale: f32, draws: &[u16], x: &mut [f32]) {
    for (x, draw) in x.iter_mut().zip(draws) {
        *x = if *draw < below { 0.0 } else { *x * scale };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_is_that_of_the_probability_in_force() {
        assert_eq!(Dropout::new(0.0), None);
        assert_eq!(Dropout::new(1e-6), None);
        let of = |probability| Dropout::new(probability).expect("above 0");
        assert_eq!(
            of(0.5),
            Dropout {
                below: 32_768,
                scale: 2.0
            }
        );
        assert_eq!(
            of(0.25),
            Dropout {
                below: 16_384,
                scale: 4.0 / 3.0
            }
        );
        assert_eq!(
            of(0.999_999_9),
            Dropout {
                below: 65_535,
                scale: 65_536.0
            }
        );
    }

    #[test]
    fn draws_do_not_depend_on_how_many_are_made_at_a_time() {
        let stream = || row_stream(1, Purpose::Dropout, 0, 2, 3);
        let dropout = Dropout::new(0.3).expect("above 0");
        let mut x = [1.0; 3 * DRAWS + 7];
        dropout.drop_inputs(&mut x, &mut stream());
        let mut draws = [0; 3 * DRAWS + 7];
        draw_units(&mut draws, &mut stream());
        for (x, draw) in x.into_iter().zip(draws) {
            assert_eq!(
                x,
                if draw < dropout.below {
                    0.0
                } else {
                    dropout.scale
                }
            );
        }
    }

    #[test]
    fn inputs_keep_their_mean_and_noise_has_its_deviation() {
        let count = 200_000;
        let mean = |x: &[f32], power: i32| {
            x.iter().map(|&x| f64::from(x).powi(power)).sum::<f64>() / count as f64
        };
        let mut x = vec![1.0; count];
        let dropout = Dropout::new(0.2).expect("above 0");
        dropout.drop_inputs(&mut x, &mut row_stream(1, Purpose::Dropout, 0, 0, 0));
        // The mean of so many deviates from 1 by 0.0011, that is √(0.2 / 0.8 / count).
        assert!((mean(&x, 1) - 1.0).abs() < 0.004);
        let mut x = vec![0.0; count];
        add_normal(
            &mut x,
            0.5,
            &mut row_stream(1, Purpose::InputNoise, 0, 0, 0),
        );
        assert!(mean(&x, 1).abs() < 0.004);
        assert!((mean(&x, 2) - 0.25).abs() < 0.003);
    }
}
