//! Making data sets: `convert` reads other formats, `fetch` downloads, `digits` draws handwritten digits and `generated`
//! writes a data set of them.

pub mod convert;
pub mod digits;
pub mod fetch;
pub mod generated;
