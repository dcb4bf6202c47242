//! Download of data sets from their mirrors: missing files are downloaded, verified, unpacked and renamed into place.
//!
//! ```text
//! catalogue ─► mirrors, download ─────► checksum ──► unpack ────────────────────────► place
//!  files and    mirrors in turn, into    compared      a first time for the checksum,    synced, renamed,
//!  addresses    a partial file, resumed  with it       never beyond the known size       recorded in SHA256SUMS,
//!                                                                                        all of them together
//! ```
//!
//! Mirrors are not trusted with a size, a path or contents. A mirror that fails or serves something else is reported, and
//! the next one is tried.

pub mod catalogue;
mod checksum;
mod download;
mod mirrors;
mod part;
mod place;
mod request;
mod unpack;

pub use catalogue::{CATALOGUE, DataSet};
pub use place::fetch;
pub use request::{Event, Request};
