//! The order in which an epoch visits the training set.
//!
//! Usually a full permutation. A file that is larger than memory would be read page by page from all over the disk; for
//! it there is a permutation within windows: the file is cut into blocks, the blocks are shuffled, some of them at a
//! time make a window, and the items of a window are shuffled among themselves. Then the next window's blocks can be
//! read ahead, each in one go, and those of windows past be given back.
//!
//! An epoch's order depends on the seed and the epoch's number alone, so that any epoch can be reached without walking
//! through those before it.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use rand::seq::SliceRandom;

use super::idx::IdxFile;
use crate::random::{Purpose, stream};

/// Blocks in a window: enough for neighbours in the file to part, and few enough to be large.
const BLOCKS: usize = 16;

/// A permutation of the items of a training set.
#[derive(Debug)]
pub struct Order {
    items: Vec<u32>,
    windows: Option<Windows>,
}

/// The file cut into blocks, in this epoch's order.
#[derive(Debug, Clone)]
struct Windows {
    blocks: Vec<u32>,
    /// Where each window begins in the order.
    starts: Vec<usize>,
    /// Items of a block; the file's last block may have fewer.
    block: usize,
    /// Items of the file.
    items: usize,
}

impl Order {
    /// The order of the file, before any shuffle. With a `window` of some items, shuffles stay within windows of about
    /// as many.
    ///
    /// # Panics
    /// When `items` does not fit the format's 32 bits.
    pub fn new(items: usize, window: Option<usize>) -> Order {
        let count = u32::try_from(items).expect("an IDX file counts its items in 32 bits");
        Order {
            items: (0..count).collect(),
            windows: window.map(|window| Windows::new(items, window.div_ceil(BLOCKS))),
        }
    }

    /// Sets the order of `epoch` under `seed`: a uniform draw among all permutations (Fisher and Yates), of all items
    /// or of each window's. What stood here before does not matter.
    pub fn shuffle(&mut self, seed: u64, epoch: usize) {
        let mut rng = stream(seed, Purpose::Shuffle, epoch as u32);
        let Some(windows) = &mut self.windows else {
            self.items
                .iter_mut()
                .zip(0..)
                .for_each(|(item, place)| *item = place);
            self.items.shuffle(&mut rng);
            return;
        };
        windows.blocks.sort_unstable();
        windows.blocks.shuffle(&mut rng);
        windows.starts.clear();
        let mut end = 0;
        for window in 0..windows.blocks.len().div_ceil(BLOCKS) {
            let start = end;
            windows.starts.push(start);
            for item in windows.item_ranges(window).flatten() {
                self.items[end] = item as u32;
                end += 1;
            }
            self.items[start..end].shuffle(&mut rng);
        }
    }

    /// The items in this order, to be taken a mini-batch after the other.
    pub fn items(&self) -> &[u32] {
        &self.items
    }

    /// Does `work`, which says the place in this order of the items that come next, while a thread reads `file` ahead of
    /// it. Where the order has no windows there is nothing to read ahead, and no thread.
    pub fn reading_ahead<R>(
        &self,
        file: &IdxFile,
        work: impl FnOnce(&mut (dyn FnMut(usize) + Send)) -> R,
    ) -> R {
        let Some(windows) = &self.windows else {
            return work(&mut |_| {});
        };
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let (send, receive) = mpsc::channel();
            let over = &over;
            scope.spawn(move || {
                let mut reader = Reader::new(windows, file, over);
                receive.into_iter().for_each(|window| reader.at(window));
            });
            let mut last = None;
            let done = work(&mut move |place| {
                let window = windows.of(place);
                if last != Some(window) {
                    last = Some(window);
                    // A reader that is gone is missed by its speed alone.
                    let _ = send.send(window);
                }
            });
            // Whoever stopped the work must not wait for what nobody needs any more.
            over.store(true, Ordering::Relaxed);
            done
        })
    }
}

