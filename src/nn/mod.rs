//! The network: `z = x · w + b` and an activation, layer after layer, then the loss of the task.
//!
//! `spec` says what the network is and where each layer lies in the one flat parameter buffer, `init`
//! fills it (`orthogonal` draws rotations for it), `activation`, `batch_norm` and `loss` are formulas with their
//! derivatives, `network` runs rows forward and backward and updates the weights, `noise` is what training does to inputs
//! and units, `symmetry` looks for units that learned nothing of their own.

pub mod activation;
pub mod batch_norm;
pub mod columns;
pub mod dropout;
pub mod init;
pub mod loss;
pub mod network;
mod orthogonal;
mod parameter;
pub mod spec;
pub mod symmetry;
pub mod task;

pub use activation::Activation;
pub use columns::Columns;
pub use dropout::{Dropout, Noise};
pub use init::Init;
pub use network::{Activations, Network, TargetsMut};
pub use spec::{Layer, Norm, Spec};
pub use task::Task;
