//! Fetching a data set from its mirrors: what is missing is downloaded, verified, unpacked and put into place.
//!
//! ```text
//! catalogue ─► download ──────────────► checksum ─► unpack ───────────────────► place
//!  what and     mirrors in turn, into    against     bounded by the known size,   durable, atomic,
//!  where        a partial file, resumed  the sum     a first time for the sum     noted in SHA256SUMS
//! ```
//!
//! A mirror is trusted with nothing: not with a size, not with a path, not with the bytes. One that fails or lies is
//! named and the next one asked. `catalogue` needs no network and is there in every build; the rest is behind the
//! feature `fetch`.

pub mod catalogue;
#[cfg(feature = "fetch")]
mod checksum;
#[cfg(feature = "fetch")]
mod download;
#[cfg(feature = "fetch")]
mod part;
#[cfg(feature = "fetch")]
mod place;
#[cfg(feature = "fetch")]
mod unpack;

pub use catalogue::{CATALOGUE, DataSet};
#[cfg(feature = "fetch")]
pub use place::{Event, Request, fetch};
