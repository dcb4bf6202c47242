//! Tuning: which learning rate, width, depth, batch size and regularisation suit a data set.
//!
//! Random search with successive halving (K. Jamieson and A. Talwalkar, *Non-stochastic Best Arm Identification and
//! Hyperparameter Optimization*, 2016; L. Li and others, *Hyperband*, 2018): many trials are trained for an epoch or so,
//! the best third of them continues to three times as many, and so on. Trials are compared on a validation set; the test set
//! is not even opened.
//!
//! `plan` is the plan of a search, `space` the ranges that settings are drawn from, and `halving` decides which trials
//! continue. `trial` trains one trial up to the next rung, `search` all of them side by side, in the time that `timing` gives
//! them, and `best` writes the best. `journal` records results, so
//! that a stopped search resumes, and `folder` is the layout of its folder.

mod best;
mod draws;
pub mod folder;
pub mod halving;
pub mod journal;
pub mod plan;
pub mod range;
pub mod search;
pub mod space;
mod timing;
mod trial;

pub use folder::TuneFolder;
pub use halving::{Rung, rungs};
pub use journal::{Journal, Measured, Subject};
pub use plan::Plan;
pub use range::Range;
pub use search::{Ended, Event, Search, SearchResult, TrialResult};
pub use space::{SEARCHED, Searched, Space};
