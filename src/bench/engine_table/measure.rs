//! Times the engines at the shapes of the table.

use super::rate::EngineRate;
use crate::bench::products::{self, Stage};
use crate::compute::Engine;
use crate::doctor::openblas_would_crash;
use crate::error::{Error, Result};
use crate::nn::{Activation, Spec};

/// A layer with a batch, and how its products are timed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    /// The number of samples in a batch.
    pub rows: usize,
    /// Width of the layer's input.
    pub fan_in: usize,
    /// Width of the layer's output.
    pub fan_out: usize,
    /// The number of runs of each product, and about how long one takes, in seconds.
    runs: (usize, f64),
}

/// Runs of products that take less than a millisecond.
const SHORT: (usize, f64) = (3, 1e-3);
/// Runs of products that take many milliseconds: one call each, after a call that warms up.
const LONG: (usize, f64) = (2, 0.0);

/// The shapes that are measured.
///
/// Small batches have layers from the last one of a small network to a wide one. A large batch takes long, so it has one
/// layer whose products still take about ten milliseconds; its rows exceed a core's cache, which decides the rate more
/// than the width does.
pub(super) const SHAPES: [Shape; 12] = [
    shape(32, (100, 10), SHORT),
    shape(32, (784, 100), SHORT),
    shape(32, (512, 256), SHORT),
    shape(32, (1024, 1024), SHORT),
    shape(128, (100, 10), SHORT),
    shape(128, (784, 100), SHORT),
    shape(128, (512, 256), SHORT),
    shape(128, (1024, 1024), SHORT),
    shape(512, (784, 100), SHORT),
    shape(512, (512, 256), SHORT),
    shape(4096, (512, 256), LONG),
    shape(20_000, (256, 64), LONG),
];

const fn shape(rows: usize, (fan_in, fan_out): (usize, usize), runs: (usize, f64)) -> Shape {
    Shape {
        rows,
        fan_in,
        fan_out,
        runs,
    }
}

/// Measures every available engine that does not crash the process at every shape. Shapes whose memory is refused are
/// left out, if any other is left.
///
/// # Errors
/// [`Error::Memory`] when memory is refused for every shape, [`Error::Config`] when a thread is.
pub(super) fn rates() -> Result<Vec<EngineRate>> {
    let mut engines = products::engines(Engine::Native);
    engines.retain(|&engine| engine != Engine::Openblas || !openblas_would_crash());
    let (mut rates, mut refused) = (Vec::new(), None);
    for engine in engines {
        for shape in SHAPES {
            match rate(engine, shape) {
                Ok(rate) => rates.push(rate),
                Err(error @ Error::Memory { .. }) => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
    }
    match refused {
        Some(error) if rates.is_empty() => Err(error),
        _ => Ok(rates),
    }
}

/// Measures the forward product and the weight update of one shape.
fn rate(engine: Engine, shape: Shape) -> Result<EngineRate> {
    let Shape {
        rows,
        fan_in,
        fan_out,
        runs,
    } = shape;
    let spec = Spec::new(fan_in, &[], fan_out, Activation::Identity)?;
    let found = products::measure(engine, (&spec, 0), rows, runs, 1.0)?;
    let both = found.iter().filter(|p| p.stage != Stage::InputGradient);
    // The fastest run of each, because every disturbance makes a run slower.
    let fastest = |runs: &[f64]| runs.iter().copied().fold(f64::INFINITY, f64::min);
    let seconds: f64 = both.map(|product| fastest(&product.seconds)).sum();
    Ok(EngineRate {
        engine,
        rows,
        fan_in,
        fan_out,
        gflops: 4e-9 * (rows * fan_in * fan_out) as f64 / seconds,
    })
}
