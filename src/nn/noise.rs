//! All randomness in the rows of a training step: noise on inputs, and dropout of inputs and hidden units.
//!
//! Every row has a generator of its own ([`row_stream`]), so its draws do not depend on the worker that takes it. They
//! are made before the row goes forward, and kept with the activations until it is back.

use super::dropout::Dropout;
use super::input_noise::add_normal;
use super::network::Activations;
use crate::compute::phases::OwnRows;
use crate::random::{Purpose, row_stream};

/// What a run does to inputs and hidden units while it trains; nothing by default.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Noise {
    /// The seed of all draws.
    pub seed: u64,
    /// Standard deviation of the noise on inputs, in units of the scaled inputs.
    pub inputs: f32,
    /// Dropout of inputs, after the noise.
    pub input_dropout: Option<Dropout>,
    /// Dropout of the units of every hidden layer.
    pub dropout: Option<Dropout>,
}

impl Noise {
    /// Whether nothing is done to inputs and units.
    pub fn is_none(&self) -> bool {
        self.inputs == 0.0 && self.input_dropout.is_none() && self.dropout.is_none()
    }

    /// Makes the draws for `rows` in step `step`, counted from the start of the run: `x = (x + σ z) ⊙ m / (1 − p)` for
    /// inputs, with z from N(0, 1) and m from {0, 1}, and the draws that [`super::Network::forward`] uses in hidden
    /// layers.
    ///
    /// Overwrites the inputs of these rows.
    pub fn draw(&self, activations: &Activations, step: u64, rows: &mut OwnRows) {
        let stream = |purpose, layer, row| row_stream(self.seed, purpose, layer, step, row);
        if self.inputs > 0.0 || self.input_dropout.is_some() {
            let range = rows.range();
            let mut inputs = activations.float_inputs(rows);
            for (row, x) in range.zip(inputs.iter_mut()) {
                if self.inputs > 0.0 {
                    add_normal(x, self.inputs, &mut stream(Purpose::InputNoise, 0, row));
                }
                if let Some(dropout) = self.input_dropout {
                    dropout.drop_inputs(x, &mut stream(Purpose::Dropout, 0, row));
                }
            }
        }
        if let Some(dropped) = &activations.dropped {
            dropped.draw(rows, |layer, row| stream(Purpose::Dropout, layer, row));
        }
    }
}
