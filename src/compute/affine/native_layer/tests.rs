//! The products of a layer against scalar chains, and with zeros skipped against all terms.

use super::*;
use crate::compute::phases::OwnRows;
use crate::compute::shared::Matrix;
use crate::optim::Rule;

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let value = |i: usize| ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 20) as f32;
    (0..count).map(|i| value(i) / 2048.0 - 1.0).collect()
}

fn matrix(rows: usize, width: usize, seed: u32) -> Matrix {
    let mut matrix = Matrix::zeroed(rows, width).expect("memory");
    let values = numbers(rows * width, seed);
    let mut all = matrix.all_mut();
    for (row, values) in all.iter_mut().zip(values.chunks_exact(width)) {
        row.copy_from_slice(values);
    }
    matrix
}

/// Two updates, then forward and backward, for shapes with several panels and ragged ends, against scalar chains
/// of the same fused multiply-adds: the bits are equal in every instruction set.
#[test]
fn all_three_products_have_the_bits_of_scalar_chains() {
    let (momentum, learning_rate) = (0.7f32, 0.3f32);
    let rule = Rule::sgd(momentum);
    let step = rule.at(1, learning_rate);
    for (rows, fan_in, fan_out) in [
        (1, 1, 1),
        (9, 16, 16),
        (13, 70, 129),
        (33, 129, 67),
        (8, 50, 7),
    ] {
        let (x, dz) = (matrix(rows, fan_in, 1), matrix(rows, fan_out, 2));
        // SAFETY: (1) nobody writes these matrices.
        let (x, dz) = unsafe { (x.rows(0..rows), dz.rows(0..rows)) };
        let start = numbers(fan_in * fan_out, 3);
        let (mut weight, mut velocity) = (start.clone(), vec![0.0f32; start.len()]);
        for _ in 0..2 {
            for at in 0..start.len() {
                let (i, j) = (at / fan_out, at % fan_out);
                let gradient = (0..rows).fold(0.0f32, |sum, row| {
                    x.values[row * x.stride + i].mul_add(dz.values[row * dz.stride + j], sum)
                });
                velocity[at] = momentum.mul_add(velocity[at], gradient);
                weight[at] = (-learning_rate).mul_add(velocity[at], weight[at]);
            }
        }
        for set in InstructionSet::all_detected() {
            let mut layer = NativeLayer::new(
                &start,
                (fan_in, fan_out),
                AffineOptions::default(),
                Keeps::of(&rule),
                set,
            )
            .expect("memory");
            let (z, dx) = (matrix(rows, fan_out, 4), matrix(rows, fan_in, 5));
            let mut found = vec![0.0; start.len()];
            for piece in (0..2).flat_map(|_| 0..layer.pieces()) {
                // SAFETY: (1) and (2) this is the only token at this time.
                layer.update(&unsafe { OwnPiece::new(piece) }, x.into(), dz, &step);
            }
            layer.copy_weight(&mut found);
            // SAFETY: (1) and (2) this is the only token from now on.
            let mut own = unsafe { OwnRows::new(0..rows) };
            let ([], [mut z, mut dx], phase) = own.views([], [&z, &dx]);
            layer.forward(x.into(), z.reborrow().into(), Share::ALL, phase);
            layer.backward(dz, dx.reborrow().into(), Share::ALL, phase);
            let case = format!("{set:?} {rows}×{fan_in}×{fan_out}");
            assert_eq!(found, weight, "{case}");
            for row in 0..rows {
                for j in 0..fan_out {
                    let sum = (0..fan_in).fold(0.0f32, |sum, i| {
                        x.values[row * x.stride + i].mul_add(weight[i * fan_out + j], sum)
                    });
                    assert_eq!(z.values[row * z.stride + j], sum, "{case}: z");
                }
                for i in 0..fan_in {
                    let sum = (0..fan_out).fold(0.0f32, |sum, j| {
                        dz.values[row * dz.stride + j].mul_add(weight[i * fan_out + j], sum)
                    });
                    assert_eq!(dx.values[row * dx.stride + i], sum, "{case}: dx");
                }
            }
        }
    }
}
