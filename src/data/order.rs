//! The order in which an epoch visits the training set.
//!
//! Usually it is a full permutation. A file that is larger than memory would then be read page by page from all over the
//! disk, so for such a file there is a permutation within windows: the file is cut into blocks, the blocks are shuffled,
//! several consecutive blocks of that order form a window, and the samples of a window are shuffled among themselves.
//! The blocks of the next window can then be read ahead, each in one go, and those of earlier windows given back.
//!
//! The order depends only on the seed and the number of the epoch, so that any epoch can be reached directly.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use rand::seq::SliceRandom;

use super::rows::Rows;
use crate::random::{Purpose, stream};

/// Blocks in a window: enough to separate neighbours in the file, and few enough to be large.
const BLOCKS: usize = 16;

/// A permutation of the samples of a training set.
#[derive(Debug)]
pub struct Order {
    samples: Vec<u32>,
    windows: Option<Windows>,
}

/// The file cut into blocks, in the order of this epoch.
#[derive(Debug, Clone)]
struct Windows {
    blocks: Vec<u32>,
    /// The start of each window in the order.
    starts: Vec<usize>,
    /// Samples of a block; the last block of the file may have fewer.
    block: usize,
    /// Samples of the file.
    samples: usize,
}

impl Order {
    /// Returns the order of the file, before any shuffle. With a `window`, shuffles stay within windows of about that
    /// many samples.
    ///
    /// # Panics
    /// Panics if `samples` does not fit 32 bits.
    pub fn new(samples: usize, window: Option<usize>) -> Order {
        let count = u32::try_from(samples).expect("rows are counted in 32 bits");
        Order {
            samples: (0..count).collect(),
            windows: window.map(|window| Windows::new(samples, window.div_ceil(BLOCKS))),
        }
    }

    /// Sets the order of `epoch` under `seed`: a permutation drawn uniformly (Fisher and Yates), of all samples or of
    /// those of each window. The earlier order does not matter.
    pub fn shuffle(&mut self, seed: u64, epoch: usize) {
        let mut rng = stream(seed, Purpose::Shuffle, epoch as u32);
        let Some(windows) = &mut self.windows else {
            self.samples
                .iter_mut()
                .zip(0..)
                .for_each(|(sample, position)| *sample = position);
            self.samples.shuffle(&mut rng);
            return;
        };
        windows.blocks.sort_unstable();
        windows.blocks.shuffle(&mut rng);
        windows.starts.clear();
        let mut end = 0;
        for window in 0..windows.blocks.len().div_ceil(BLOCKS) {
            let start = end;
            windows.starts.push(start);
            for sample in windows.blocks_of(window).flatten() {
                self.samples[end] = sample as u32;
                end += 1;
            }
            self.samples[start..end].shuffle(&mut rng);
        }
    }

    /// Returns the samples in this order, to be taken one mini-batch after the other.
    pub fn samples(&self) -> &[u32] {
        &self.samples
    }

    /// Runs `work`, which reports the position in this order of the next samples, while a thread reads `rows` ahead of
    /// it. Without windows there is nothing to read ahead, and no thread.
    pub fn reading_ahead<R>(
        &self,
        rows: &Rows,
        work: impl FnOnce(&mut (dyn FnMut(usize) + Send)) -> R,
    ) -> R {
        let Some(windows) = &self.windows else {
            return work(&mut |_| {});
        };
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let (send, receive) = mpsc::channel();
            let over = &over;
            let read = move || {
                let mut reader = Reader::new(windows, rows, over);
                receive.into_iter().for_each(|window| reader.enter(window));
            };
            // Without the reader, training is slower and otherwise the same.
            let _ = thread::Builder::new().spawn_scoped(scope, read);
            let mut last = None;
            let done = work(&mut move |position| {
                let window = windows.of(position);
                if last != Some(window) {
                    last = Some(window);
                    let _ = send.send(window);
                }
            });
            // Whatever stopped the work must not wait for rows that are no longer needed.
            over.store(true, Ordering::Relaxed);
            done
        })
    }
}

impl Windows {
    fn new(samples: usize, block: usize) -> Windows {
        let count = u32::try_from(samples.div_ceil(block)).expect("no more blocks than samples");
        Windows {
            blocks: (0..count).collect(),
            starts: Vec::new(),
            block,
            samples,
        }
    }

    /// Returns the window that contains a position of the order.
    fn of(&self, position: usize) -> usize {
        self.starts.partition_point(|&start| start <= position) - 1
    }

    /// Returns the samples of each block of a window, and nothing beyond the last window.
    fn blocks_of(&self, window: usize) -> impl Iterator<Item = Range<usize>> {
        let blocks = self.blocks.chunks(BLOCKS).nth(window).unwrap_or_default();
        blocks.iter().map(|&block| {
            let start = block as usize * self.block;
            start..(start + self.block).min(self.samples)
        })
    }
}

/// Keeps the window in use and the one after it in memory.
struct Reader<'a> {
    windows: &'a Windows,
    rows: &'a Rows,
    /// The first window that has not been read.
    next: usize,
    /// Whether no more rows are needed.
    over: &'a AtomicBool,
}

impl<'a> Reader<'a> {
    fn new(windows: &'a Windows, rows: &'a Rows, over: &'a AtomicBool) -> Reader<'a> {
        Reader {
            windows,
            rows,
            next: 0,
            over,
        }
    }

    /// Called when `window` comes into use: gives back the one before, then reads this one and the one after, unless
    /// that was done before.
    fn enter(&mut self, window: usize) {
        if let Some(done) = window.checked_sub(1) {
            let blocks = self.windows.blocks_of(done);
            blocks.for_each(|samples| self.rows.give_back(samples));
        }
        for ahead in self.next.max(window)..window + 2 {
            for samples in self.windows.blocks_of(ahead) {
                if self.over.load(Ordering::Relaxed) {
                    return;
                }
                self.rows.read_ahead(samples);
            }
        }
        self.next = window + 2;
    }
}

impl Drop for Reader<'_> {
    /// Gives everything back, as the next epoch may begin elsewhere.
    fn drop(&mut self) {
        self.rows.give_back(0..self.windows.samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order_of(epoch: usize, window: Option<usize>) -> Vec<u32> {
        let mut order = Order::new(1003, window);
        order.shuffle(9, 1);
        order.shuffle(9, epoch);
        order.samples().to_vec()
    }

    #[test]
    fn an_epoch_visits_every_sample_once() {
        for window in [None, Some(1), Some(16), Some(100), Some(1002)] {
            let mut seen = order_of(2, window);
            seen.sort_unstable();
            assert_eq!(seen, (0..1003).collect::<Vec<u32>>(), "{window:?}");
        }
    }

    #[test]
    fn the_order_depends_only_on_the_seed_and_the_epoch() {
        for window in [None, Some(160)] {
            assert_eq!(order_of(2, window), order_of(2, window));
            assert_ne!(order_of(2, window), order_of(3, window));
            let mut direct = Order::new(1003, window);
            direct.shuffle(9, 2);
            assert_eq!(direct.samples, order_of(2, window));
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
            let samples = &order.samples()[start..end];
            let mut blocks: Vec<u32> = samples.iter().map(|sample| sample / block).collect();
            let changes = blocks.windows(2).filter(|pair| pair[0] != pair[1]);
            assert!(
                changes.count() > samples.len() / 2,
                "{samples:?} are not mixed"
            );
            blocks.sort_unstable();
            blocks.dedup();
            assert!(blocks.len() <= BLOCKS, "{blocks:?}");
        }
    }
}
