//! One sweep over all parameters: sum the shards' gradients in their order, then update.
//!
//! The sweep is cut into stretches that fit a core's first cache and shared out over the workers. Each element
//! is summed first shard to last, whoever does it, so the bits do not depend on the number of workers.

use multiversion::multiversion;
use rayon::prelude::*;

use crate::optim::Sgd;

/// Parameters in a stretch: the three buffers of it take 96 KiB, and a layer's worth of them spreads over
/// several workers.
const STRETCH: usize = 8192;

/// `g = Σ_shards gradients`, then the optimiser's update.
///
/// Shapes: `parameters`, `velocity`, each of `gradients [parameters]`; at least one gradient. Overwrites
/// `parameters`, `velocity` and the first gradient, which then holds the sum.
pub(super) fn reduce_and_update(
    sgd: Sgd,
    parameters: &mut [f32],
    velocity: &mut [f32],
    gradients: &mut [Vec<f32>],
) {
    let (first, others) = gradients.split_first_mut().expect("a batch has a shard");
    let others = &*others;
    parameters
        .par_chunks_mut(STRETCH)
        .zip(velocity.par_chunks_mut(STRETCH))
        .zip(first.par_chunks_mut(STRETCH))
        .enumerate()
        .for_each(|(stretch, ((parameters, velocity), sum))| {
            let start = stretch * STRETCH;
            for other in others {
                add(sum, &other[start..start + sum.len()]);
            }
            sgd.update(parameters, velocity, sum);
        });
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn add(sum: &mut [f32], other: &[f32]) {
    for (sum, other) in sum.iter_mut().zip(other) {
        *sum += other;
    }
}
