//! How the workers of a team divide the work on a batch.
//!
//! A layer may be divided by rows or by units. By rows, a worker takes rows of the batch through all layers and back:
//! activations stay with the worker, but every worker reads all weights, and what one worker updates travels to the
//! caches of all others in every step. By units, a worker computes some units of a layer for all rows: their weights
//! and the optimiser's slots never leave its caches, but activations travel, and the workers meet after every layer.
//! Which moves less depends on the batch: a layer of `in · out` weights moves its weights or `rows · out` activations.
//!
//! The layers from the first to the last one that is worth it are divided by units, and the rest by rows. If the rest is
//! one narrow layer, such as the last one of a classifier, it is divided by inputs instead: each worker multiplies the
//! units that it has computed, and adds the products to the sums of the worker before it, so that only these sums travel.
//! Then all workers compute the loss. With more workers than units can be divided among, each group of units is computed
//! by several workers, which divide the rows.

use std::ops::Range;

use super::spec::Spec;
use crate::compute::phases::Share;
use crate::compute::shared::LINE;

/// Rows are divided in multiples of the largest tile, or of the largest group of rows whose zeros are found together.
const ROWS: usize = 32;
/// How many cache lines of units a worker must have at least in a layer that is worth dividing.
const MIN_LINES: usize = 2;

/// A division of the layers of a network, and of the rows of a batch, among the workers of a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    threads: usize,
    unit_groups: usize,
    divided: usize,
    last_by_inputs: bool,
}

impl Partition {
    /// All layers by rows.
    pub fn by_rows(threads: usize) -> Partition {
        Partition {
            threads,
            unit_groups: 1,
            divided: 0,
            last_by_inputs: false,
        }
    }

    /// Divides the layers of `spec` for batches of `rows` rows among `threads` workers in `unit_groups` groups of
    /// units. Layers that are not worth it are divided by rows; with batch normalisation, whose statistics belong to
    /// rows, all are.
    ///
    /// # Panics
    /// Panics if the groups do not divide the threads.
    pub fn new(spec: &Spec, rows: usize, threads: usize, unit_groups: usize) -> Partition {
        assert!(
            unit_groups > 0 && threads.is_multiple_of(unit_groups),
            "{unit_groups} groups of {threads} threads"
        );
        let is_worth_it = |index: usize| {
            let layer = &spec.layers()[index];
            // Where as many lines travel either way: see docs/performance.md. The transposed weights of a hidden layer
            // travel by rows, and a part of them by units.
            let moves_less = match index {
                0 => layer.fan_in > 2 * rows,
                _ => 3 * layer.fan_in > 4 * rows,
            };
            layer.fan_out >= MIN_LINES * LINE * unit_groups && moves_less
        };
        let layers = 0..spec.layers().len();
        let last = layers.rev().find(|&index| is_worth_it(index));
        match last {
            Some(last) if unit_groups > 1 && !spec.batch_norm() => Partition {
                threads,
                unit_groups,
                divided: last + 1,
                last_by_inputs: last + 2 == spec.layers().len() && {
                    let layer = &spec.layers()[last + 1];
                    // The sums of a row travel on their way through all workers and back, and its units and their
                    // gradients would travel to the worker with the row and back.
                    let lines = |width: usize| width.div_ceil(LINE);
                    lines(layer.fan_in) >= MIN_LINES * unit_groups * lines(layer.fan_out)
                },
            },
            _ => Partition::by_rows(threads),
        }
    }

    /// The number of groups of units that suits `spec`, batches of `rows` rows and `threads` workers: as many as there
    /// are workers if every worker then has enough units of the widest layer, otherwise the largest part of them.
    pub fn suggested_groups(spec: &Spec, rows: usize, threads: usize) -> usize {
        let groups = (1..=threads)
            .rev()
            .filter(|&groups| threads.is_multiple_of(groups));
        let mut worthy = groups.filter(|&groups| {
            let partition = Partition::new(spec, rows, threads, groups);
            // Each worker of a group has its own rows, of which there must be enough for all.
            partition.divided > 0 && rows.div_ceil(ROWS) >= partition.row_groups()
        });
        worthy.next().unwrap_or(1)
    }

    /// The number of workers.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The number of layers, from the first one on, that are divided by units.
    pub fn divided(&self) -> usize {
        self.divided
    }

    /// Whether the last layer is divided by inputs, and all others by units.
    pub fn last_by_inputs(&self) -> bool {
        self.last_by_inputs
    }

    /// Whether each output of a layer is used only by the worker that computes it.
    pub fn keeps_outputs(&self, layer: usize) -> bool {
        self.last_by_inputs && layer + 1 == self.divided
    }

    /// Whether each gradient at a layer's outputs is used only by the worker that computes it.
    pub fn keeps_gradients(&self, layer: usize) -> bool {
        layer == 0 && (self.last_by_inputs || self.divided > 1)
    }

