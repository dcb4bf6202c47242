//! The stages of a step that a team computes on shared buffers, for the benches of this package.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::cores::Lines;
use super::products::Stage;
use crate::compute::Engine;
use crate::compute::affine::{Affine, AffineOptions, Keeps};
use crate::compute::parallel::{Pieces, Workers};
use crate::compute::phases::{OwnPiece, OwnRows, Share};
use crate::compute::shared::Matrix;
use crate::data::{Dataset, Preprocessing};
use crate::error::Result;
use crate::optim::Rule;

/// Rows that a worker takes at a time.
const BLOCK: usize = 32;

/// Numbers of 32 bits in a cache line.
const NUMBERS_A_LINE: usize = 16;

/// The time in which `workers` do `count` pieces of `work` together, `times` times.
fn together(workers: &Workers, times: u64, count: usize, work: impl Fn(usize) + Sync) -> Duration {
    let (pieces, start) = (Pieces::default(), Instant::now());
    workers.team(|member| {
        for _ in 0..times {
            pieces.for_each(count, &work);
            member.wait();
            if member.leads() {
                pieces.reset();
            }
            member.wait();
        }
    });
    start.elapsed()
}

/// The inputs of a batch that is gathered from a data set.
#[derive(Debug)]
pub struct Gather {
    inputs: Matrix,
}

impl Gather {
    /// Room for `rows` rows of such inputs.
    ///
    /// # Errors
    /// Returns [`crate::Error::Memory`] if the system does not grant the memory.
    pub fn new(rows: usize, preprocessing: &Preprocessing) -> Result<Gather> {
        let inputs = Matrix::zeroed(rows, preprocessing.columns.width())?;
        Ok(Gather { inputs })
    }

    /// Gathers the items `batch` of `data`, `times` times, and returns the time it takes.
    pub fn run(
        &mut self,
        workers: &Workers,
        times: u64,
        data: &Dataset,
        preprocessing: &Preprocessing,
        batch: &[u32],
    ) -> Duration {
        let inputs = &self.inputs;
        together(workers, times, batch.len() / BLOCK, |block| {
            let range = block * BLOCK..(block + 1) * BLOCK;
            // SAFETY: (1) `for_each` passes each block to one member until the next barrier, blocks are disjoint, and
            // `&mut self` excludes other teams. (2) No piece of parameters is taken here.
            let mut rows = unsafe { OwnRows::new(range.clone()) };
            let mut inputs = rows.view_mut(inputs);
            data.gather(&batch[range], &[], preprocessing, inputs.iter_mut());
        })
    }

    /// A row of the inputs.
    pub fn row(&mut self, row: usize) -> &[f32] {
        let inputs = self.inputs.all_mut();
        &inputs.values[row * inputs.stride..][..inputs.width]
    }
}

/// A layer with a batch of its own, whose products a team computes.
#[derive(Debug)]
pub struct Products {
    layer: Affine,
    x: Matrix,
    z: Matrix,
    dx: Matrix,
    dz: Matrix,
    rows: usize,
}

impl Products {
    /// A layer with all weights `w`, a batch of `rows` rows with all inputs `x`, and the gradient `dz` at all outputs.
    ///
    /// # Errors
    /// Returns [`crate::Error::Config`] if the engine is not available, and [`crate::Error::Memory`] if the system
    /// does not grant the memory.
    pub fn new(
        engine: Engine,
        (rows, fan_in, fan_out): (usize, usize, usize),
        [w, x, dz]: [f32; 3],
    ) -> Result<Products> {
        let weight = vec![w; fan_in * fan_out];
        let options = AffineOptions {
            rows,
            ..AffineOptions::default()
        };
        let keeps = Keeps::of(&Rule::sgd(0.0));
        let filled = |width: usize, value: f32| -> Result<Matrix> {
            let mut matrix = Matrix::zeroed(rows, width)?;
            matrix.all_mut().iter_mut().for_each(|row| row.fill(value));
            Ok(matrix)
        };
        Ok(Products {
            layer: Affine::new(engine, &weight, (fan_in, fan_out), options, keeps)?,
            x: filled(fan_in, x)?,
            z: filled(fan_out, f32::NAN)?,
            dx: filled(fan_in, f32::NAN)?,
            dz: filled(fan_out, dz)?,
            rows,
        })
    }

