//! From files to mini-batches: bytes are mapped, checked once, and then only read.
//!
//! `folder` finds the files, `gzip` decodes what is compressed, `mmap` and `idx` turn bytes into typed
//! items, `dataset` pairs images with labels, `scaling` fixes how inputs become `f32`, `loader` shuffles
//! and gathers; `fingerprint` tells whether data are the same, `watch` whether they change underfoot; `digits` draws and
//! `generated` writes a set for those who have none.

pub mod dataset;
pub mod digits;
pub mod fingerprint;
pub mod folder;
pub mod generated;
mod gzip;
pub mod idx;
pub mod loader;
pub mod mmap;
pub mod scaling;
pub mod watch;

pub use dataset::{DataMode, Dataset, Splits};
pub use fingerprint::Fingerprint;
pub use idx::IdxFile;
pub use scaling::{Scale, Scaling};
pub use watch::Watch;
