//! Measures the matrix products of a network's shapes one by one, on one thread: forward, input gradient, weight
//! update.
//!
//! Each layer runs through [`Affine`] as in training, with a whole batch per call, with every available engine. What
//! training adds (gather, activations, loss, barriers) is the difference to what `throughput` measures.

use std::num::NonZeroUsize;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::statistics::median;
use crate::compute::Engine;
use crate::compute::affine::{Affine, AffineOptions, Keeps};
use crate::compute::parallel::Workers;
use crate::compute::phases::{OwnPiece, OwnRows, Share};
use crate::compute::shared::Matrix;
use crate::error::Result;
use crate::nn::Spec;
use crate::optim::Rule;

/// One of the products of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// `z = x · w`.
    Forward,
    /// `dx = dz · wᵀ`; the first layer needs none.
    InputGradient,
    /// `v = μ v + xᵀ · dz`, `w = w − η v`.
    WeightUpdate,
}

impl Stage {
    const ALL: [Stage; 3] = [Stage::Forward, Stage::InputGradient, Stage::WeightUpdate];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Forward => "forward",
            Stage::InputGradient => "input gradient",
            Stage::WeightUpdate => "weight update",
        }
    }
}

/// The speed of an engine at one product of one layer, on one thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Product {
    /// The engine's name.
    pub engine: String,
    /// The layer, counted from 1.
    pub layer: usize,
    /// The product.
    pub stage: Stage,
    /// The rows of the batch.
    pub rows: usize,
    /// Width of the layer's input.
    pub fan_in: usize,
    /// Width of the layer's output.
    pub fan_out: usize,
    /// Seconds per call for each run, as a mean over many calls.
    pub seconds: Vec<f64>,
    /// 10⁹ operations per second in the median run; a product has `2 · rows · in · out` operations.
    pub gflops: f64,
    /// That rate as a share of the peak of one core.
    pub of_peak: f64,
}

/// The engines that are available in this build and on this processor, `first` before the others.
pub fn engines(first: Engine) -> Vec<Engine> {
    let all = Engine::BY_PREFERENCE.into_iter();
    let mut here: Vec<Engine> = all.filter(|e| e.check().is_ok()).collect();
    here.sort_by_key(|&engine| engine != first);
    here
}

/// Measures all products of layer `layer` of `spec`, counted from 0, for batches of `rows` rows: `runs` times for
/// about `seconds` each. `peak` is that of one core, in 10⁹ operations per second.
///
/// # Errors
/// [`crate::Error::Config`] for an engine that is not here, and [`crate::Error::Memory`] when memory is not granted.
///
/// # Panics
/// Panics if there is no such layer.
pub fn measure(
    engine: Engine,
    (spec, layer): (&Spec, usize),
    rows: usize,
    (runs, seconds): (usize, f64),
    peak: f64,
) -> Result<Vec<Product>> {
    let (fan_in, fan_out) = (spec.layers()[layer].fan_in, spec.layers()[layer].fan_out);
    let mut bench = Layer::new(engine, (fan_in, fan_out), rows, layer > 0)?;
    let stages = Stage::ALL.into_iter();
    let stages = stages.filter(|&stage| layer > 0 || stage != Stage::InputGradient);
    // On a worker, so that everything that workers set for their threads applies.
    let worker = Workers::new(NonZeroUsize::MIN)?;
    let products = stages.map(|stage| {
        let seconds = worker.run(|| time(runs, seconds, || bench.run(stage)));
        let gflops = 2e-9 * (rows * fan_in * fan_out) as f64 / median(&seconds);
        Product {
            engine: engine.name().to_owned(),
            layer: layer + 1,
            stage,
            rows,
            fan_in,
            fan_out,
            seconds,
            gflops,
            of_peak: gflops / peak,
        }
    });
    Ok(products.collect())
}

/// A layer with a batch.
struct Layer {
    affine: Affine,
    rows: usize,
    x: Matrix,
    z: Matrix,
    dx: Matrix,
    dz: Matrix,
}

