//! The table that is encoded: where it is, where its columns are, and what its cells may be.

use std::path::PathBuf;

use crate::message::{Key, Message, message};
use crate::table::block::Block;
use crate::table::options::{Decimal, MissingPolicy};
use crate::table::schema::Schema;
use crate::table::text;

/// Where the columns of a schema are in a table.
#[derive(Debug, Clone)]
pub(in crate::table) struct Mapping {
    /// For each column of the schema; `None` if it has no inputs.
    pub columns: Vec<Option<usize>>,
    /// For each target; none if targets are not read.
    pub targets: Vec<usize>,
    pub weight: Option<usize>,
    /// The number of columns of the table.
    pub width: usize,
}

/// What all columns of a table have in common.
#[derive(Debug)]
pub(in crate::table) struct Context<'a> {
    pub path: PathBuf,
    pub schema: &'a Schema,
    pub mapping: Mapping,
    pub decimal: Decimal,
    pub missing: MissingPolicy,
}

impl Context<'_> {
    /// Returns the place of a cell, for messages.
    pub fn at(&self, block: &Block, row: usize, title: &str) -> String {
        let row = text::row(&self.path, block.position(row));
        format!("{row}, {title}")
    }
}

/// Returns what to do about a missing cell that was refused.
pub(in crate::table) fn fill_hint() -> Message {
    message![
        "to fill missing cells, use ",
        Key("missing").set_to(MissingPolicy::Fill.name())
    ]
}
