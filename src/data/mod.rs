//! Data sets: from files or arrays to mini-batches. Nothing here writes a data set; [`crate::datasets`] does.
//!
//! - Files: `file_kind` recognises formats, `files` opens them, `folder` finds them by their usual names, `mmap` maps them, `gzip` decodes
//!   compressed ones, `idx` checks the format, `label_file` and `class_names` read labels and names.
//! - A set: `rows` are the features, from an IDX file or an array, `targets` are what to predict, `dataset` pairs both,
//!   `splits` has the training, validation and test sets, `holdout` draws a validation set, `target_scaling`
//!   standardises the values of a regression.
//! - Preprocessing: `preprocessing` maps a row to inputs by a `scaling` and active columns, `fit_scaling`,
//!   `fit_features`, `fit_columns` and `fit_sparsity` fit them to the training rows, `decode` applies them to stored elements.
//! - Comparisons: `extent` compares the elements of sets, `class_map` their classes; `empty_classes` names those without a sample.
//! - An epoch: `order` shuffles. A run: `fingerprint` identifies the data, `watch` detects changed files.
//! - Writing: `replacement` puts the files of a set into place together, `source_record` remembers what they were made from,
//!   `same_contents` compares files of one kind. `note` has what was left out or changed.

mod class_map;
pub mod class_names;
pub(crate) mod content_hash;
pub mod dataset;
mod decode;
pub mod empty_classes;
pub mod extent;
pub mod file_kind;
pub mod files;
pub(crate) mod filled;
pub mod fingerprint;
pub mod fit_columns;
mod fit_features;
pub mod fit_scaling;
pub mod fit_sparsity;
pub mod folder;
pub(crate) mod gzip;
pub mod holdout;
pub mod idx;
pub mod kind_of_file;
pub mod label_file;
pub mod mmap;
pub(crate) mod names;
mod note;
pub mod order;
pub mod preprocessing;
pub mod replacement;
pub mod rows;
pub(crate) mod same_contents;
pub mod scaling;
pub mod source_record;
pub mod splits;
pub mod target_scaling;
pub mod targets;
pub mod watch;

pub use class_map::KnownClasses;
pub use class_names::ClassNames;
pub use dataset::Dataset;
pub use extent::Extent;
pub use file_kind::{FileKind, PictureFormat};
pub use files::DataMode;
pub use fingerprint::Fingerprint;
pub use holdout::Holdout;
pub use idx::IdxFile;
pub use kind_of_file::kind_of_file;
pub use note::Note;
pub use preprocessing::Preprocessing;
pub use rows::Rows;
pub use scaling::{FeatureScaling, GlobalScaling, Scale, Scaling};
pub use splits::Splits;
pub use target_scaling::{TargetScale, TargetScaling};
pub use targets::Targets;
pub use watch::Watch;
