//! Dropout of inputs and hidden units in training. Evaluation drops nothing.
//!
//! The outputs of a hidden layer stay as they are, because the derivative of the activation is taken from them; the
//! next layer sees a copy with some units dropped.

use bytemuck::cast_slice_mut;
use multiversion::multiversion;
use rand::Rng;

use super::network::in_groups;
use super::partition::Partition;
use super::spec::Spec;
use crate::compute::phases::OwnRows;
use crate::compute::shared::{Block, BlockMut, Matrix, Rows};
use crate::error::Result;
use crate::random::Xoshiro256PlusPlus;

/// Draws made at a time for a row of inputs, which are not kept.
const DRAWS: usize = 256;

/// Inverted dropout: a unit is 0 with probability p, otherwise multiplied by `1 / (1 − p)`, so that its mean stays
/// (N. Srivastava and others, *Dropout: A Simple Way to Prevent Neural Networks from Overfitting*, 2014).
///
/// A unit takes 16 bits of its row's generator, in order, and is dropped if they are below `65536 p`. So p is rounded
/// to a multiple of 1/65536, and the factor is that of the rounded p.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    below: u16,
    scale: f32,
}

impl Dropout {
    /// Dropout with the nearest multiple of 1/65536 as its probability, or `None` if that is 0.
    ///
    /// # Panics
    /// Panics if `probability` is not at least 0 and below 1.
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

    /// Drops inputs: `x = x ⊙ m / (1 − p)`, with m from {0, 1}.
    ///
    /// Shapes: `x [active columns]`, in place.
    pub(super) fn drop_inputs(self, x: &mut [f32], generator: &mut Xoshiro256PlusPlus) {
        let mut draws = [0; DRAWS];
        for x in x.chunks_mut(DRAWS) {
            let draws = &mut draws[..x.len()];
            draw_units(draws, generator);
            drop_in_place(self.below, self.scale, draws, x);
        }
    }
}

/// The draws of dropout for the hidden units of a batch, and the outputs that remain.
#[derive(Debug)]
pub(super) struct Dropped {
    dropout: Dropout,
    /// 16 bits for each unit of each hidden layer, `[copies · rows of a copy, out_l]`: a copy for each share of the
    /// units, so that no draws travel from worker to worker.
    draws: Vec<Matrix<u16>>,
    rows_of_copy: usize,
    /// The outputs of each hidden layer with some of them dropped, `[rows, out_l]`, in groups if the layer's outputs
    /// are.
    outputs: Vec<Matrix>,
}

impl Dropped {
    pub(super) fn zeroed(
        dropout: Dropout,
        spec: &Spec,
        rows_of_copy: usize,
        partition: &Partition,
    ) -> Result<Dropped> {
        let copies = partition.unit_groups();
        let widths = spec.layers()[1..].iter().map(|layer| layer.fan_in);
        let draws = widths
            .clone()
            .map(|width| Matrix::zeroed(copies * rows_of_copy, width));
        let outputs =
            widths
                .enumerate()
                .map(|(layer, width)| match partition.keeps_outputs(layer) {
                    true => in_groups((rows_of_copy, width), copies),
                    false => Matrix::zeroed(rows_of_copy, width),
                });
        Ok(Dropped {
            dropout,
            rows_of_copy,
            draws: draws.collect::<Result<_>>()?,
            outputs: outputs.collect::<Result<_>>()?,
        })
    }

    /// Makes the draws of these rows for this worker's share of the units, with the generator that `stream` returns for
    /// each layer, counted from 1, and row.
    pub(super) fn draw(
        &self,
        rows: &mut OwnRows,
        stream: impl Fn(usize, usize) -> Xoshiro256PlusPlus,
    ) {
        let range = rows.range();
        for (layer, draws) in (1..).zip(&self.draws) {
            let mut draws = rows.own_copy_mut(draws, self.rows_of_copy);
            for (row, draws) in range.clone().zip(draws.iter_mut()) {
                draw_units(draws, &mut stream(layer, row));
            }
        }
    }

