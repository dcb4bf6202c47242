#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

pub mod bench;
pub mod compute;
pub mod config;
pub mod data;
pub mod datasets;
pub mod doctor;
pub mod durable;
mod duration;
pub mod error;
pub mod export;
pub mod kernels;
pub mod message;
pub mod model;
mod named;
pub mod nn;
pub mod optim;
mod predictor;
pub mod random;
pub mod reference;
mod regular_file;
pub mod report;
pub mod run;
pub mod schedule;
pub mod scores;
mod tensors;
mod text_value;
pub mod train;
pub mod tune;

pub use compute::parallel::Workers;
pub use config::TrainConfig;
pub use data::{Dataset, Splits, Targets};
pub use error::{Error, Refusal, Result};
pub use model::Model;
/// The array library whose views data sets are made from.
pub use ndarray;
pub use predictor::Predictor;
pub use train::train;

/// The version of this library.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The git revision it was built from, `unknown` outside a checkout.
pub const REVISION: &str = env!("PERCEPTOR_REVISION");
/// How it was built: `release`, or `debug` if debug assertions are on.
pub const BUILD_MODE: &str = if cfg!(debug_assertions) {
    "debug"
} else {
    "release"
};
