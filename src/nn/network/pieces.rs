//! The pieces of the parameters, each of which one worker updates, in the order of the workers they belong to.

use std::ops::Range;

use crate::compute::affine::Affine;
use crate::compute::phases::Share;
use crate::compute::shared::LINE;
use crate::nn::partition::Partition;
use crate::nn::spec::Spec;

/// A piece of the parameters of a layer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// A piece of the weights.
    Weights(usize),
    /// Some of the biases; if these are all, with the batch normalisation of the layer.
    Bias(Share),
}

/// A piece of the parameters of a network.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) layer: usize,
    pub(super) part: Part,
}

/// All pieces of the parameters, and where the terms of the gradient's norm are.
#[derive(Debug)]
pub(super) struct PieceTable {
    places: Vec<Place>,
    /// The pieces of each worker, if layers are divided by units.
    owners: Option<Vec<Range<usize>>>,
    /// For each layer, the terms of its weights, and those of its biases.
    squares: Vec<[Range<usize>; 2]>,
}

impl PieceTable {
    pub(super) fn new(spec: &Spec, layers: &[Affine], partition: &Partition) -> PieceTable {
        let (mut places, mut owners) = (Vec::new(), Vec::new());
        let workers = if partition.divided() > 0 {
            partition.threads()
        } else {
            1
        };
        for worker in 0..workers {
            let start = places.len();
            for (layer, affine) in layers.iter().enumerate() {
                let mut push = |part| places.push(Place { layer, part });
                let (weights, bias) = match partition.last_by_inputs() && layer + 1 == layers.len()
                {
                    true => parts_by_inputs(worker, spec.layers()[layer].fan_in, partition),
                    false => parts_of(worker, affine, layer < partition.divided(), partition),
                };
                weights.for_each(|piece| push(Part::Weights(piece)));
                bias.into_iter().for_each(|share| push(Part::Bias(share)));
            }
            owners.push(start..places.len());
        }
        let (mut squares, mut end) = (Vec::new(), 0);
        for (layer, affine) in spec.layers().iter().zip(layers) {
            // A term for each cache line of biases, and one for the scales of batch normalisation.
            let counts = [affine.squares(), layer.fan_out.div_ceil(LINE) + 1];
            squares.push(counts.map(|count| {
                end += count;
                end - count..end
            }));
        }
        PieceTable {
            places,
            owners: (partition.divided() > 0).then_some(owners),
            squares,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn place(&self, piece: usize) -> Place {
        self.places[piece]
    }

    /// The pieces of a worker of `workers`.
    pub(super) fn of_worker(&self, worker: usize, workers: usize) -> Range<usize> {
        match &self.owners {
            Some(owners) => owners[worker].clone(),
            None => part(self.len(), worker, workers),
        }
    }

    /// The number of terms of the gradient's norm.
    pub(super) fn squares(&self) -> usize {
        self.squares.last().map_or(0, |[_, bias]| bias.end)
    }

    /// The terms of a layer's weights, and those of its biases.
    pub(super) fn squares_of(&self, layer: usize) -> [Range<usize>; 2] {
        self.squares[layer].clone()
    }
}

/// A worker's part of `count` pieces, which is equal to those of others as far as possible.
fn part(count: usize, worker: usize, workers: usize) -> Range<usize> {
    worker * count / workers..(worker + 1) * count / workers
}

/// The pieces of the weights of a layer that is divided by inputs that belong to a worker: those that its share of the
/// inputs has, divided among the workers with the same share. The worker with the last piece has the biases.
fn parts_by_inputs(
    worker: usize,
    fan_in: usize,
    partition: &Partition,
) -> (Range<usize>, Option<Share>) {
    let inputs = partition.share(worker).columns(fan_in);
    let (first, end) = (inputs.start / LINE, inputs.end.div_ceil(LINE));
    let of_rows = part(
        end - first,
        worker / partition.unit_groups(),
        partition.row_groups(),
    );
    let is_last = inputs.end == fan_in && first + of_rows.end == end;
    let pieces = first + of_rows.start..first + of_rows.end;
    (pieces, is_last.then_some(Share::ALL))
}

/// The pieces of a layer's weights that belong to a worker, and its share of the biases.
fn parts_of(
    worker: usize,
    affine: &Affine,
    is_divided: bool,
    partition: &Partition,
) -> (Range<usize>, Option<Share>) {
    if !is_divided {
        let workers = if partition.divided() > 0 {
            partition.threads()
        } else {
            1
        };
        let is_last = worker + 1 == workers;
        let pieces = part(affine.pieces(), worker, workers);
        return (pieces, is_last.then_some(Share::ALL));
    }
    let (share, chunks) = (partition.share(worker), affine.pieces() / affine.groups());
    let (row, rows) = (worker / share.of, partition.row_groups());
    let first = share.index * chunks;
    let pieces = first + row * chunks / rows..first + (row + 1) * chunks / rows;
    (pieces, (row == 0).then_some(share))
}
