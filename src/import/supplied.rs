//! What a file of weights lacks about its network.

use serde::{Deserialize, Serialize};

use crate::data::Scaling;
use crate::named::named;
use crate::nn::{Activation, Task};

named! {
    /// The order of the axes of weights.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub enum WeightShape {
        /// `[out, in]`, as in PyTorch.
        OutIn = "out-in",
        /// `[in, out]`, as in Keras and Flax.
        InOut = "in-out",
    }
}

named! {
    /// The side of the activation on which batch normalisation stands.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub enum NormPlace {
        /// Between a linear layer and its activation.
        Before = "before",
        /// Behind the activation.
        After = "after",
    }
}

/// The properties of a network that a file of weights may lack.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Supplied {
    /// The activation of the hidden layers.
    pub activation: Option<Activation>,
    /// How elements become inputs.
    pub scaling: Option<Scaling>,
    /// The task; classification unless given.
    pub task: Option<Task>,
    /// The names of the layers in their order, linear ones and batch normalisation, without `.weight`; others are left out.
    pub layers: Option<Vec<String>>,
    /// The order of the axes of weights; by their names and widths unless given.
    pub weights: Option<WeightShape>,
    /// The side of the activation on which batch normalisation stands; by the numbers in an `nn.Sequential` unless given.
    pub batch_norm: Option<NormPlace>,
    /// The number that batch normalisation adds to variances; the default of PyTorch, or of Keras by the names of its
    /// tensors, unless given.
    pub batch_norm_epsilon: Option<f64>,
}
