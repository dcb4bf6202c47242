//! The network: `z = x · w + b` and an activation, layer after layer, then the loss of the task.
//!
//! `spec` describes the network and where each layer is in the one flat parameter buffer; `init` fills the buffer
//! (`orthogonal` draws rotations for it). `activation`, `batch_norm` and `loss` have formulas with their derivatives.
//! `network` runs rows forward and backward and updates the weights; `partition` divides that among workers. `dropout`
//! and `input_noise` are the noise of training, which `noise` draws. `symmetry` finds units that are copies of one
//! another.

pub mod activation;
pub mod batch_norm;
pub mod columns;
pub mod dropout;
pub mod init;
mod input_noise;
pub mod loss;
pub mod network;
mod noise;
mod orthogonal;
mod parameter;
pub mod partition;
pub mod spec;
pub mod symmetry;
pub mod task;

pub use activation::Activation;
pub use columns::{Columns, Sparsity};
pub use dropout::Dropout;
pub use init::Init;
pub use network::{Activations, Network, TargetsMut};
pub use noise::Noise;
pub use partition::Partition;
pub use spec::{Layer, Norm, Spec};
pub use task::{Link, Task};
