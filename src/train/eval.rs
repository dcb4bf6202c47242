//! Evaluates a network on a data set, and predicts: blocks of samples go through the network in parallel.
//!
//! The size of a block depends only on the network, and results are combined in order, so the loss has the same bits
//! for any number of threads. Buffers are allocated once, with some rows for each worker, and used for every
//! evaluation.

use std::ops::Range;
use std::time::Instant;

use super::profile::{Phase, Profile};
use super::readout::Readout;
use crate::compute::parallel::{Pieces, Workers};
use crate::compute::phases::OwnRows;
use crate::compute::shared::{Number, SharedBuffer};
use crate::data::{Dataset, Preprocessing, Rows, TargetScaling, Targets};
use crate::error::Result;
use crate::nn::loss::{Loss, arg_max, cross_entropy};
use crate::nn::{Activations, Network, Spec};
use crate::pulse;
use crate::scores::{Predicted, Score};

/// The most samples in a block: enough for fast products, few enough for their activations to stay in a core's cache.
pub const MOST_ITEMS: usize = 96;
/// Each worker's rows start at a multiple of this number of rows.
const ALIGNED: usize = 8;
/// The most inputs in a block: very wide samples come in smaller blocks.
const MOST_INPUTS: usize = 1 << 22;

/// The score and predictions of a network on a labelled data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The loss and the metrics.
    pub score: Score,
    /// The prediction for each sample.
    pub predictions: Predictions,
}

/// The predictions of a network for the samples of a set.
#[derive(Debug, Clone, PartialEq)]
pub enum Predictions {
    /// The likeliest class of each sample, `[samples]`.
    Classes(Vec<u32>),
    /// Numbers, or the probability of each label, `[samples, outputs]`.
    Rows(Vec<f32>),
}

/// Evaluates networks of one shape on data sets.
#[derive(Debug)]
pub struct Evaluator {
    preprocessing: Preprocessing,
    activations: Activations,
    readout: Readout,
    block: usize,
    threads: usize,
}

impl Evaluator {
    /// Allocates buffers for as many threads as `workers` has.
    ///
    /// # Errors
    /// Returns [`crate::Error::Memory`] if memory is refused.
    pub fn new(spec: &Spec, preprocessing: Preprocessing, workers: &Workers) -> Result<Evaluator> {
        let threads = workers.threads();
        let block = (MOST_INPUTS / spec.inputs()).clamp(1, MOST_ITEMS);
        Ok(Evaluator {
            activations: Activations::for_inference(
                spec,
                &preprocessing.columns,
                threads * block.next_multiple_of(ALIGNED),
            )?,
            preprocessing,
            readout: Readout::new(spec),
            block,
            threads,
        })
    }

    /// Measures `loss` from now on. For classes it is always the plain cross-entropy, without weights and smoothing.
    ///
    /// # Panics
    /// Panics if it is for another task or link.
    pub fn set_loss(&mut self, loss: Loss) {
        self.readout.set_loss(loss);
    }

    /// Predicts and measures in the targets' own units from now on, for networks that have learned targets standardised
    /// by `scaling`; `None` for networks that have learned the targets themselves.
    pub fn set_target_scaling(&mut self, scaling: Option<TargetScaling>) {
        self.readout.set_target_scaling(scaling);
    }

    /// The score and the predictions of `network` on `data`.
    ///
    /// # Errors
    /// Returns [`crate::Error::Memory`] if memory is refused.
    ///
    /// # Panics
    /// Panics if `data` or `network` has another shape than this was made for, or `workers` has more threads.
    pub fn evaluate(
        &mut self,
        workers: &Workers,
        network: &Network,
        data: &Dataset,
    ) -> Result<Evaluation> {
        match data.targets() {
            Targets::Classes { labels, .. } => {
                self.evaluate_classes(workers, network, data, labels)
            }
            targets => self.evaluate_rows(workers, network, data, targets),
        }
    }

