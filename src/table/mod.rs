//! Tables as people have them: CSV files with words, missing cells and columns of very different ranges.
//!
//! ```text
//! CSV ─► text, syntax, dialect ─► passes ─► block ─► survey, facts ─► infer, target ─► schema
//!        windows, where cells end  pieces    typed    first pass       what columns
//!                                  on all    cells                     become
//!                                  workers     └──────► encode ─► collect ─► Dataset
//!                                                       second pass, by the schema
//! ```
//!
//! [`TrainingTable::survey`] examines the training file and finds its [`Schema`], [`TrainingTable::read`] encodes it.
//! [`Schema::read_labelled`] and [`Schema::read_rows`] read later files by the schema. Whatever is guessed, left out or
//! changed is a [`Note`](crate::data::Note).
//!
//! Inputs are final: numbers are standardised, categories are 0 and 1, and a network needs no further scaling
//! ([`crate::data::Rows::are_inputs`]).

mod ahead;
#[cfg_attr(
    not(feature = "convert"),
    expect(dead_code, reason = "conversion reads with more options")
)]
pub(crate) mod block;
#[cfg_attr(
    not(feature = "convert"),
    expect(dead_code, reason = "conversion reads with more options")
)]
pub(crate) mod blocks;
mod cache;
pub mod cell;
mod collect;
mod collected;
#[cfg_attr(
    not(feature = "convert"),
    expect(dead_code, reason = "conversion reads with more options")
)]
pub(crate) mod columns;
mod date;
mod detect;
pub(crate) mod dialect;
mod dictionary;
mod encode;
mod facts;
mod far;
mod filling;
mod infer;
mod later;
mod moments;
mod note;
pub mod options;
mod passes;
mod records;
pub mod report;
mod roles;
mod sample;
pub mod schema;
mod survey;
pub(crate) mod syntax;
mod target;
pub(crate) mod text;
mod training;

pub use later::EncodedRows;
pub use options::{Cache, Decimal, Delimiter, MissingPolicy, NumberScale, TableOptions};
pub use records::Records;
pub use report::TableReport;
pub use schema::{Column, Encoding, Schema, Target, TargetKind};
pub use text::is_table;
pub use training::{Encoded, TableRequest, TrainingTable};