impl Layer {
    fn new(
        engine: Engine,
        (fan_in, fan_out): (usize, usize),
        rows: usize,
        inputs_need_gradient: bool,
    ) -> Result<Layer> {
        let weight: Vec<f32> = (0..fan_in * fan_out).map(varied).collect();
        Ok(Layer {
            affine: Affine::new(
                engine,
                &weight,
                (fan_in, fan_out),
                AffineOptions {
                    inputs_need_gradient,
                    rows,
                    ..AffineOptions::default()
                },
                Keeps::of(&Rule::sgd(0.5)),
            )?,
            rows,
            x: filled(rows, fan_in)?,
            z: filled(rows, fan_out)?,
            dx: filled(rows, fan_in)?,
            dz: filled(rows, fan_out)?,
        })
    }

    /// Runs a product once.
    fn run(&mut self, stage: Stage) {
        let rows = 0..self.rows;
        // The velocity stays bounded and the weights do not change, so every call does the same work.
        let step = Rule::sgd(0.5).at(1, 0.0);
        let count = self.affine.pieces();
        match stage {
            Stage::Forward | Stage::InputGradient => {
                // SAFETY: (1) and (2) this is the only token: `&mut self` excludes other calls for this layer.
                let mut rows = unsafe { OwnRows::new(rows) };
                if stage == Stage::Forward {
                    let ([x], [z], phase) = rows.views([&self.x], [&self.z]);
                    self.affine.forward(x.into(), z.into(), Share::ALL, phase);
                } else {
                    let ([dz], [dx], phase) = rows.views([&self.dz], [&self.dx]);
                    self.affine.backward(dz, dx.into(), Share::ALL, phase);
                }
            }
            Stage::WeightUpdate => (0..count).for_each(|piece| {
                // SAFETY: (1) and (2) this is the only token: `&mut self` excludes other calls for this layer.
                let piece = unsafe { OwnPiece::new(piece) };
                let x = piece.rows(&self.x, rows.clone());
                let dz = piece.rows(&self.dz, rows.clone());
                self.affine.update(&piece, x.into(), dz, &step);
            }),
        }
    }
}

/// Numbers between −0.5 and 0.5 that differ and are not powers of two.
fn varied(index: usize) -> f32 {
    (index * 37 % 101) as f32 / 101.0 - 0.5
}

fn filled(rows: usize, width: usize) -> Result<Matrix> {
    let mut matrix = Matrix::zeroed(rows, width)?;
    let mut all = matrix.all_mut();
    for (row, values) in all.iter_mut().enumerate() {
        for (column, value) in values.iter_mut().enumerate() {
            *value = varied(row * width + column);
        }
    }
    Ok(matrix)
}

/// Seconds per call in each of `runs` runs of about `seconds`, after a warm-up of the same length.
fn time(runs: usize, seconds: f64, mut call: impl FnMut()) -> Vec<f64> {
    let mut calls_take = |calls: usize| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed().as_secs_f64()
    };
    let (mut calls, mut elapsed) = (1, calls_take(1));
    while elapsed < seconds / 2.0 {
        calls *= 2;
        elapsed = calls_take(calls);
    }
    let calls = ((calls as f64 * seconds / elapsed) as usize).max(1);
    (0..runs)
        .map(|_| calls_take(calls) / calls as f64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Activation;

    #[test]
    fn every_layer_has_its_products_and_the_first_no_input_gradient() {
        let spec = Spec::new(12, &[9], 3, Activation::Relu).expect("a spec");
        for engine in engines(Engine::Portable) {
            let of_layer = |layer| {
                let found = measure(engine, (&spec, layer), 7, (3, 1e-5), 1.0);
                found.expect("an engine that is here")
            };
            let stages = |found: &[Product]| found.iter().map(|p| p.stage).collect::<Vec<_>>();
            let first = of_layer(0);
            assert_eq!(stages(&first), [Stage::Forward, Stage::WeightUpdate]);
            assert!(
                first
                    .iter()
                    .all(|p| (p.fan_in, p.fan_out, p.seconds.len()) == (12, 9, 3))
            );
            assert_eq!(stages(&of_layer(1)), Stage::ALL);
        }
    }

    #[test]
    fn the_engine_in_use_comes_first() {
        assert_eq!(engines(Engine::Portable)[0], Engine::Portable);
    }
}
