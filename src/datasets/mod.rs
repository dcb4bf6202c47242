//! Making data sets: `convert` reads other formats, `fetch` downloads, `digits` draws handwritten digits and `generated`
//! writes a data set of them.

#[cfg(feature = "convert")]
pub mod convert;
pub mod digits;
#[cfg(feature = "fetch")]
pub mod fetch;
pub mod generated;
mod zip;
