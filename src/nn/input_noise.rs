//! Gaussian noise on inputs in training. Evaluation adds none.

use bytemuck::cast_slice_mut;
use multiversion::multiversion;
use rand::Rng;

use crate::kernels;
use crate::random::Xoshiro256PlusPlus;

/// Deviates drawn at a time.
const DRAWS: usize = 256;

/// `x = x + σ z`, with 32 bits of the generator for each z from N(0, 1).
///
/// Shapes: `x [active columns]`, in place.
pub(super) fn add_normal(x: &mut [f32], deviation: f32, generator: &mut Xoshiro256PlusPlus) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, row_stream};

    #[test]
    fn noise_has_mean_zero_and_its_deviation() {
        let count = 200_000;
        let mut x = vec![0.0; count];
        let mut generator = row_stream(1, Purpose::InputNoise, 0, 0, 0);
        add_normal(&mut x, 0.5, &mut generator);
        let mean =
            |power: i32| x.iter().map(|&x| f64::from(x).powi(power)).sum::<f64>() / count as f64;
        assert!(mean(1).abs() < 0.004);
        assert!((mean(2) - 0.25).abs() < 0.003);
    }
}
