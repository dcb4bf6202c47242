//! A network on a data set: logits for blocks of items, in parallel.
//!
//! Blocks have a size that depends on the network alone, and their results are put together in order, so the loss has
//! the same bits for any number of threads. Activations are made once, some rows a worker, and used for every
//! evaluation.

use std::ops::Range;
use std::time::Instant;

use super::profile::{Phase, Profile};
use crate::compute::parallel::{Pieces, Workers};
use crate::compute::phases::OwnRows;
use crate::compute::shared::{Number, SharedBuffer};
use crate::data::{Dataset, Preprocessing, Rows, Targets};
use crate::error::Result;
use crate::nn::loss::{Loss, arg_max, cross_entropy, finish};
use crate::nn::{Activations, Network, Spec};
use crate::scores::{Predicted, Score};

/// Items in a block: enough for full speed of the products, few enough for their activations to stay in a core's
/// cache.
pub const MOST_ITEMS: usize = 96;
/// Inputs of a block, at the most: very wide items come in smaller blocks.
const MOST_INPUTS: usize = 1 << 22;

/// What a network makes of a labelled data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Its figures.
    pub score: Score,
    /// What it tells of each item.
    pub predictions: Predictions,
}

/// What a network tells of each item of a set.
#[derive(Debug, Clone, PartialEq)]
pub enum Predictions {
    /// The likeliest class of each, `[items]`.
    Classes(Vec<u32>),
    /// Numbers, or the probability of each label, `[items, outputs]`.
    Rows(Vec<f32>),
}

/// Runs networks of one shape forward over whole data sets.
#[derive(Debug)]
pub struct Evaluator {
    preprocessing: Preprocessing,
    activations: Activations,
    loss: Loss,
    block: usize,
    threads: usize,
}

impl Evaluator {
    /// Buffers for as many workers as `workers` has.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] when memory is not granted.
    pub fn new(spec: &Spec, preprocessing: Preprocessing, workers: &Workers) -> Result<Evaluator> {
        let threads = workers.threads();
        let block = (MOST_INPUTS / spec.inputs()).clamp(1, MOST_ITEMS);
        Ok(Evaluator {
            activations: Activations::for_inference(spec, &preprocessing.columns, threads * block)?,
            preprocessing,
            loss: Loss::of(spec.task()),
            block,
            threads,
        })
    }

    /// Measures `loss` from now on, and no longer the usual one of the task. That of classes is always the plain one:
    /// no weights, no smoothing.
    ///
    /// # Panics
    /// When it is of another task.
    pub fn set_loss(&mut self, loss: Loss) {
        assert_eq!(loss.task(), self.loss.task(), "the loss of a task");
        self.loss = loss;
    }

    /// The figures of `network` on `data`, and what it tells of each item.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] when memory is not granted.
    ///
    /// # Panics
    /// When `data` or `network` are not of the shape this was made for, or `workers` are more.
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
        let (task, loss) = (data.task(), self.loss.clone());
        self.for_each_block(
            workers,
            network,
            data.rows(),
            0..items,
            |range, activations, own| {
                let mut logits = activations.logits(own);
                // SAFETY: (1) blocks of items are disjoint, and `for_each_block` passes each to one worker.
                let (told, losses) = unsafe {
                    let out = range.start * outputs..range.end * outputs;
                    (predictions.write(out), losses.write(range.clone()))
                };
                let mut truth = vec![0.0; outputs];
                let rows = logits.iter_mut().zip(told.chunks_exact_mut(outputs));
                for ((item, (row, told)), of_item) in range.zip(rows).zip(losses) {
                    told.copy_from_slice(row);
                    finish(task, told);
                    targets.read_row(item, &mut truth);
                    *of_item = loss.backward(row, &truth, 1.0);
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

    /// The figures of `network` on `data`; their time and work go to `profile`.
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
        let score = self.evaluate(workers, network, data)?.score;
        if let Some(profile) = profile {
            let time = start.elapsed() * workers.threads() as u32;
            profile.add(Phase::Evaluation, time);
            let flops = network.forward_flops() * data.samples() as f64;
            profile.add_flops(Phase::Evaluation, flops);
        }
        Ok(score)
    }

    /// What `network` tells of the `items` of `images`: the probability of each class or label, or numbers.
    ///
    /// Shapes: gives `[items, outputs]`.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] when memory is not granted.
    ///
    /// # Panics
    /// When the items are out of range, and as [`Evaluator::evaluate`].
    pub fn predict(
        &mut self,
        workers: &Workers,
        network: &Network,
        images: &Rows,
        items: Range<usize>,
    ) -> Result<Vec<f32>> {
        let (first, outputs) = (items.start, network.spec().outputs());
        let task = network.spec().task();
        let told = SharedBuffer::<f32>::zeroed(items.len() * outputs)?;
        self.for_each_block(
            workers,
            network,
            images,
            items,
            |range, activations, own| {
                let mut logits = activations.logits(own);
                let out = (range.start - first) * outputs..(range.end - first) * outputs;
                // SAFETY: (1) blocks of items are disjoint, and `for_each_block` passes each to one worker.
                let out = unsafe { told.write(out) };
                for (row, out) in logits.iter_mut().zip(out.chunks_exact_mut(outputs)) {
                    finish(task, row);
                    out.copy_from_slice(row);
                }
            },
        );
        Ok(to_vec(told))
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
        let Preprocessing { scaling, columns } = &self.preprocessing;
        let taken = Pieces::default();
        workers.team(|member| {
            taken.for_each(items.len().div_ceil(size), |block| {
                let start = items.start + block * size;
                let range = start..(start + size).min(items.end);
                let first_row = member.index() * size;
                let rows = first_row..first_row + range.len();
                // SAFETY: (1) each member has rows of its own, by its index, and `&mut self` excludes other teams. (2)
                // Pieces of a network are taken only by `Stepper::pass`, which needs `&mut` access to the owner of the
                // network, while `network` is borrowed here.
                let mut rows = unsafe { OwnRows::new(rows) };
                let mut inputs = activations.inputs(&mut rows);
                for (item, row) in range.clone().zip(inputs.iter_mut()) {
                    images.read_active(item, *scaling, columns, row);
                }
                if let Some(mut idle) = activations.idle_inputs(&mut rows) {
                    for (item, row) in range.clone().zip(idle.iter_mut()) {
                        for (x, &column) in row.iter_mut().zip(columns.idle()) {
                            *x = images.read_one(item, column, *scaling);
                        }
                    }
                }
                network.forward(activations, &mut rows);
                use_block(range, activations, &mut rows);
            });
        });
    }
}

/// The mean of the losses of all items, which are summed in their order.
fn mean(losses: SharedBuffer<f64>) -> f64 {
    let losses = to_vec(losses);
    losses.iter().sum::<f64>() / losses.len() as f64
}

fn to_vec<T: Number>(mut buffer: SharedBuffer<T>) -> Vec<T> {
    buffer.as_mut_slice().to_vec()
}
