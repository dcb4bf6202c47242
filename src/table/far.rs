//! Columns of a later table whose numbers are far from those of the training file, as in other units.
//!
//! A number becomes an input of mean 0 and deviation 1 over the training file, so the mean magnitude of its inputs was at
//! most 1 there, however long the tails of the column are.

use super::cell::short;
use super::schema::{Encoding, Schema};
use crate::data::Rows;
use crate::data::extent::sampled_rows;

/// The mean magnitude of the inputs of a column that is far away.
const FAR: f64 = 8.0;
/// The fewest rows that are judged: a few rows of the training file itself may be far from its mean.
const FEWEST_ROWS: usize = 64;

impl Schema {
    /// Returns words about the columns of numbers that are far from the training file, if there are any. Only some of the
    /// `rows`, which are encoded, are read.
    pub(super) fn far_columns(&self, rows: &Rows) -> Option<String> {
        const SHOWN: usize = 5;
        if rows.len() < FEWEST_ROWS {
            return None;
        }
        let mut sums = vec![0.0; rows.features()];
        let mut row = vec![0.0; rows.features()];
        let mut count = 0.0;
        for index in sampled_rows(rows) {
            rows.read(index, &mut row);
            count += 1.0;
            let inputs = sums.iter_mut().zip(&row);
            inputs.for_each(|(sum, input)| *sum += f64::from(input.abs()));
        }
        let mut first = 0;
        let mut far = Vec::new();
        for column in &self.columns {
            let input = first;
            first += column.encoding.inputs();
            let (Encoding::Number { scale, .. } | Encoding::Date { scale, .. }) = &column.encoding
            else {
                continue;
            };
            let distance = sums[input] / count;
            // Without a deviation, or if numbers are taken as they are, nothing is known of distances.
            if scale.factor != 1.0 && distance > FAR {
                let name = column.place.name.as_deref().map(short);
                let name = name.unwrap_or_else(|| format!("column {}", column.place.position + 1));
                far.push(format!("{name} {distance:.0}"));
            }
        }
        let shown = far[..far.len().min(SHOWN)].join(", ");
        let more = match far.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!far.is_empty()).then(|| {
            format!(
                "numbers far from those of the training file, in standard deviations on average: {shown}{more}; if they \
                 are in other units, predictions mean little"
            )
        })
    }
}
