//! The products of a layer against scalar chains, and with zeros skipped against all terms.

use super::*;
use crate::compute::affine::Bits;
use crate::compute::elements::Elements;
use crate::compute::nonzeros::{MAX_GROUP, Nonzeros};
use crate::compute::phases::{OwnRows, OwnTurn};
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

/// A layer's inputs and gradients, and what it must compute of them: scalar chains of fused multiply-adds.
struct Expected {
    x: Matrix,
    dz: Matrix,
    start: Vec<f32>,
    weight: Vec<f32>,
    z: Vec<f32>,
    dx: Vec<f32>,
}

const MOMENTUM: f32 = 0.7;
const LEARNING_RATE: f32 = 0.3;

/// Two updates, then forward and backward.
fn expected((rows, fan_in, fan_out): (usize, usize, usize)) -> Expected {
    let (mut x, mut dz) = (matrix(rows, fan_in, 1), matrix(rows, fan_out, 2));
    for (row, values) in x.all_mut().iter_mut().enumerate() {
        let zeros = values.iter_mut().enumerate();
        zeros
            .filter(|(i, _)| (row + i) % 3 > 0)
            .for_each(|(_, x)| *x = 0.0);
    }
    let start = numbers(fan_in * fan_out, 3);
    let (mut weight, mut velocity) = (start.clone(), vec![0.0f32; start.len()]);
    let (all_x, all_dz) = (x.all_mut(), dz.all_mut());
    let of_x = |row: usize, i: usize| all_x.values[row * all_x.stride + i];
    let of_dz = |row: usize, j: usize| all_dz.values[row * all_dz.stride + j];
    for at in (0..2).flat_map(|_| 0..start.len()) {
        let (i, j) = (at / fan_out, at % fan_out);
        let gradient = (0..rows).fold(0.0, |sum, row| of_x(row, i).mul_add(of_dz(row, j), sum));
        velocity[at] = MOMENTUM.mul_add(velocity[at], gradient);
        weight[at] = (-LEARNING_RATE).mul_add(velocity[at], weight[at]);
    }
    let w = |i: usize, j: usize| weight[i * fan_out + j];
    let z = (0..rows * fan_out).map(|at| {
        let (row, j) = (at / fan_out, at % fan_out);
        (0..fan_in).fold(0.0f32, |sum, i| of_x(row, i).mul_add(w(i, j), sum))
    });
    let dx = (0..rows * fan_in).map(|at| {
        let (row, i) = (at / fan_in, at % fan_in);
        (0..fan_out).fold(0.0f32, |sum, j| of_dz(row, j).mul_add(w(i, j), sum))
    });
    let (z, dx) = (z.collect(), dx.collect());
    Expected {
        x,
        dz,
        start,
        weight,
        z,
        dx,
    }
}

/// The rows of a matrix without their padding.
fn flat(matrix: &mut Matrix) -> Vec<f32> {
    matrix
        .all_mut()
        .iter_mut()
        .flat_map(|row| row.to_vec())
        .collect()
}

/// Checks a layer with these options against what is expected.
fn check(set: InstructionSet, shape: (usize, usize, usize), of: &Expected, options: AffineOptions) {
    let ((rows, fan_in, fan_out), rule) = (shape, Rule::sgd(MOMENTUM));
    let step = rule.at(1, LEARNING_RATE);
    let sizes = (fan_in, fan_out);
    let layer = NativeLayer::new(&of.start, sizes, options, Keeps::of(&rule), set);
    let mut layer = layer.expect("memory");
    let copies = (1, rows.next_multiple_of(MAX_GROUP));
    let bits = Nonzeros::zeroed((copies, fan_in), MAX_GROUP, true).expect("memory");
    let skips = options.skips_zeros.is_some();
    // SAFETY: (1) and (2) this is the only token at this time.
    bits.find(&mut unsafe { OwnRows::new(0..rows) }, &of.x);
    for piece in (0..2).flat_map(|_| 0..layer.pieces()) {
        // SAFETY: (1) and (2) this is the only token at this time.
        let piece = unsafe { OwnPiece::new(piece) };
        let x = piece.rows(&of.x, 0..rows);
        let input = match skips {
            false => Input::Dense(x),
            true => {
                let bits = Bits::ByFeature(bits.by_feature(&piece, 0, rows));
                Input::Sparse(Elements::Floats(x), bits)
            }
        };
        layer.update(&piece, input, piece.rows(&of.dz, 0..rows), &step);
    }
    let (mut z, mut dx) = (matrix(rows, fan_out, 4), matrix(rows, fan_in, 5));
    let groups = options.unit_groups;
    for share in (0..groups).map(|index| Share { index, of: groups }) {
        // SAFETY: (1) and (2) this is the only token at this time.
        let mut own = unsafe { OwnRows::of_units(0..rows, share) };
        // SAFETY: (1) nobody writes the bits.
        let words = unsafe { bits.words().rows(0..rows) };
        let (x, z, phase) = own.product((&of.x, None), &z);
        let input = match skips {
            false => Input::Dense(x),
            true => Input::Sparse(Elements::Floats(x), Bits::ByRow(words)),
        };
        layer.forward(input, z, share, phase);
        if options.inputs_need_gradient {
            let (dz, dx, phase) = own.product((&of.dz, None), &dx);
            layer.backward(dz, dx, share, phase);
        }
    }
    let mut found = vec![0.0; of.weight.len()];
    layer.copy_weight(&mut found);
    let case = format!("{set:?} {shape:?} {options:?}");
    assert!(found == of.weight, "{case}: weights");
    assert!(flat(&mut z) == of.z, "{case}: z");
    assert!(
        !options.inputs_need_gradient || flat(&mut dx) == of.dx,
        "{case}: dx"
    );
}

