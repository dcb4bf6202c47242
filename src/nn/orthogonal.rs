//! Random orthonormal vectors, for initial weights that are a rotation.
//!
//! Gaussian vectors by modified Gram–Schmidt: the QR decomposition whose R has a positive diagonal, which makes all
//! rotations equally likely (F. Mezzadri, *How to Generate Random Matrices from the Classical Compact Groups*, 2007).
//! In `f64`, in which the method's loss of orthogonality is far below the precision of an `f32`. Sums have the same
//! order in every instruction set.

use multiversion::multiversion;
use rand::distr::Distribution;
use rand_distr::StandardNormal;

use crate::random::ChaCha8Rng;

/// The number of vectors that are projected out of the later ones at a time, while these stay in the cache.
const BLOCK: usize = 16;
/// The number of partial sums of a product.
const LANES: usize = 16;

/// Draws `count` orthonormal vectors.
///
/// Shapes: returns `[count, length]`.
///
/// # Panics
/// Panics if there are more vectors than dimensions.
pub(super) fn orthonormal(count: usize, length: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    assert!(count <= length, "{count} vectors of {length} dimensions");
    let draws = StandardNormal.sample_iter(rng).take(count * length);
    let mut vectors: Vec<f64> = draws.collect();
    let mut rest = &mut vectors[..];
    while !rest.is_empty() {
        let (block, later) = rest.split_at_mut(rest.len().min(BLOCK * length));
        for at in (0..block.len()).step_by(length) {
            let (done, vector) = block[..at + length].split_at_mut(at);
            for one in done.chunks_exact(length) {
                project_out(one, vector);
            }
            let norm = dot(vector, vector).sqrt();
            vector.iter_mut().for_each(|x| *x /= norm);
        }
        for vector in later.chunks_exact_mut(length) {
            project_out(block, vector);
        }
        rest = later;
    }
    vectors
}

/// `v = v − Σ (q · v) q` over the orthonormal vectors `q` of a block.
///
/// Shapes: `block [count, length]`, up to [`BLOCK`] vectors, `vector [length]`. Overwrites `vector`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn project_out(block: &[f64], vector: &mut [f64]) {
    let mut products = [0.0; BLOCK];
    let block = block.chunks_exact(vector.len());
    for (product, q) in products.iter_mut().zip(block.clone()) {
        *product = dot(q, vector);
    }
    for (product, q) in products.into_iter().zip(block) {
        vector
            .iter_mut()
            .zip(q)
            .for_each(|(v, q)| *v -= product * q);
    }
}

#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (a, a_end) = a.as_chunks::<LANES>();
    let (b, b_end) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let end: f64 = a_end.iter().zip(b_end).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};

    #[test]
    fn vectors_are_orthonormal() {
        for (count, length) in [(1, 1), (1, 7), (3, 3), (9, 17), (20, 20), (100, 131)] {
            let mut rng = stream(5, Purpose::Init, 0);
            let vectors = orthonormal(count, length, &mut rng);
            assert_eq!(vectors.len(), count * length);
            for (i, a) in vectors.chunks_exact(length).enumerate() {
                for (j, b) in vectors.chunks_exact(length).enumerate() {
                    let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                    let expected = f64::from(u8::from(i == j));
                    assert!(
                        (product - expected).abs() < 1e-12,
                        "{count}×{length}: {i}, {j}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_first_vector_has_the_direction_that_was_drawn() {
        // Then the diagonal of R is positive, and opposite directions are equally likely.
        let drawn: Vec<f64> = StandardNormal
            .sample_iter(stream(5, Purpose::Init, 0))
            .take(9)
            .collect();
        let vectors = orthonormal(4, 9, &mut stream(5, Purpose::Init, 0));
        let length = drawn.iter().map(|x| x * x).sum::<f64>().sqrt();
        for (found, drawn) in vectors.iter().zip(&drawn) {
            assert!((found - drawn / length).abs() < 1e-15);
        }
    }
}
