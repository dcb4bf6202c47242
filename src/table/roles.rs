//! Which columns of a table are targets, weights or nothing of interest.

use super::columns::Columns;
use super::target;
use crate::error::{Error, Refusal, Result};
use crate::message::Key;

/// The columns that are no inputs.
pub(super) struct Roles {
    pub targets: Vec<usize>,
    pub weight: Option<usize>,
    pub dropped: Vec<usize>,
}
impl Roles {
    pub fn find(
        columns: &Columns,
        targets: &[String],
        sample_weight: Option<&str>,
        drop: &[String],
    ) -> Result<Roles> {
        let targets = target::find(columns, targets)?;
        let weight = sample_weight.map(|word| columns.find(Key("sample_weight"), word));
        let weight = weight.transpose()?;
        let mut dropped = Vec::new();
        for words in drop {
            dropped.extend(columns.find_all(Key("drop"), words)?);
        }
        let twice = |key: Key, at: usize, what: &str| {
            let found = format!("{}, which is {what}", columns.title(at));
            Err(Error::Config(Refusal::new(key, found, "another column")))
        };
        if let Some(weight) = weight.filter(|weight| targets.contains(weight)) {
            return twice(Key("sample_weight"), weight, "a target");
        }
        if let Some(&both) = dropped.iter().find(|at| targets.contains(at)) {
            return twice(Key("drop"), both, "a target");
        }
        if let Some(&both) = dropped.iter().find(|at| weight == Some(**at)) {
            return twice(Key("drop"), both, "the weight of the rows");
        }
        Ok(Roles {
            targets,
            weight,
            dropped,
        })
    }

    pub fn is_input(&self, column: usize) -> bool {
        !self.targets.contains(&column) && self.weight != Some(column)
    }
}
