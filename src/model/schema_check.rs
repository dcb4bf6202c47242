//! Checks of the schema in a model file, which may be damaged or come from elsewhere.

use std::collections::HashSet;

use super::metadata::Metadata;
use crate::error::Result;
use crate::nn::Task;
use crate::table::schema::{Encoding, Place, Schema, TargetKind};
use crate::tensors::TensorFile;

impl Metadata {
    /// Checks that the schema is valid, and that it is one of this network.
    pub(super) fn check_schema(&self, schema: &Schema, file: &TensorFile) -> Result<()> {
        if let Some((found, expected)) = fault(schema) {
            return Err(file.refuse(format!("a schema with {found}"), expected));
        }
        let end = |width: Option<&usize>| width.copied().unwrap_or(0);
        let found = (schema.inputs(), outputs(schema), schema.task());
        let expected = (
            end(self.layers.first()),
            end(self.layers.last()),
            Some(self.task),
        );
        let words = |(inputs, outputs, task): (usize, usize, Option<Task>)| {
            let task = task.map_or("no task", Task::name);
            format!("{inputs} inputs and {outputs} outputs of {task}")
        };
        match found == expected {
            true => Ok(()),
            false => Err(file.refuse(format!("a schema with {}", words(found)), &words(expected))),
        }
    }
}

/// Returns the number of outputs of a network for the targets of `schema`.
fn outputs(schema: &Schema) -> usize {
    schema
        .classes()
        .map_or(schema.targets.len(), <[String]>::len)
}

/// Returns what is wrong with a schema, and what it must be instead; `None` if it is valid.
fn fault(schema: &Schema) -> Option<(String, &'static str)> {
    let places = || {
        let columns = schema.columns.iter().map(|column| &column.place);
        let targets = schema.targets.iter().map(|target| &target.place);
        columns.chain(targets).chain(&schema.sample_weight)
    };
    let mut positions: Vec<usize> = places().map(|place| place.position).collect();
    positions.sort_unstable();
    if positions
        .iter()
        .enumerate()
        .any(|(at, &position)| at != position)
    {
        return Some((format!("columns at {positions:?}"), "each position once"));
    }
    let names: HashSet<_> = places().filter_map(|place| place.name.as_ref()).collect();
    let named = places()
        .filter(|place: &&Place| place.name.is_some())
        .count();
    let expected = if schema.header { positions.len() } else { 0 };
    if (names.len(), named) != (expected, expected) {
        return Some((
            format!("{} names", names.len()),
            "one for each column if it has a header",
        ));
    }
    let numbers = schema
        .columns
        .iter()
        .flat_map(|column| match &column.encoding {
            Encoding::Number { scale, fill, .. } | Encoding::Date { scale, fill, .. } => {
                let unit = scale.log_unit.unwrap_or(1.0);
                vec![scale.offset, scale.factor, *fill, unit.recip(), unit.sqrt()]
            }
            Encoding::Omitted { .. } | Encoding::Flag { .. } | Encoding::Categories { .. } => {
                Vec::new()
            }
        });
    if let Some(number) = numbers.into_iter().find(|number| !number.is_finite()) {
        return Some((number.to_string(), "finite numbers"));
    }
    let mut targets = schema.targets.iter();
    let kinds = |kind: &TargetKind| std::mem::discriminant(kind);
    let first = targets.next().map(|target| kinds(&target.kind));
    let is_mixed = targets.any(|target| Some(kinds(&target.kind)) != first);
    let has_classes = schema.classes().is_some();
    if is_mixed || (has_classes && schema.targets.len() > 1) {
        let found = format!("{} targets of several kinds", schema.targets.len());
        return Some((found, "one of classes, or several of another kind"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(text: &str) -> Schema {
        serde_json::from_str(text).expect("a schema")
    }

    #[test]
    fn a_valid_schema_has_no_fault() {
        let schema = schema(
            r#"{"header": true, "columns": [
                {"name": "a", "position": 0, "type": "number", "offset": 1.0, "factor": 2.0, "fill": 0.0},
                {"name": "b", "position": 2, "type": "omitted", "reason": "constant"}],
                "targets": [{"name": "y", "position": 1, "type": "classes", "classes": ["no", "yes"]}]}"#,
        );
        assert_eq!((fault(&schema), outputs(&schema)), (None, 2));
    }

    #[test]
    fn a_damaged_schema_has_a_fault() {
        let target = r#""targets": [{"name": "y", "position": 1, "type": "values"}]"#;
        for (columns, found) in [
            (
                r#"{"name": "a", "position": 5, "type": "omitted", "reason": "empty"}"#,
                "columns at [1, 5]",
            ),
            (
                r#"{"name": "a", "position": 1, "type": "omitted", "reason": "empty"}"#,
                "columns at [1, 1]",
            ),
            (
                r#"{"name": "y", "position": 0, "type": "omitted", "reason": "empty"}"#,
                "1 names",
            ),
            (
                r#"{"position": 0, "type": "omitted", "reason": "empty"}"#,
                "1 names",
            ),
        ] {
            let schema = schema(&format!(
                r#"{{"header": true, "columns": [{columns}], {target}}}"#
            ));
            let fault = fault(&schema).expect("a fault");
            assert_eq!(fault.0, found);
        }
    }
}
