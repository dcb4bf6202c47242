//! How a batch is cut into shards of rows.
//!
//! The cut depends on the batch size alone, never on the number of threads: floating point sums change with
//! their grouping, and the same command must give the same bits on 1 core and on 64.

/// Fewer rows than this make each product too thin to be worth a gradient buffer of its own.
const MIN_ROWS: usize = 32;

/// More shards than this cost more memory and reduction than they bring: each has its own gradient.
const MAX_SHARDS: usize = 16;

/// Rows of each shard of a batch; the last shard may have fewer.
pub fn shard_rows(batch_size: usize) -> usize {
    batch_size
        .div_ceil(MAX_SHARDS)
        .max(MIN_ROWS)
        .min(batch_size.max(1))
}

/// Shards of a full batch.
pub fn shards(batch_size: usize) -> usize {
    batch_size.div_ceil(shard_rows(batch_size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_the_batch_and_stay_few() {
        for batch_size in 1..5000 {
            let (rows, shards) = (shard_rows(batch_size), shards(batch_size));
            assert!(shards <= MAX_SHARDS);
            assert!(rows * shards >= batch_size && rows * (shards - 1) < batch_size);
        }
    }
}
