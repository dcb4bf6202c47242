//! The order in which an epoch visits the training set: a full permutation.
//!
//! An epoch's order depends on the seed and the epoch's number alone, so that any epoch can be reached
//! without walking through those before it.

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

    /// The items in this order, to be taken a mini-batch after the other.
    pub fn items(&self) -> &[u32] {
        &self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order_of(epoch: usize) -> Vec<u32> {
        let mut order = Order::new(103);
        order.shuffle(9, 1);
        order.shuffle(9, epoch);
        order.items().to_vec()
    }

    #[test]
    fn every_item_comes_once_an_epoch() {
        let mut seen = order_of(2);
        seen.sort_unstable();
        assert_eq!(seen, (0..103).collect::<Vec<u32>>());
    }

    #[test]
    fn an_epochs_order_depends_on_seed_and_epoch_alone() {
        assert_eq!(order_of(2), order_of(2));
        assert_ne!(order_of(2), order_of(3));
        let mut direct = Order::new(103);
        direct.shuffle(9, 2);
        assert_eq!(direct.items, order_of(2));
    }
}