    /// Whether a worker uses only what it has computed itself from the loss to the end of the update.
    pub fn updates_apart(&self) -> bool {
        self.last_by_inputs && self.divided == 1 && self.row_groups() == 1
    }

    /// The number of groups of units, and of copies of the inputs; 1 if no layer is divided by units.
    pub fn unit_groups(&self) -> usize {
        self.unit_groups
    }

    /// The number of groups of rows in layers that are divided by units.
    pub fn row_groups(&self) -> usize {
        self.threads / self.unit_groups
    }

    /// The number of groups of units in a layer.
    pub fn groups_of(&self, layer: usize) -> usize {
        match layer < self.divided {
            true => self.unit_groups,
            false => 1,
        }
    }

    /// The units of a worker in layers that are divided by units.
    pub fn share(&self, worker: usize) -> Share {
        Share {
            index: worker % self.unit_groups,
            of: self.unit_groups,
        }
    }

    /// The rows of a worker, of `rows`, in layers that are divided by units.
    pub fn rows(&self, worker: usize, rows: usize) -> Range<usize> {
        let (group, lines) = (worker / self.unit_groups, rows.div_ceil(ROWS));
        let edge = |group: usize| (group * lines / self.row_groups() * ROWS).min(rows);
        edge(group)..edge(group + 1)
    }

    /// A worker's part of `count` pieces that all workers share, in equal parts as far as possible.
    pub fn part(&self, worker: usize, count: usize) -> Range<usize> {
        worker * count / self.threads..(worker + 1) * count / self.threads
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Activation;

    fn spec(inputs: usize, hidden: &[usize], outputs: usize) -> Spec {
        Spec::new(inputs, hidden, outputs, Activation::Relu).expect("a spec")
    }

    #[test]
    fn wide_layers_are_divided_by_units_and_the_last_ones_by_rows() {
        let divided =
            |spec: &Spec, rows, threads| Partition::new(spec, rows, threads, threads).divided;
        assert_eq!(divided(&spec(784, &[100], 10), 128, 2), 1);
        assert_eq!(divided(&spec(784, &[512, 256], 10), 128, 2), 2);
        // A wide layer at the end, behind a narrow one.
        assert_eq!(divided(&spec(784, &[256, 20, 256], 784), 128, 2), 4);
        // More rows than weights of a unit, or too few units.
        assert_eq!(divided(&spec(784, &[100], 10), 5000, 2), 0);
        assert_eq!(divided(&spec(784, &[100], 10), 128, 16), 0);
        assert_eq!(divided(&spec(4, &[32, 16], 4), 32, 2), 0);
        assert_eq!(divided(&spec(784, &[100], 10), 128, 1), 0);
        let normalized = spec(784, &[100], 10).with_batch_norm(true).expect("a spec");
        assert_eq!(divided(&normalized, 128, 2), 0);
    }

    #[test]
    fn narrow_last_layers_are_divided_by_inputs() {
        let by_inputs = |spec: &Spec, threads| {
            let partition = Partition::new(spec, 128, threads, threads);
            partition.last_by_inputs()
        };
        assert!(by_inputs(&spec(784, &[100], 10), 2));
        assert!(by_inputs(&spec(784, &[512, 256], 10), 4));
        // More outputs than units, a layer between, and no layer that is divided by units.
        assert!(!by_inputs(&spec(784, &[100], 60), 2));
        assert!(!by_inputs(&spec(784, &[256, 20], 10), 2));
        assert!(!by_inputs(&spec(4, &[32], 4), 2));
    }

    #[test]
    fn workers_that_units_cannot_be_divided_among_divide_rows() {
        let seed = spec(784, &[100], 10);
        assert_eq!(Partition::suggested_groups(&seed, 128, 2), 2);
        assert_eq!(Partition::suggested_groups(&seed, 128, 3), 3);
        assert_eq!(Partition::suggested_groups(&seed, 128, 8), 2);
        assert_eq!(Partition::suggested_groups(&seed, 32, 8), 1);
        assert_eq!(
            Partition::suggested_groups(&spec(784, &[2048], 10), 128, 64),
            64
        );
    }

    #[test]
    fn every_row_and_unit_belongs_to_one_worker() {
        let spec = spec(784, &[300], 10);
        for (threads, groups) in [(1, 1), (2, 2), (6, 3), (8, 4), (7, 7)] {
            for rows in [1, 31, 100, 128, 1000] {
                let partition = Partition::new(&spec, rows, threads, groups);
                let mut owners = vec![0; rows * 300];
                for worker in 0..threads {
                    let units = partition.share(worker).columns(300);
                    for row in partition.rows(worker, rows) {
                        owners[row * 300..][units.clone()]
                            .iter_mut()
                            .for_each(|n| *n += 1);
                    }
                }
                assert!(owners.iter().all(|&n| n == 1), "{partition:?}, {rows} rows");
            }
        }
    }
}