    fn evaluate_classes(
        &mut self,
        workers: &Workers,
        network: &Network,
        data: &Dataset,
        labels: &[u32],
    ) -> Result<Evaluation> {
        let items = data.samples();
        let predictions = SharedBuffer::<u32>::zeroed(items)?;
        let losses = SharedBuffer::<f64>::zeroed(items)?;
        self.for_each_block(
            workers,
            network,
            data.rows(),
            0..items,
            |range, activations, own| {
                let mut logits = activations.logits(own);
                // SAFETY: (1) blocks of items are disjoint, and `for_each_block` passes each to one worker.
                let (predictions, losses) = unsafe {
                    (
                        predictions.write(range.clone()),
                        losses.write(range.clone()),
                    )
                };
                let rows = logits.iter_mut().zip(&labels[range]);
                for (((row, &label), prediction), loss) in rows.zip(predictions).zip(losses) {
                    *loss = cross_entropy(row, label as usize);
                    *prediction = arg_max(row) as u32;
                }
            },
        );
        let predictions = to_vec(predictions);
        let predicted = Predicted::Classes {
            labels,
            predictions: &predictions,
            classes: data.outputs(),
        };
        Ok(Evaluation {
            score: Score::measure(mean(losses), &predicted),
            predictions: Predictions::Classes(predictions),
        })
    }

    fn evaluate_rows(
        &mut self,
        workers: &Workers,
        network: &Network,
        data: &Dataset,
        targets: &Targets,
    ) -> Result<Evaluation> {
        let (items, outputs) = (data.samples(), data.outputs());
        let predictions = SharedBuffer::<f32>::zeroed(items * outputs)?;
        let losses = SharedBuffer::<f64>::zeroed(items)?;
        let readout = self.readout.clone();
        self.for_each_block(
            workers,
            network,
            data.rows(),
            0..items,
            |range, activations, own| {
                let mut logits = activations.logits(own);
                // SAFETY: (1) blocks of items are disjoint, and `for_each_block` passes each to one worker.
                let (row_predictions, losses) = unsafe {
                    let out = range.start * outputs..range.end * outputs;
                    (predictions.write(out), losses.write(range.clone()))
                };
                let mut truth = vec![0.0; outputs];
                let rows = logits
                    .iter_mut()
                    .zip(row_predictions.chunks_exact_mut(outputs));
                for ((item, (row, prediction)), item_loss) in range.zip(rows).zip(losses) {
                    prediction.copy_from_slice(row);
                    readout.finish(prediction);
                    targets.read_row(item, &mut truth);
                    *item_loss = readout.loss_of(row, &mut truth);
                }
            },
        );
        let predictions = to_vec(predictions);
        let predicted = match targets {
            Targets::Flags { flags, .. } => Predicted::Labels {
                flags,
                probabilities: &predictions,
                labels: outputs,
            },
            Targets::Values { values, .. } => Predicted::Values {
                values,
                predictions: &predictions,
                outputs,
            },
            Targets::Classes { .. } => unreachable!("classes are evaluated as such"),
        };
        Ok(Evaluation {
            score: Score::measure(mean(losses), &predicted),
            predictions: Predictions::Rows(predictions),
        })
    }

    /// The score of `network` on `data`; time and work are added to `profile`.
    ///
    /// # Errors
    /// Returns the errors of [`Evaluator::evaluate`].
    ///
    /// # Panics
    /// Panics in the cases of [`Evaluator::evaluate`].
    pub fn score(
        &mut self,
        workers: &Workers,
        network: &Network,
        data: &Dataset,
        profile: Option<&mut Profile>,
    ) -> Result<Score> {
        let start = Instant::now();
        let score = self.evaluate(workers, network, data)?.score;
        if let Some(profile) = profile {
            let time = start.elapsed() * workers.threads() as u32;
            profile.add(Phase::Evaluation, time);
            let flops = network.forward_flops() * data.samples() as f64;
            profile.add_flops(Phase::Evaluation, flops);
        }
        Ok(score)
    }

    /// Predicts the `items` of `images`: the probability of each class or label, or numbers.
    ///
    /// Shapes: returns `[items, outputs]`.
    ///
    /// # Errors
    /// Returns [`crate::Error::Memory`] if memory is refused.
    ///
    /// # Panics
    /// Panics if the items are out of range, and in the cases of [`Evaluator::evaluate`].
    pub fn predict(
        &mut self,
        workers: &Workers,
        network: &Network,
        images: &Rows,
        items: Range<usize>,
    ) -> Result<Vec<f32>> {
        let (first, outputs) = (items.start, network.spec().outputs());
        let readout = self.readout.clone();
        let predictions = SharedBuffer::<f32>::zeroed(items.len() * outputs)?;
        self.for_each_block(
            workers,
            network,
            images,
            items,
            |range, activations, own| {
                let mut logits = activations.logits(own);
                let out = (range.start - first) * outputs..(range.end - first) * outputs;
                // SAFETY: (1) blocks of items are disjoint, and `for_each_block` passes each to one worker.
                let out = unsafe { predictions.write(out) };
                for (row, out) in logits.iter_mut().zip(out.chunks_exact_mut(outputs)) {
                    readout.finish(row);
                    out.copy_from_slice(row);
                }
            },
        );
        Ok(to_vec(predictions))
    }

