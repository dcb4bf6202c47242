//! Every tile shape of every instruction set against scalar arithmetic.

use super::*;
use crate::compute::shared::BlockMut;
use crate::compute::simd::finish_streaming;
use crate::kernels;

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let draw = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..count).map(draw).collect()
}

#[test]
fn rows_are_transposed_with_zeros_for_those_that_are_missing() {
    for set in InstructionSet::all_detected() {
        let lanes = set.lanes();
        let from_row = 3 * lanes;
        let from = numbers(lanes * from_row, 7);
        let shapes = (1..=lanes).flat_map(|r| (1..=3 * lanes).map(move |c| (r, c)));
        for ((rows, columns), to_row) in
            shapes.flat_map(|shape| [(shape, lanes + 5), (shape, 2 * lanes)])
        {
            for stores in [Stores::Cached, Stores::Streaming] {
                let mut buffer = vec![f32::NAN; 3 * lanes * to_row + lanes];
                // Streaming stores are used at multiples of a register.
                let first = buffer.as_ptr().align_offset(lanes * size_of::<f32>());
                let to = &mut buffer[first..][..3 * lanes * to_row];
                let out = (to.as_mut_ptr(), to_row);
                // SAFETY: (1) `to` has more rows of `to_row` floats, and belongs to this thread. (2) The next statement.
                unsafe { set.transpose((&from, from_row), (rows, columns), out, stores) };
                finish_streaming();
                for (at, found) in to.iter().enumerate() {
                    let (column, row) = (at / to_row, at % to_row);
                    let expected = match (column < columns && row < lanes, row < rows) {
                        (false, _) => f32::NAN,
                        (true, true) => from[row * from_row + column],
                        (true, false) => 0.0,
                    };
                    assert_eq!(
                        found.to_bits(),
                        expected.to_bits(),
                        "{set:?} {rows}×{columns} {stores:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn only_denormal_lanes_become_zero() {
    let least = f32::MIN_POSITIVE;
    let cases = [
        (least, least),
        (-least, -least),
        (least.next_down(), 0.0),
        (-1e-40, 0.0),
        (1.0, 1.0),
        (0.0, 0.0),
        (f32::INFINITY, f32::INFINITY),
    ];
    for set in InstructionSet::all_detected() {
        let columns = set.lanes();
        for (before, after) in cases {
            let (mut w, mut v) = (vec![0.0f32; columns], vec![before; columns]);
            let zeros = vec![0.0f32; columns];
            let operand = |k| Operand {
                values: &zeros,
                row: 0,
                k,
            };
            let sink = Sink::Momentum {
                sums: None,
                w: BlockMut::of_slice(&mut w, columns),
                v: BlockMut::of_slice(&mut v, columns),
                momentum: 1.0,
                learning_rate: 0.0,
            };
            set.tiles((1, 1), 1, operand(1), operand(columns), sink);
            assert!(v.iter().all(|&v| v == after), "{set:?}: {before}");
            assert_eq!(after, kernels::flush(before));
        }
    }
    assert!(kernels::flush(f32::NAN).is_nan());
}

#[test]
fn nan_stays_nan_in_its_lane_in_either_sink() {
    for set in InstructionSet::all_detected() {
        let columns = set.lanes();
        // One lane in the middle; its neighbours must not change.
        let mut b = vec![1.0f32; columns];
        b[columns / 2 + 1] = f32::NAN;
        let a_at = Operand {
            values: &[1.0],
            row: 0,
            k: 1,
        };
        let b_at = Operand {
            values: &b,
            row: 0,
            k: columns,
        };
        let (mut c, mut w, mut v) = (b.clone(), vec![0.0; columns], vec![0.0; columns]);
        let store = Sink::Store {
            c: BlockMut::of_slice(&mut c, columns),
        };
        let update = Sink::Momentum {
            sums: None,
            w: BlockMut::of_slice(&mut w, columns),
            v: BlockMut::of_slice(&mut v, columns),
            momentum: 0.5,
            learning_rate: 0.5,
        };
        for sink in [store, update] {
            set.tiles((1, 1), 1, a_at, b_at, sink);
        }
        for (lane, b) in b.iter().enumerate() {
            let found = [c[lane], v[lane], w[lane]].map(f32::is_nan);
            assert_eq!(found, [b.is_nan(); 3], "{set:?}, lane {lane}");
        }
    }
}

/// Every tile shape of every instruction set with both sinks, against a scalar chain of `f32::mul_add`.
#[test]
fn every_tile_has_the_bits_of_a_scalar_chain() {
    let depth = 37;
    for set in InstructionSet::all_detected() {
        for rows in 1..=set.tile_rows() {
            for registers in 1..=set.tile_registers() {
                let columns = registers * set.lanes();
                let (a, b) = (numbers(rows * depth, 1), numbers(depth * columns, 2));
                let (w, v) = (numbers(rows * columns, 3), numbers(rows * columns, 4));
                let (momentum, learning_rate) = (0.7f32, 0.3f32);
                let (mut c, mut new_w, mut new_v) = (vec![0.0; w.len()], w.clone(), v.clone());
                let a_at = Operand {
                    values: &a,
                    row: depth,
                    k: 1,
                };
                let b_at = Operand {
                    values: &b,
                    row: 0,
                    k: columns,
                };
                let store = Sink::Store {
                    c: BlockMut::of_slice(&mut c, columns),
                };
                let update = Sink::Momentum {
                    sums: None,
                    w: BlockMut::of_slice(&mut new_w, columns),
                    v: BlockMut::of_slice(&mut new_v, columns),
                    momentum,
                    learning_rate,
                };
                for sink in [store, update] {
                    set.tiles((rows, registers), depth, a_at, b_at, sink);
                }
                for at in 0..w.len() {
                    let (row, column) = (at / columns, at % columns);
                    let sum = (0..depth).fold(0.0f32, |sum, k| {
                        a[row * depth + k].mul_add(b[k * columns + column], sum)
                    });
                    let velocity = momentum.mul_add(v[at], sum);
                    let weight = (-learning_rate).mul_add(velocity, w[at]);
                    let found = [c[at], new_v[at], new_w[at]].map(f32::to_bits);
                    let expected = [sum, velocity, weight].map(f32::to_bits);
                    assert_eq!(found, expected, "{set:?} {rows}×{registers} at {at}");
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "a tile beyond b")]
fn a_tile_does_not_reach_beyond_its_operands() {
    let Some(set) = InstructionSet::detect() else {
        panic!("a tile beyond b: nothing to test on this processor");
    };
    let short = vec![0.0; 2 * set.lanes() - 1];
    let operand = |k| Operand {
        values: &short,
        row: 0,
        k,
    };
    let mut c = vec![0.0; set.lanes()];
    let sink = Sink::Store {
        c: BlockMut::of_slice(&mut c, set.lanes()),
    };
    set.tiles((1, 1), 2, operand(1), operand(set.lanes()), sink);
}
