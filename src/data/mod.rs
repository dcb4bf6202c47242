//! From files to mini-batches: bytes are mapped, checked once, and then only read.
//!
//! `folder` finds the files, `gzip` decodes what is compressed, `mmap` and `idx` turn bytes into typed
//! items, `dataset` pairs images with labels, `preprocessing` fixes how an item becomes inputs by `scaling` and
//! `columns`, `loader` shuffles, `digits` draws and `generated` writes a set for those who have none, `fetch` gets
//! one from the web.

pub mod columns;
pub mod dataset;
pub mod digits;
pub mod fetch;
pub mod folder;
pub mod generated;
mod gzip;
pub mod idx;
pub mod loader;
pub mod mmap;
pub mod preprocessing;
pub mod scaling;

pub use columns::Columns;
pub use dataset::{Dataset, Splits};
pub use idx::IdxFile;
pub use preprocessing::Preprocessing;
pub use scaling::{Scale, Scaling};
