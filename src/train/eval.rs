//! A network on a data set: logits for blocks of items, in parallel.
//!
//! Blocks have a fixed size and their results are put together in order, so the loss has the same bits for
//! any number of threads. Workspaces are made once, one a worker, and used for every evaluation.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::compute::parallel::Workers;
use crate::data::{Dataset, IdxFile, Scaling};
use crate::nn::loss::{arg_max, cross_entropy, softmax};
use crate::nn::network::forward;
use crate::nn::{Spec, Workspace};

/// Items in a block: enough for full speed of the products, few enough to share out a small test set.
const BLOCK: usize = 256;

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

/// Runs networks of one `spec` forward over whole data sets.
#[derive(Debug)]
pub struct Evaluator {
    spec: Spec,
    scaling: Scaling,
    workspaces: Vec<Mutex<Workspace>>,
}

impl Evaluator {
    /// Buffers for `workers`, in which the other methods must then be called.
    pub fn new(spec: &Spec, scaling: Scaling, workers: &Workers) -> Evaluator {
        Evaluator {
            spec: spec.clone(),
            scaling,
            workspaces: (0..workers.threads())
                .map(|_| Mutex::new(Workspace::for_inference(spec, BLOCK)))
                .collect(),
        }
    }

    /// Loss, accuracy and predictions of the network with `parameters [parameters]` on `data`.
    ///
    /// # Panics
    /// When `data` or `parameters` are not of this network.
    pub fn evaluate(&self, parameters: &[f32], data: &Dataset) -> Evaluation {
        let classes = self.spec.classes();
        let mut predictions = vec![0; data.items()];
        let mut losses = vec![0.0; data.items().div_ceil(BLOCK)];
        predictions
            .par_chunks_mut(BLOCK)
            .zip(&mut losses)
            .enumerate()
            .for_each(|(block, (predictions, loss))| {
                let start = block * BLOCK;
                let labels = &data.labels()[start..][..predictions.len()];
                self.with_logits(parameters, data.images(), start, labels.len(), |logits| {
                    let rows = logits.chunks_exact(classes).zip(labels);
                    for ((row, &label), prediction) in rows.zip(predictions) {
                        *loss += cross_entropy(row, label as usize);
                        *prediction = arg_max(row) as u32;
                    }
                });
            });
        let right = predictions.iter().zip(data.labels());
        let right = right
            .filter(|(prediction, label)| prediction == label)
            .count();
        Evaluation {
            loss: losses.iter().sum::<f64>() / data.items() as f64,
            accuracy: right as f64 / data.items() as f64,
            predictions,
        }
    }

    /// Probabilities of `count` items of `images` from `start` on.
    ///
    /// Shapes: gives `[count, classes]`.
    ///
    /// # Panics
    /// When the items are out of range, or `images` or `parameters` are not of this network.
    pub fn probabilities(
        &self,
        parameters: &[f32],
        images: &IdxFile,
        start: usize,
        count: usize,
    ) -> Vec<f32> {
        let classes = self.spec.classes();
        let mut probabilities = vec![0.0; count * classes];
        probabilities
            .par_chunks_mut(BLOCK * classes)
            .enumerate()
            .for_each(|(block, out)| {
                let start = start + block * BLOCK;
                let rows = out.len() / classes;
                self.with_logits(parameters, images, start, rows, |logits| {
                    softmax(logits, classes);
                    out.copy_from_slice(logits);
                });
            });
        probabilities
    }

    /// Runs the items `start..start + rows` forward and lends their logits `[rows, classes]`.
    fn with_logits(
        &self,
        parameters: &[f32],
        images: &IdxFile,
        start: usize,
        rows: usize,
        use_logits: impl FnOnce(&mut [f32]),
    ) {
        let worker = rayon::current_thread_index().unwrap_or(0);
        let mut workspace = self.workspaces[worker]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let inputs = workspace.inputs.chunks_exact_mut(self.spec.inputs());
        for (item, row) in (start..start + rows).zip(inputs) {
            images.read_scaled(item, self.scaling, row);
        }
        forward(&self.spec, parameters, &mut workspace, rows);
        use_logits(workspace.logits(&self.spec, rows));
    }
}
