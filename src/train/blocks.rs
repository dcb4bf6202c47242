//! Which rows of a batch a worker takes at a time.
//!
//! Matrix libraries may sum in another order when a product has another number of rows, so for them the cut depends on
//! the batch size alone. The native kernels give each element the same bits in any company; there the cut may follow
//! the threads, which matters where the weights do not fit a core's cache and every block reads all of them. With
//! batch normalisation a block is a shard, whose statistics its rows share.

use std::ops::Range;

use crate::compute::Engine;
use crate::nn::Spec;
use crate::nn::batch_norm::Shards;

/// Rows of the native kernels' largest tile.
const TILE_ROWS: usize = 8;
/// Weights up to this size stay in a core's own cache from one block to the next, in bytes.
const CACHED_WEIGHTS: usize = 768 << 10;
/// Rows that make a library's product thick enough.
const MIN_LIBRARY_ROWS: usize = 32;
/// Blocks of a large batch.
const MAX_LIBRARY_BLOCKS: usize = 64;

/// Rows cut into blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blocks {
    /// Of `block` rows each, but for the last, which may be shorter.
    Alike { rows: usize, block: usize },
    /// One a shard.
    Shards(Shards),
}

impl Blocks {
    /// The cut of a batch of `rows`.
    pub(super) fn new(spec: &Spec, engine: Engine, rows: usize, threads: usize) -> Blocks {
        if spec.batch_norm() {
            return Blocks::Shards(Shards::of(rows));
        }
        let native = engine == Engine::Native;
        let cached = 4 * spec.parameters() <= CACHED_WEIGHTS;
        let block = match (native, cached) {
            (true, true) => TILE_ROWS,
            (true, false) => rows.div_ceil(threads).next_multiple_of(TILE_ROWS),
            (false, _) => rows.div_ceil(MAX_LIBRARY_BLOCKS).max(MIN_LIBRARY_ROWS),
        };
        Blocks::Alike { rows, block }
    }

    /// Number of blocks.
    pub(super) fn count(self) -> usize {
        match self {
            Blocks::Alike { rows, block } => rows.div_ceil(block),
            Blocks::Shards(shards) => shards.count(),
        }
    }

    /// The rows of a block.
    pub(super) fn rows(self, block: usize) -> Range<usize> {
        match self {
            Blocks::Alike { rows, block: size } => {
                let start = block * size;
                start..(start + size).min(rows)
            }
            Blocks::Shards(shards) => shards.rows(block),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Activation;

    #[test]
    fn blocks_cover_the_rows_and_follow_threads_only_for_the_native_engine() {
        for (hidden, batch_norm) in [(100, false), (2000, false), (100, true)] {
            let spec = Spec::new(784, &[hidden], 10, Activation::Relu).expect("a spec");
            let spec = spec.with_batch_norm(batch_norm).expect("a spec");
            for engine in [Engine::Native, Engine::Openblas, Engine::Portable] {
                for rows in [1, 7, 8, 33, 65, 128, 5000] {
                    for threads in [1, 2, 3, 64] {
                        let blocks = Blocks::new(&spec, engine, rows, threads);
                        let covered: usize =
                            (0..blocks.count()).map(|b| blocks.rows(b).len()).sum();
                        assert_eq!(covered, rows);
                        assert_eq!(blocks.rows(blocks.count() - 1).end, rows);
                        let same = blocks == Blocks::new(&spec, engine, rows, 1);
                        assert!(same || (engine == Engine::Native && !batch_norm));
                    }
                }
            }
        }
    }
}