/// Shapes with several panels and ragged ends, in one and several groups, with and without skipping zeros, in every
/// instruction set: all have the same bits.
#[test]
fn all_three_products_have_the_bits_of_scalar_chains() {
    for shape in [
        (1, 1, 1),
        (9, 16, 16),
        (13, 70, 129),
        (33, 129, 67),
        (8, 50, 7),
        (DEPTH + 70, 33, 20),
    ] {
        let expected = expected(shape);
        for (set, groups) in InstructionSet::all_detected()
            .into_iter()
            .flat_map(|set| [1, 2, 5].map(|groups| (set, groups)))
        {
            let dense = AffineOptions {
                unit_groups: groups,
                input_groups: groups,
                rows: shape.0,
                ..AffineOptions::default()
            };
            check(set, shape, &expected, dense);
            let sparse = AffineOptions {
                inputs_need_gradient: false,
                skips_zeros: Some(0.0),
                ..dense
            };
            check(set, shape, &expected, sparse);
        }
    }
}

#[test]
fn a_transposed_copy_that_is_written_past_the_caches_has_the_same_bits() {
    let shape = (2, 1030, 2050);
    assert!(shape.1 * shape.2 >= STREAMED);
    let expected = expected(shape);
    let options = AffineOptions {
        rows: shape.0,
        ..AffineOptions::default()
    };
    for set in InstructionSet::all_detected() {
        check(set, shape, &expected, options);
    }
}

/// Workers that divide the inputs continue each other's sums.
#[test]
fn sums_in_turn_have_the_bits_of_scalar_chains() {
    for (shape, shares) in [((9, 70, 7), 2), ((33, 129, 40), 3)] {
        let (rows, fan_in, fan_out) = shape;
        let of = expected(shape);
        for set in InstructionSet::all_detected() {
            let options = AffineOptions {
                by_inputs: true,
                ..AffineOptions::default()
            };
            let sizes = (fan_in, fan_out);
            let layer = NativeLayer::new(&of.weight, sizes, options, Keeps::default(), set);
            let layer = layer.expect("memory");
            let mut z = matrix(rows, fan_out, 4);
            let x = Matrix::zeroed_in_groups((rows, fan_in), (shares, fan_in)).expect("memory");
            for share in (0..shares).map(|index| Share { index, of: shares }) {
                // SAFETY: (1) to (3) this is the only token at this time.
                let mut own = unsafe { OwnRows::of_units(0..rows, share) };
                let ([from], [mut to], _) = own.blocks([&of.x], [&x]);
                for row in 0..rows {
                    let to = to.row(row);
                    to.copy_from_slice(&from.row_of_lines(row)[..to.len()]);
                }
                // SAFETY: (1) this is the only token at this time.
                let mut turn = unsafe { OwnTurn::new(&mut own) };
                let (x, z, phase) = turn.product(&x, &z);
                layer.add_forward(x, z, phase);
            }
            assert!(flat(&mut z) == of.z, "{set:?} {shape:?} {shares} shares");
        }
    }
}