    /// Computes a product `times` times and returns the time it takes. A weight update leaves the weights as they are.
    pub fn run(&mut self, workers: &Workers, times: u64, stage: Stage) -> Duration {
        let (this, blocks) = (&*self, self.rows / BLOCK);
        // SAFETY: (1) `for_each` passes each block to one member until the next barrier, blocks are disjoint, and
        // `&mut self` excludes other teams. (2) Only one stage runs, and pieces are taken in another one.
        let own = |block: usize| unsafe { OwnRows::new(block * BLOCK..(block + 1) * BLOCK) };
        match stage {
            Stage::Forward => together(workers, times, blocks, |block| {
                let mut rows = own(block);
                let ([x], [z], phase) = rows.views([&this.x], [&this.z]);
                this.layer.forward(x.into(), z.into(), Share::ALL, phase);
            }),
            Stage::InputGradient => together(workers, times, blocks, |block| {
                let mut rows = own(block);
                let ([dz], [dx], phase) = rows.views([&this.dz], [&this.dx]);
                this.layer.backward(dz, dx.into(), Share::ALL, phase);
            }),
            Stage::WeightUpdate => {
                let still = Rule::sgd(0.0).at(1, 0.0);
                together(workers, times, this.layer.pieces(), |piece| {
                    // SAFETY: (1) `for_each` passes each piece to one member until the next barrier, and `&mut self`
                    // excludes other teams. (2) Only this stage runs, and rows are taken in the others.
                    let piece = unsafe { OwnPiece::new(piece) };
                    let x = piece.rows(&this.x, 0..this.rows);
                    let dz = piece.rows(&this.dz, 0..this.rows);
                    this.layer.update(&piece, x.into(), dz, &still);
                })
            }
        }
    }

    /// The last row of z, and that of dx.
    pub fn last_rows(&mut self) -> [&[f32]; 2] {
        let row = self.rows - 1;
        [&mut self.z, &mut self.dx].map(|matrix| {
            let all = matrix.all_mut();
            &all.values[row * all.stride..][..all.width]
        })
    }

    /// The velocity, which is the gradient of the weights after an update.
    ///
    /// Shapes: `to [in · out]`. Overwrites it.
    pub fn copy_velocity(&mut self, to: &mut [f32]) {
        self.layer.copy_slot(0, to);
    }
}

/// Weights whose cache lines stay with the worker that writes them, or travel to another one in every step.
#[derive(Debug)]
pub struct Weights {
    lines: Lines,
}

/// Which worker reads the weights that a worker writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The worker that writes them.
    Itself,
    /// The next one, so that every line travels twice a step.
    Next,
}

impl Weights {
    /// Weights of `count` numbers of 32 bits.
    pub fn new(count: usize) -> Weights {
        Weights {
            lines: Lines::new(count.div_ceil(NUMBERS_A_LINE)),
        }
    }

    /// Takes `times` steps, in which the workers read all weights once, a part each, and then write all of them, a part
    /// each. Returns the time it takes.
    pub fn run(&mut self, workers: &Workers, times: u64, reader: Reader) -> Duration {
        let (lines, threads) = (&self.lines, workers.threads());
        let part =
            |index: usize| index * lines.len() / threads..(index + 1) * lines.len() / threads;
        let start = Instant::now();
        workers.team(|member| {
            let own = part(member.index());
            let read = match reader {
                Reader::Itself => own.clone(),
                Reader::Next => part((member.index() + 1) % threads),
            };
            for _ in 0..times {
                black_box(lines.read(read.clone()));
                member.wait();
                lines.write(own.clone());
                member.wait();
            }
        });
        start.elapsed()
    }

    /// How often each line was written, as a mean.
    pub fn writes(&self) -> f64 {
        self.lines.read(0..self.lines.len()) as f64 / self.lines.len() as f64
    }
}
