//! The options of a table: how its text is read, and what becomes of its columns.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::named::named;

/// The default of [`TableOptions::max_categories`].
pub const MAX_CATEGORIES: usize = 64;

/// How a table is read. Everything that is `None` is detected from the start of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOptions {
    /// What separates the cells of a row.
    pub delimiter: Option<Delimiter>,
    /// The decimal mark of numbers.
    pub decimal: Option<Decimal>,
    /// Whether the first row has the names of the columns. Only the training file is asked: the answer is kept in the
    /// schema, and holds for every later file.
    pub header: Option<bool>,
    /// The character that starts a comment line. `None` takes lines that start with `#` before the first row.
    pub comment: Option<u8>,
    /// What becomes of a missing cell.
    pub missing: MissingPolicy,
    /// The most categories of a column that get an input each; the others share one.
    pub max_categories: usize,
    /// Columns to leave out, by name or number; an entry may be a list separated by commas.
    pub drop: Vec<String>,
    /// Whether columns of dates become numbers.
    pub dates: bool,
    /// How numbers become inputs.
    pub scale: NumberScale,
    /// The most bytes of encoded rows in memory; more go to a file. `None` is a quarter of the memory.
    pub memory: Option<u64>,
    /// The file for encoded rows that are too many for the memory.
    pub cache: Cache,
}

/// The file for encoded rows that are too many for the memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Cache {
    /// A file without a name in the folder for temporary files. The system removes it with the process.
    #[default]
    Temporary,
    /// A file without a name in this folder.
    Unnamed(PathBuf),
    /// This file, which stays, and is used again if it has the rows of the same table, read in the same way. It names the
    /// table that its rows are from, and appears only when it is complete.
    File(PathBuf),
}

impl Default for TableOptions {
    fn default() -> TableOptions {
        TableOptions {
            delimiter: None,
            decimal: None,
            header: None,
            comment: None,
            missing: MissingPolicy::default(),
            max_categories: MAX_CATEGORIES,
            drop: Vec::new(),
            dates: false,
            scale: NumberScale::default(),
            memory: None,
            cache: Cache::default(),
        }
    }
}

/// What separates the cells of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimiter {
    /// One byte between two cells.
    Byte(u8),
    /// Any run of spaces and tabs.
    WhiteSpace,
}

impl Delimiter {
    /// Returns the delimiter with an article, for messages.
    pub fn name(self) -> String {
        match self {
            Delimiter::Byte(b',') => "a comma".to_owned(),
            Delimiter::Byte(b';') => "a semicolon".to_owned(),
            Delimiter::Byte(b'\t') => "a tab".to_owned(),
            Delimiter::Byte(b' ') => "a space".to_owned(),
            Delimiter::Byte(b'|') => "a bar".to_owned(),
            Delimiter::Byte(other) => format!("{:?}", char::from(other)),
            Delimiter::WhiteSpace => "white space".to_owned(),
        }
    }
}

named! {
    /// The decimal mark of numbers.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    pub enum Decimal {
        /// As in 1.5.
        #[default]
        Point = ".",
        /// As in 1,5.
        Comma = ",",
    }
}

impl Decimal {
    /// Returns the mark.
    pub fn byte(self) -> u8 {
        match self {
            Decimal::Point => b'.',
            Decimal::Comma => b',',
        }
    }
}

named! {
    /// What becomes of a missing cell.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    pub enum MissingPolicy {
        /// It is filled with the median of its column, or with its most frequent value, and a further input marks it.
        #[default]
        Fill = "fill",
        /// It is an error that names its row and column.
        Refuse = "refuse",
    }
}

named! {
    /// How the numbers of a table become inputs.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    pub enum NumberScale {
        /// Each column has mean 0 and standard deviation 1 in the training file.
        #[default]
        Standard = "standard",
        /// As `standard`, but of the logarithms of columns that have a long tail.
        Log = "log",
        /// Numbers stay as they are.
        None = "none",
    }
}