impl Windows {
    fn new(items: usize, block: usize) -> Windows {
        let count = u32::try_from(items.div_ceil(block)).expect("no more blocks than items");
        Windows {
            blocks: (0..count).collect(),
            starts: Vec::new(),
            block,
            items,
        }
    }

    /// The window that a place of the order lies in.
    fn of(&self, place: usize) -> usize {
        self.starts.partition_point(|&start| start <= place) - 1
    }

    /// The items of each block of a window; nothing beyond the last window.
    fn item_ranges(&self, window: usize) -> impl Iterator<Item = Range<usize>> {
        let blocks = self.blocks.chunks(BLOCKS).nth(window).unwrap_or_default();
        blocks.iter().map(|&block| {
            let start = block as usize * self.block;
            start..(start + self.block).min(self.items)
        })
    }
}

/// Keeps the window that is in use, and the one after, in memory.
struct Reader<'a> {
    windows: &'a Windows,
    file: &'a IdxFile,
    /// The first window that has not been read.
    next: usize,
    /// Whether nothing more is needed.
    over: &'a AtomicBool,
}

impl<'a> Reader<'a> {
    fn new(windows: &'a Windows, file: &'a IdxFile, over: &'a AtomicBool) -> Reader<'a> {
        Reader {
            windows,
            file,
            next: 0,
            over,
        }
    }

    /// `window` is in use now: gives the one before back, then reads it and the one after, where that was not done
    /// before.
    fn at(&mut self, window: usize) {
        if let Some(done) = window.checked_sub(1) {
            let items = self.windows.item_ranges(done);
            items.for_each(|items| self.file.give_back(items));
        }
        for ahead in self.next.max(window)..window + 2 {
            for items in self.windows.item_ranges(ahead) {
                if self.over.load(Ordering::Relaxed) {
                    return;
                }
                self.file.read_ahead(items);
            }
        }
        self.next = window + 2;
    }
}

impl Drop for Reader<'_> {
    /// Gives everything back: what comes next may lie elsewhere.
    fn drop(&mut self) {
        self.file.give_back(0..self.windows.items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order_of(epoch: usize, window: Option<usize>) -> Vec<u32> {
        let mut order = Order::new(1003, window);
        order.shuffle(9, 1);
        order.shuffle(9, epoch);
        order.items().to_vec()
    }

    #[test]
    fn every_item_comes_once_an_epoch() {
        for window in [None, Some(1), Some(16), Some(100), Some(1002)] {
            let mut seen = order_of(2, window);
            seen.sort_unstable();
            assert_eq!(seen, (0..1003).collect::<Vec<u32>>(), "{window:?}");
        }
    }

    #[test]
    fn an_epochs_order_depends_on_seed_and_epoch_alone() {
        for window in [None, Some(160)] {
            assert_eq!(order_of(2, window), order_of(2, window));
            assert_ne!(order_of(2, window), order_of(3, window));
            let mut direct = Order::new(1003, window);
            direct.shuffle(9, 2);
            assert_eq!(direct.items, order_of(2, window));
        }
    }

    #[test]
    fn a_window_takes_few_blocks_of_the_file_and_mixes_them() {
        let (window, block) = (160, 10);
        let mut order = Order::new(1003, Some(window));
        order.shuffle(9, 1);
        let starts = &order.windows.as_ref().expect("windows").starts;
        assert_eq!(starts.len(), 1003usize.div_ceil(window));
        let ends = starts[1..].iter().chain([&1003]);
        for (&start, &end) in starts.iter().zip(ends) {
            let items = &order.items()[start..end];
            let mut blocks: Vec<u32> = items.iter().map(|item| item / block).collect();
            let changes = blocks.windows(2).filter(|pair| pair[0] != pair[1]);
            assert!(changes.count() > items.len() / 2, "{items:?} are not mixed");
            blocks.sort_unstable();
            blocks.dedup();
            assert!(blocks.len() <= BLOCKS, "{blocks:?}");
        }
    }
}