    /// The outputs of a hidden layer that the next layer sees.
    pub(super) fn output(&self, layer: usize) -> &Matrix {
        &self.outputs[layer]
    }

    /// `x = y ⊙ m / (1 − p)` for the outputs `y` of hidden layer `layer`, counted from 0.
    ///
    /// Shapes: `y [rows, out]`. Overwrites the dropped outputs of these rows.
    pub(super) fn forward(&self, layer: usize, rows: &mut OwnRows, y: &Matrix) {
        let columns = rows.share().columns(y.width());
        let ([y], [x], draws) = rows.blocks_and_copy(
            [y],
            [&self.outputs[layer]],
            &self.draws[layer],
            self.rows_of_copy,
        );
        drop_units(self.dropout, draws, columns.start, y, x);
    }

    /// The gradient of [`Dropped::forward`], in place: `dy = dx ⊙ m / (1 − p)`.
    ///
    /// Shapes: `dx [rows, out]`. Overwrites `dx` with `dy`.
    pub(super) fn backward(&self, layer: usize, rows: &mut OwnRows, dx: &Matrix) {
        let columns = rows.share().columns(dx.width());
        let ([], [dx], draws) =
            rows.blocks_and_copy([], [dx], &self.draws[layer], self.rows_of_copy);
        drop_units_in_place(self.dropout, draws, columns.start, dx);
    }
}

/// Draws 16 bits per unit, the lowest ones of each number of the generator first.
fn draw_units(draws: &mut [u16], generator: &mut Xoshiro256PlusPlus) {
    generator.fill_bytes(cast_slice_mut(draws));
    // The same draws on big-endian machines.
    draws
        .iter_mut()
        .for_each(|draw| *draw = u16::from_le(*draw));
}

/// Drops the units from column `first` on. Also covers the padding up to a cache line, where draws are 0 and
/// everything is dropped.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn drop_units(dropout: Dropout, draws: Rows<u16>, first: usize, y: Block, mut x: BlockMut) {
    let Dropout { below, scale } = dropout;
    for row in 0..x.rows() {
        let draws = &draws.values[row * draws.stride + first..];
        let units = x.row_of_lines(row).iter_mut().zip(y.row_of_lines(row));
        for ((x, y), draw) in units.zip(draws) {
            *x = if *draw < below { 0.0 } else { y * scale };
        }
    }
}

/// [`drop_units`] in place.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn drop_units_in_place(dropout: Dropout, draws: Rows<u16>, first: usize, mut x: BlockMut) {
    let Dropout { below, scale } = dropout;
    for row in 0..x.rows() {
        let draws = &draws.values[row * draws.stride + first..];
        for (x, draw) in x.row_of_lines(row).iter_mut().zip(draws) {
            *x = if *draw < below { 0.0 } else { *x * scale };
        }
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
    use crate::random::{Purpose, row_stream};

    #[test]
    fn the_factor_is_that_of_the_rounded_probability() {
        assert_eq!(Dropout::new(0.0), None);
        assert_eq!(Dropout::new(1e-6), None);
        for (probability, below, scale) in [
            (0.5, 32_768, 2.0),
            (0.25, 16_384, 4.0 / 3.0),
            (0.999_999_9, 65_535, 65_536.0),
        ] {
            let expected = Dropout { below, scale };
            assert_eq!(Dropout::new(probability), Some(expected));
        }
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
            let dropped = draw < dropout.below;
            assert_eq!(x, if dropped { 0.0 } else { dropout.scale });
        }
    }

    #[test]
    fn dropped_inputs_keep_their_mean() {
        let count = 200_000;
        let mut x = vec![1.0; count];
        let dropout = Dropout::new(0.2).expect("above 0");
        dropout.drop_inputs(&mut x, &mut row_stream(1, Purpose::Dropout, 0, 0, 0));
        let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / count as f64;
        // The standard deviation of the mean is √(0.2 / 0.8 / count), or 0.0011.
        assert!((mean - 1.0).abs() < 0.004);
    }
}