    /// Returns the outputs of each hidden layer of `network` for the `items` of `images`.
    ///
    /// Shapes: returns `[items, width]` for each hidden layer.
    ///
    /// # Errors
    /// Returns [`crate::Error::Memory`] if the system refuses memory.
    ///
    /// # Panics
    /// Panics if the items are out of range, and in the cases of [`Evaluator::evaluate`].
    pub fn hidden_outputs(
        &mut self,
        workers: &Workers,
        network: &Network,
        images: &Rows,
        items: Range<usize>,
    ) -> Result<Vec<Vec<f32>>> {
        let (first, layers) = (items.start, network.spec().layers());
        let widths = layers[..layers.len() - 1].iter().map(|layer| layer.fan_out);
        let widths: Vec<usize> = widths.collect();
        let buffers = widths
            .iter()
            .map(|width| SharedBuffer::<f32>::zeroed(items.len() * width))
            .collect::<Result<Vec<_>>>()?;
        self.for_each_block(
            workers,
            network,
            images,
            items,
            |range, activations, own| {
                for (layer, (&width, buffer)) in widths.iter().zip(&buffers).enumerate() {
                    let out = (range.start - first) * width..(range.end - first) * width;
                    // SAFETY: (1) blocks of items are disjoint, and `for_each_block` passes each to one worker.
                    let out = unsafe { buffer.write(out) };
                    let mut outputs = activations.hidden_outputs(layer, own);
                    for (row, out) in outputs.iter_mut().zip(out.chunks_exact_mut(width)) {
                        out.copy_from_slice(row);
                    }
                }
            },
        );
        Ok(buffers.into_iter().map(to_vec).collect())
    }

    /// Runs `items` of `images` forward in blocks, and passes the activations of each block to `use_block`, with the
    /// rows of them that it has.
    fn for_each_block(
        &mut self,
        workers: &Workers,
        network: &Network,
        images: &Rows,
        items: Range<usize>,
        use_block: impl Fn(Range<usize>, &Activations, &mut OwnRows) + Sync,
    ) {
        assert!(
            workers.threads() <= self.threads,
            "more workers than buffers"
        );
        let (activations, size) = (&self.activations, self.block);
        let (scaling, columns) = (
            &*self.preprocessing.input_scaling(),
            &self.preprocessing.columns,
        );
        let taken = Pieces::default();
        workers.team(|member| {
            taken.for_each(items.len().div_ceil(size), |block| {
                pulse::beat();
                let start = items.start + block * size;
                let range = start..(start + size).min(items.end);
                let first_row = member.index() * size.next_multiple_of(ALIGNED);
                let rows = first_row..first_row + range.len();
                // SAFETY: (1) each member has rows of its own, by its index, and `&mut self` excludes other teams. (2)
                // Pieces of a network are taken only by `Stepper::pass`, which needs `&mut` access to the owner of the
                // network, while `network` is borrowed here. (3) Only
                // the inputs are used as copies, of as many rows as the activations have.
                let mut rows = unsafe { OwnRows::new(rows) };
                let mut inputs = activations.float_inputs(&mut rows);
                for (item, row) in range.clone().zip(inputs.iter_mut()) {
                    images.read_active(item, scaling, columns, row);
                }
                if let Some(mut idle) = activations.idle_inputs(&mut rows) {
                    for (item, row) in range.clone().zip(idle.iter_mut()) {
                        for (x, &column) in row.iter_mut().zip(columns.idle()) {
                            *x = images.read_one(item, column, scaling);
                        }
                    }
                }
                activations.finish_inputs(&mut rows);
                network.forward(activations, &mut rows);
                use_block(range, activations, &mut rows);
            });
        });
    }
}

/// The mean loss of all samples, summed in their order.
fn mean(losses: SharedBuffer<f64>) -> f64 {
    let losses = to_vec(losses);
    losses.iter().sum::<f64>() / losses.len() as f64
}

fn to_vec<T: Number>(mut buffer: SharedBuffer<T>) -> Vec<T> {
    buffer.as_mut_slice().to_vec()
}
