//! The order in which an epoch visits the training set: a full permutation, cut into mini-batches.
//!
//! An epoch's order depends on the seed and the epoch's number alone, so that any epoch can be reached
//! without walking through those before it.

use std::slice::Chunks;

use rand::seq::SliceRandom;

use crate::random::{Purpose, stream};

/// A permutation of the items of a training set.
#[derive(Debug)]
pub struct Order {
    items: Vec<u32>,
}

impl Order {
    /// The order of the file, before any shuffle.
    ///
    /// # Panics
    /// When `items` does not fit the format's 32 bits.
    pub fn new(items: usize) -> Order {
        let items = u32::try_from(items).expect("an IDX file counts its items in 32 bits");
        Order {
            items: (0..items).collect(),
        }
    }

    /// Sets the order of `epoch` under `seed`: a uniform draw among all permutations
    /// (Fisher and Yates). What stood here before does not matter.
    pub fn shuffle(&mut self, seed: u64, epoch: usize) {
        for (place, item) in self.items.iter_mut().enumerate() {
            *item = place as u32;
        }
        self.items
            .shuffle(&mut stream(seed, Purpose::Shuffle, epoch as u32));
    }

    /// The mini-batches in turn; the last one is shorter where the batch size does not divide the items.
    pub fn batches(&self, batch_size: usize) -> Chunks<'_, u32> {
        self.items.chunks(batch_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches_of(epoch: usize) -> Vec<u32> {
        let mut order = Order::new(103);
        order.shuffle(9, 1);
        order.shuffle(9, epoch);
        order.batches(10).flatten().copied().collect()
    }

    #[test]
    fn every_item_comes_once_an_epoch() {
        let mut seen = batches_of(2);
        seen.sort_unstable();
        assert_eq!(seen, (0..103).collect::<Vec<u32>>());
    }

    #[test]
    fn an_epochs_order_depends_on_seed_and_epoch_alone() {
        assert_eq!(batches_of(2), batches_of(2));
        assert_ne!(batches_of(2), batches_of(3));
        let mut direct = Order::new(103);
        direct.shuffle(9, 2);
        assert_eq!(direct.items, batches_of(2));
    }

    #[test]
    fn the_last_batch_is_ragged() {
        let sizes: Vec<usize> = Order::new(103).batches(10).map(<[u32]>::len).collect();
        assert_eq!(sizes.len(), 11);
        assert_eq!(sizes[10], 3);
    }
}
