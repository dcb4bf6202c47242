//! An entry of the table.

use serde::{Deserialize, Serialize};

use crate::compute::Engine;

/// The speed of an engine at one shape: forward product and weight update together, on one thread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EngineRate {
    /// The engine.
    pub engine: Engine,
    /// The number of samples in a batch.
    pub rows: usize,
    /// Width of the layer's input.
    pub fan_in: usize,
    /// Width of the layer's output.
    pub fan_out: usize,
    /// 10⁹ operations per second.
    pub gflops: f64,
}
