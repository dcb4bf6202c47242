//! Fetching a data set from its mirrors: what is missing is downloaded, verified, unpacked and put into place.
//!
//! ```text
//! catalogue ─► download ──────────────► checksum ─► unpack ───────────────────► place
//!  what and     mirrors in turn, into    against     bounded by the known size,   durable, atomic,
//!  where        a partial file, resumed  the sum     a first time for the sum     noted in SHA256SUMS
//! ```
//!
//! A mirror is trusted with nothing: not with a size, not with a path, not with the bytes. One that fails or lies is
//! named and the next one asked.

pub mod catalogue;
mod checksum;
mod download;
mod part;
mod place;
mod unpack;

pub use catalogue::{CATALOGUE, DataSet};
pub use place::{Event, Request, fetch};
