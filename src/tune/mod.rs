//! Tuning: which learning rate, width, depth, batch size and regularisation suit a data set.
//!
//! Random search with successive halving (K. Jamieson and A. Talwalkar, *Non-stochastic Best Arm Identification and
//! Hyperparameter Optimization*, 2016; L. Li and others, *Hyperband*, 2018): many trials are trained for an epoch or so,
//! the best third of them goes on to three times as many, and so on. What is picked is picked by a validation set; the
//! test set is not even opened.
//!
//! `plan` is what is to be done, `space` says what is drawn from where, `halving` who goes on, `trial` trains one of them up to the next rung, `search`
//! all of them, side by side; `journal` keeps what is done, so that a search which was stopped goes on, `folder` says where.

pub mod folder;
pub mod halving;
pub mod journal;
pub mod plan;
pub mod search;
pub mod space;
mod trial;

pub use folder::TuneFolder;
pub use halving::{Rung, rungs};
pub use journal::{Journal, Measured, Subject};
pub use plan::Plan;
pub use search::{Ended, Event, Search, Tried, Tuned};
pub use space::{Range, Space};
