//! How a batch is cut into the blocks of rows that workers take.
//!
//! Matrix libraries may sum in another order if a product has another number of rows, so for them the cut depends only
//! on the batch size. The native kernels compute each element with the same bits whatever the other rows are, so for
//! them the cut may depend on the number of threads. That matters if the weights do not fit into a core's cache,
//! because every block reads all of them. With batch normalisation a block is a shard, whose rows share their
//! statistics.

use std::ops::Range;

use crate::compute::Engine;
use crate::nn::Spec;
use crate::nn::batch_norm::Shards;
use crate::nn::loss::ROWS_TOGETHER;

/// The rows of the largest tile of the native kernels.
const TILE_ROWS: usize = 8;
/// Weights up to this size, in bytes, stay in a core's own cache from one block to the next.
const CACHED_WEIGHTS: usize = 768 << 10;
/// Activations up to this size, in bytes, stay in the nearest cache.
const CACHED_ACTIVATIONS: usize = 24 << 10;
/// The fewest rows with which a product of a library is fast.
const MIN_LIBRARY_ROWS: usize = 32;
/// The most blocks of a batch for a library.
const MAX_LIBRARY_BLOCKS: usize = 64;

/// The most rows of sparse inputs in a block: more do not make it faster.
const MAX_SPARSE_BLOCK: usize = 128;

/// The blocks of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blocks {
    /// Blocks of `block` rows each, except that the last may be shorter.
    Equal { rows: usize, block: usize },
    /// One block for each shard.
    Shards(Shards),
}

impl Blocks {
    /// Cuts a batch of `rows` into blocks that start at multiples of `group` rows; the group is 1 except for sparse
    /// inputs, which only the native engine has.
    pub(super) fn new(
        spec: &Spec,
        engine: Engine,
        (rows, group): (usize, usize),
        threads: usize,
    ) -> Blocks {
        if spec.batch_norm() {
            return Blocks::Shards(Shards::of(rows));
        }
        let native = engine == Engine::Native;
        let cached = 4 * spec.parameters() <= CACHED_WEIGHTS;
        let each = rows.div_ceil(threads);
        let block = match (native, cached) {
            // Each block reads the weights from a cache that is farther than the one its products need.
            _ if group > 1 => each.min(MAX_SPARSE_BLOCK).next_multiple_of(group),
            (true, true) => whole_rows(cached_rows(spec).min(each)),
            (true, false) => each.next_multiple_of(TILE_ROWS),
            (false, _) => rows.div_ceil(MAX_LIBRARY_BLOCKS).max(MIN_LIBRARY_ROWS),
        };
        Blocks::Equal { rows, block }
    }

    /// The number of blocks.
    pub(super) fn count(self) -> usize {
        match self {
            Blocks::Equal { rows, block } => rows.div_ceil(block),
            Blocks::Shards(shards) => shards.count(),
        }
    }

    /// The rows of a block.
    pub(super) fn rows(self, block: usize) -> Range<usize> {
        match self {
            Blocks::Equal { rows, block: size } => {
                let start = block * size;
                start..(start + size).min(rows)
            }
            Blocks::Shards(shards) => shards.rows(block),
        }
    }
}

/// At least so many rows, in whole tiles; if they are many, in as many as losses are computed for together.
fn whole_rows(rows: usize) -> usize {
    match rows > ROWS_TOGETHER {
        true => rows.next_multiple_of(ROWS_TOGETHER),
        false => rows.next_multiple_of(TILE_ROWS),
    }
}

/// The rows of a block whose activations and gradients stay in the nearest cache, at least one; the calls for a block take as long as
/// some rows of a small network.
fn cached_rows(spec: &Spec) -> usize {
    let widths: usize = spec
        .layers()
        .iter()
        .map(|layer| layer.fan_in + 2 * layer.fan_out)
        .sum();
    (CACHED_ACTIVATIONS / (4 * widths)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Activation;

    #[test]
    fn blocks_cover_the_rows_and_depend_on_threads_only_for_the_native_engine() {
        for (inputs, hidden, batch_norm) in [
            (784, 100, false),
            (784, 2000, false),
            (784, 100, true),
            (50_000, 1, false),
        ] {
            let spec = Spec::new(inputs, &[hidden], 10, Activation::Relu).expect("a spec");
            let spec = spec.with_batch_norm(batch_norm).expect("a spec");
            for engine in [Engine::Native, Engine::Openblas, Engine::Portable] {
                for rows in [1, 7, 8, 33, 65, 128, 5000] {
                    for threads in [1, 2, 3, 64] {
                        let blocks = Blocks::new(&spec, engine, (rows, 1), threads);
                        let covered: usize =
                            (0..blocks.count()).map(|b| blocks.rows(b).len()).sum();
                        assert_eq!(covered, rows);
                        assert_eq!(blocks.rows(blocks.count() - 1).end, rows);
                        let same = blocks == Blocks::new(&spec, engine, (rows, 1), 1);
                        assert!(same || (engine == Engine::Native && !batch_norm));
                    }
                }
            }
        }
    }
}
