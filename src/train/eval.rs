//! A network on a data set: logits for blocks of items, in parallel.
//!
//! Blocks have a size that depends on the network alone, and their results are put together in order, so the loss has the same bits for any
//! number of threads. Activations are made once, some rows a worker, and used for every evaluation.

use std::ops::Range;
use std::time::Instant;

use super::outcome::Score;
use super::profile::{Phase, Profile};
use crate::compute::parallel::{Pieces, Workers};
use crate::compute::shared::{Number, RowsMut, SharedBuffer};
use crate::data::{Dataset, IdxFile, Preprocessing};
use crate::error::Result;
use crate::nn::loss::{arg_max, cross_entropy, softmax};
use crate::nn::{Activations, Network, Spec};

/// Items in a block: enough for full speed of the products, few enough for their activations to stay in a core's cache.
pub const MOST_ITEMS: usize = 96;
/// Inputs of a block, at the most: very wide items come in smaller blocks.
const MOST_INPUTS: usize = 1 << 22;

/// What a network makes of a labelled data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Share of items whose class is predicted right, 0 to 1.
    pub accuracy: f64,
    /// The predicted class of each item.
    pub predictions: Vec<u32>,
}

/// Runs networks of one shape forward over whole data sets.
#[derive(Debug)]
pub struct Evaluator {
    preprocessing: Preprocessing,
    activations: Activations,
    block: usize,
    threads: usize,
}

impl Evaluator {
    /// Buffers for as many workers as `workers` has.
    ///
    /// # Errors
    /// [`crate::Error::Config`] when memory is not granted.
    pub fn new(spec: &Spec, preprocessing: Preprocessing, workers: &Workers) -> Result<Evaluator> {
        let threads = workers.threads();
        let block = (MOST_INPUTS / spec.inputs()).clamp(1, MOST_ITEMS);
        Ok(Evaluator {
            activations: Activations::for_inference(spec, &preprocessing.columns, threads * block)?,
            preprocessing,
            block,
            threads,
        })
    }

    /// Loss, accuracy and predictions of `network` on `data`.
    ///
    /// # Errors
    /// [`crate::Error::Config`] when memory is not granted.
    ///
    /// # Panics
    /// When `data` or `network` are not of the shape this was made for, or `workers` are more.
    pub fn evaluate(
        &mut self,
        workers: &Workers,
        network: &Network,
        data: &Dataset,
    ) -> Result<Evaluation> {
        let items = data.items();
        let predictions = SharedBuffer::<u32>::zeroed(items)?;
        let losses = SharedBuffer::<f64>::zeroed(items)?;
        self.for_each_block(
            workers,
            network,
            data.images(),
            0..items,
            |range, mut logits| {
                // SAFETY: blocks are disjoint and each is given to one worker.
                let (predictions, losses) = unsafe {
                    (
                        predictions.write(range.clone()),
                        losses.write(range.clone()),
                    )
                };
                let labels = &data.labels()[range];
                let rows = logits.iter_mut().zip(labels).zip(predictions).zip(losses);
                for (((row, &label), prediction), loss) in rows {
                    *loss = cross_entropy(row, label as usize);
                    *prediction = arg_max(row) as u32;
                }
            },
        );
        let predictions = to_vec(predictions);
        let right = predictions.iter().zip(data.labels());
        let right = right
            .filter(|(prediction, label)| prediction == label)
            .count();
        Ok(Evaluation {
            loss: to_vec(losses).iter().sum::<f64>() / items as f64,
            accuracy: right as f64 / items as f64,
            predictions,
        })
    }

    /// Loss and accuracy of `network` on `data`; their time and work go to `profile`.
    ///
    /// # Errors
    /// As [`Evaluator::evaluate`].
    ///
    /// # Panics
    /// As [`Evaluator::evaluate`].
    pub fn score(
        &mut self,
        workers: &Workers,
        network: &Network,
        data: &Dataset,
        profile: Option<&mut Profile>,
    ) -> Result<Score> {
        let start = Instant::now();
        let Evaluation { loss, accuracy, .. } = self.evaluate(workers, network, data)?;
        if let Some(profile) = profile {
            let time = start.elapsed() * workers.threads() as u32;
            profile.add(Phase::Evaluation, time);
            let flops = network.forward_flops() * data.items() as f64;
            profile.add_flops(Phase::Evaluation, flops);
        }
        Ok(Score { loss, accuracy })
    }

    /// Probabilities of the `items` of `images`.
    ///
    /// Shapes: gives `[items, classes]`.
    ///
    /// # Errors
    /// [`crate::Error::Config`] when memory is not granted.
    ///
    /// # Panics
    /// When the items are out of range, and as [`Evaluator::evaluate`].
    pub fn probabilities(
        &mut self,
        workers: &Workers,
        network: &Network,
        images: &IdxFile,
        items: Range<usize>,
    ) -> Result<Vec<f32>> {
        let (first, classes) = (items.start, network.spec().classes());
        let probabilities = SharedBuffer::<f32>::zeroed(items.len() * classes)?;
        self.for_each_block(workers, network, images, items, |range, mut logits| {
            let out = (range.start - first) * classes..(range.end - first) * classes;
            // SAFETY: blocks are disjoint and each is given to one worker.
            let out = unsafe { probabilities.write(out) };
            for (row, out) in logits.iter_mut().zip(out.chunks_exact_mut(classes)) {
                softmax(row);
                out.copy_from_slice(row);
            }
        });
        Ok(to_vec(probabilities))
    }

    /// Runs `items` of `images` forward in blocks, and lends the logits of each to `use_logits`.
    fn for_each_block(
        &mut self,
        workers: &Workers,
        network: &Network,
        images: &IdxFile,
        items: Range<usize>,
        use_logits: impl Fn(Range<usize>, RowsMut) + Sync,
    ) {
        assert!(
            workers.threads() <= self.threads,
            "more workers than buffers"
        );
        let (activations, size) = (&self.activations, self.block);
        let Preprocessing { scaling, columns } = &self.preprocessing;
        let taken = Pieces::default();
        workers.team(|member| {
            taken.take_each(items.len().div_ceil(size), |block| {
                let start = items.start + block * size;
                let range = start..(start + size).min(items.end);
                let first_row = member.index() * size;
                let rows = first_row..first_row + range.len();
                // SAFETY: each member has rows of its own, and nobody updates the network.
                unsafe {
                    let (mut inputs, _) = activations.inputs(rows.clone());
                    for (item, row) in range.clone().zip(inputs.iter_mut()) {
                        images.read_active(item, *scaling, columns, row);
                    }
                    let mut idle = activations.idle_inputs(rows.clone());
                    let idle_rows = idle.iter_mut().flat_map(RowsMut::iter_mut);
                    for (item, row) in range.clone().zip(idle_rows) {
                        for (x, &column) in row.iter_mut().zip(columns.idle()) {
                            *x = images.read_one(item, column, *scaling);
                        }
                    }
                    network.forward(activations, rows.clone());
                    use_logits(range, activations.logits(rows));
                }
            });
        });
    }
}

fn to_vec<T: Number>(mut buffer: SharedBuffer<T>) -> Vec<T> {
    buffer.as_mut_slice().to_vec()
}
