//! Perceptor trains dense neural networks on CPUs, fast, with the same bits for any number of threads.
//!
//! A network of fully connected layers learns classes, values, or several labels a sample, from arrays in memory or
//! from IDX files. The same library is behind the command `perceptor`.
//!
//! ```
//! use perceptor::ndarray::{Array1, Array2};
//! use perceptor::{Dataset, Predictor, Splits, Targets, TrainConfig, Workers, train};
//!
//! let x = Array2::from_shape_fn((200, 2), |(row, axis)| ((row * [7, 13][axis]) % 20) as f32 / 20.0);
//! let y = Array1::from_shape_fn(200, |row| u8::from(x[[row, 0]] > x[[row, 1]]));
//! let data = Dataset::from_rows(x.view(), Targets::classes(y.view(), 2)?)?;
//! let workers = Workers::new(Workers::available())?;
//! let data = Splits::new(data, None, None)?;
//! let outcome = train(&TrainConfig::default(), &data, &workers, &mut |_| {})?;
//! let probabilities = Predictor::new(&outcome.model, &workers)?.predict(x.view())?;
//! assert_eq!(probabilities.dim(), (200, 2));
//! # Ok::<(), perceptor::Error>(())
//! ```
//!
//! # How the pieces fit
//!
//! | what you have | becomes | by |
//! |---|---|---|
//! | arrays of rows and [`Targets`] | a [`Dataset`] | [`Dataset::from_rows`] |
//! | a folder of IDX files | [`Splits`] | [`Splits::from_folder`] |
//! | a training set, and maybe others | [`Splits`] | [`Splits::new`], [`Splits::hold_out`] |
//! | splits and a [`TrainConfig`] | an [`Outcome`] with a [`Model`] | [`train()`], or a [`SavedRun`] that can be resumed |
//! | a [`Model`] | predictions | [`Predictor`] |
//!
//! [`train()`] passes an [`Event`] to a function of yours after each epoch and about a hundred times within one. The library
//! itself never prints. `examples/` has a complete program for each of these steps.
//!
//! # Features
//!
//! - `cli` (default): what only the command needs. A library user sets `default-features = false`.
//! - `openblas`: the OpenBLAS of the system as a further engine, loaded at its first use. `openblas-static`: OpenBLAS built
//!   from source and linked.
//!
//! # Errors
//!
//! Everything that can be refused returns an [`Error`], whose text has the form `<where>: <found>, expected <what>` and
//! which may have a hint ([`Error::hint`]). Settings are named by their keys, as in [`TrainConfig`]. A function panics
//! only if the caller breaks a documented condition.
//!
//! # Parallelism
//!
//! All work runs on the threads of a [`Workers`] pool, which the caller makes once and lends to every call. The number of
//! threads changes no bit of a result: sums have a fixed order that depends only on the network and the batch size. A
//! function that receives events must not use the pool, as it is at work.
//!
//! # Randomness
//!
//! One seed, [`TrainConfig::seed`], decides everything that is random: initial weights, shuffles, dropout and noise, and
//! the samples that are held out. Each has a stream of its own. The same seed, settings, data and engine yield the same
//! model, byte for byte, also if the run was stopped and resumed in between.

#[doc(hidden)]
pub mod bench;
#[doc(hidden)]
pub mod compute;
#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod data;
#[doc(hidden)]
pub mod datasets;
#[doc(hidden)]
pub mod doctor;
#[doc(hidden)]
pub mod durable;
mod duration;
#[doc(hidden)]
pub mod error;
#[doc(hidden)]
pub mod export;
#[doc(hidden)]
pub mod import;
#[doc(hidden)]
pub mod kernels;
#[doc(hidden)]
pub mod message;
#[doc(hidden)]
pub mod model;
mod named;
#[doc(hidden)]
pub mod nn;
#[doc(hidden)]
pub mod optim;
mod predictor;
#[doc(hidden)]
pub mod pulse;
#[doc(hidden)]
pub mod random;
#[doc(hidden)]
pub mod reference;
mod regular_file;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod run;
#[doc(hidden)]
pub mod schedule;
#[doc(hidden)]
pub mod scores;
#[doc(hidden)]
pub mod system;
#[doc(hidden)]
pub mod table;
mod tensors;
mod text_value;
#[doc(hidden)]
pub mod train;
#[doc(hidden)]
pub mod tune;

pub use compute::parallel::Workers;
pub use config::{
    LearningRate, OptimizerConfig, OptimizerName, RegularizationConfig, ScheduleConfig,
    TrainConfig, ValidationConfig,
};
pub use data::{ClassNames, Dataset, Splits, Targets};
pub use error::{Error, Refusal, Result};
pub use model::Model;
/// The array library whose views data sets are made from.
pub use ndarray;
pub use nn::{Activation, Task};
pub use predictor::Predictor;
pub use run::SavedRun;
pub use train::{Ending, Event, Outcome, train};

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

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../docs/library.md")]
struct LibraryPage;
