//! From files to mini-batches: bytes are mapped, checked once, and then only read.
//!
//! `folder` finds the files, `gzip` decodes what is compressed, `mmap`, `idx` and `decode` turn bytes into
//! typed items, `targets` are what is to be learned of them, `dataset` pairs both, `preprocessing` fixes how an item becomes
//! inputs by `scaling` and `columns`, `holdout` draws a validation set, `loader` shuffles; `class_names` says what classes
//! are called; `fingerprint` tells whether data are the same, `watch` whether they change underfoot; `digits` draws and
//! `generated` writes a set for those who have none, `fetch` gets one from the web, `convert` makes one of files in other
//! formats.

pub mod class_names;
pub mod columns;
pub mod dataset;
mod decode;
pub mod fingerprint;
pub mod folder;
pub(crate) mod gzip;
pub mod holdout;
pub mod idx;
pub mod mmap;
pub mod order;
pub mod preprocessing;
pub mod scaling;
pub mod targets;
pub mod watch;

pub use class_names::ClassNames;
pub use dataset::{DataMode, Dataset, Splits};
pub use fingerprint::Fingerprint;
pub use holdout::Holdout;
pub use idx::IdxFile;
pub use preprocessing::Preprocessing;
pub use scaling::{Scale, Scaling};
pub use targets::Targets;
pub use watch::Watch;
