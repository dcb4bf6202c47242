//! One training step, the whole way: gather, forward, loss, backward, reduce, update.
//!
//! A [`Stepper`] owns what a step changes (parameters, velocity) and what it works in (a workspace and a
//! gradient for each shard). After the first step it allocates nothing.

use rayon::prelude::*;

use super::reduce::reduce_and_update;
use super::shards::{shard_rows, shards};
use crate::data::{Dataset, Scaling};
use crate::nn::network::{backward, forward};
use crate::nn::{Spec, Workspace};
use crate::optim::Sgd;

/// The state of a training run between two steps.
#[derive(Debug)]
pub struct Stepper {
    spec: Spec,
    sgd: Sgd,
    parameters: Vec<f32>,
    velocity: Vec<f32>,
    shards: Vec<Shard>,
    gradients: Vec<Vec<f32>>,
    shard_rows: usize,
}

#[derive(Debug)]
struct Shard {
    workspace: Workspace,
    loss: f64,
}

impl Stepper {
    /// Starts from `parameters [parameters]` with zero velocity, for batches of up to `batch_size` rows.
    ///
    /// # Panics
    /// When `parameters` is not of this `spec`.
    pub fn new(spec: Spec, parameters: Vec<f32>, sgd: Sgd, batch_size: usize) -> Stepper {
        assert_eq!(parameters.len(), spec.parameters(), "parameters of {spec}");
        let shard_rows = shard_rows(batch_size);
        let shards = shards(batch_size);
        Stepper {
            velocity: vec![0.0; parameters.len()],
            gradients: vec![vec![0.0; parameters.len()]; shards],
            shards: (0..shards)
                .map(|_| Shard {
                    workspace: Workspace::for_training(&spec, shard_rows),
                    loss: 0.0,
                })
                .collect(),
            spec,
            sgd,
            parameters,
            shard_rows,
        }
    }

    /// Trains on the items `batch` of `data` and gives the sum of their losses before the update, in nats.
    /// Shards run in parallel on the Rayon pool in which this is called.
    ///
    /// # Panics
    /// When `batch` is empty or larger than the batch size, or `data` is not of this network.
    pub fn step(&mut self, data: &Dataset, scaling: Scaling, batch: &[u32]) -> f64 {
        let used = batch.len().div_ceil(self.shard_rows);
        let (spec, parameters) = (&self.spec, &self.parameters);
        let mean = 1.0 / batch.len() as f32;
        let shards = &mut self.shards[..used];
        let gradients = &mut self.gradients[..used];
        batch
            .par_chunks(self.shard_rows)
            .zip(&mut *shards)
            .zip(&mut *gradients)
            .for_each(|((items, Shard { workspace, loss }), gradient)| {
                let rows = items.len();
                let inputs = &mut workspace.inputs[..rows * spec.inputs()];
                data.gather(items, scaling, inputs, &mut workspace.labels[..rows]);
                forward(spec, parameters, workspace, rows);
                *loss = backward(spec, parameters, workspace, rows, mean, gradient);
            });
        let loss = shards.iter().map(|shard| shard.loss).sum();
        reduce_and_update(
            self.sgd,
            &mut self.parameters,
            &mut self.velocity,
            gradients,
        );
        loss
    }

    /// The network.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The parameters as they are now, `[parameters]`.
    pub fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    /// Ends training and hands the parameters over, `[parameters]`.
    pub fn into_parameters(self) -> Vec<f32> {
        self.parameters
    }

    /// The gradient of the last step, `[parameters]`: of the mean loss over its batch.
    pub fn gradient(&self) -> &[f32] {
        &self.gradients[0]
    }
}
