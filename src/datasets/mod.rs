//! Ways to make a data set: `convert` reads other formats, `fetch` downloads, and `generated` writes a set of handwritten
//! digits, which `digits` draws.

#[cfg(feature = "convert")]
pub mod convert;
pub mod digits;
#[cfg(feature = "fetch")]
pub mod fetch;
pub mod generated;
#[cfg(any(feature = "convert", feature = "fetch"))]
mod zip;
