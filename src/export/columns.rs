//! The columns of a table that a model was trained on, as other programs pass their cells.

use crate::table::schema::{Column, Encoding, Schema};

/// The columns that have inputs, in the order of the training file.
pub struct TableColumns<'a> {
    /// Numbers, and dates as days since 1970-01-01.
    pub numbers: Vec<&'a Column>,
    /// Flags and categories.
    pub texts: Vec<&'a Column>,
}

impl<'a> TableColumns<'a> {
    /// Returns the columns of `schema` that have inputs.
    pub fn of(schema: &'a Schema) -> TableColumns<'a> {
        let with = |is_kind: fn(&Encoding) -> bool| {
            let columns = schema.columns.iter();
            columns.filter(|column| is_kind(&column.encoding)).collect()
        };
        TableColumns {
            numbers: with(|of| matches!(of, Encoding::Number { .. } | Encoding::Date { .. })),
            texts: with(|of| matches!(of, Encoding::Flag { .. } | Encoding::Categories { .. })),
        }
    }
}

/// Returns the name of a column, or its number from 1 if the training file had no names.
pub fn name(column: &Column) -> String {
    match &column.place.name {
        Some(name) => name.clone(),
        None => format!("column {}", column.place.position + 1),
    }
}

/// Returns the names of some columns.
pub fn names(columns: &[&Column]) -> Vec<String> {
    columns.iter().map(|column| name(column)).collect()
}

/// Returns the code of the category of a missing cell: the position among `values`, or the code after the last one if
/// there is no such value.
pub(super) fn code_of(fill: &str, values: &[String]) -> usize {
    let position = values.iter().position(|value| value == fill);
    position.unwrap_or(values.len())
}
