//! Reads records that earlier versions of the program wrote.

use serde_json::{Map, Value, json};

use crate::data::Scale;

/// The layout of records of networks with few settings.
pub(super) const FIRST: &str = "perceptor.bench/1";
/// The layout of records in which the scale `standard` is one pair of numbers for all features.
pub(super) const SECOND: &str = "perceptor.bench/2";

/// Turns a record of [`SECOND`] into one of the layout `schema`.
pub(super) fn convert_second(record: &mut Value, schema: &str) {
    record["schema"] = json!(schema);
    let settings = record
        .get_mut("work")
        .and_then(|work| work.get_mut("settings"));
    let scale = settings.and_then(|settings| settings.get_mut("scale"));
    if let Some(scale) = scale.filter(|scale| **scale == json!(Scale::Standard)) {
        *scale = json!(Scale::Standard.renamed());
    }
}

/// Turns a record of [`FIRST`] into one of the layout `schema`. What does not have the fields of such a record is left
/// for the reader of that layout to refuse.
pub(super) fn convert_first(record: &mut Value, schema: &str) {
    record["schema"] = json!(schema);
    for measured_later in ["cores", "phases"] {
        record[measured_later] = json!([]);
    }
    if let Some(work) = record.get_mut("work").and_then(Value::as_object_mut) {
        work.insert("init_from".to_owned(), Value::Null);
        work.insert("settings".to_owned(), Value::Object(settings(work)));
    }
}

/// The settings that the earlier `work` names; all others had their defaults.
fn settings(work: &Map<String, Value>) -> Map<String, Value> {
    let named = [
        "activation",
        "batch_size",
        "learning_rate",
        "momentum",
        "seed",
        "engine",
    ];
    let named = named.into_iter().filter_map(|key| {
        let value = work.get(key)?.clone();
        Some((key.to_owned(), value))
    });
    let hidden = work.get("network").and_then(Value::as_str).map(hidden);
    named
        .chain(hidden.map(|hidden| ("hidden".to_owned(), hidden)))
        .collect()
}

/// The hidden layers of a network such as `784-100-10`.
fn hidden(network: &str) -> Value {
    let widths: Vec<&str> = network.split('-').collect();
    let hidden = widths.get(1..widths.len().saturating_sub(1));
    let width = |text: &&str| {
        text.parse::<u64>()
            .map_or_else(|_| json!(text), Value::from)
    };
    hidden.unwrap_or_default().iter().map(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pair_for_all_features_has_another_name_now() {
        for (earlier, now) in [("standard", "standard-global"), ("unit", "unit")] {
            let mut record = json!({"schema": SECOND, "work": {"settings": {"scale": earlier}}});
            convert_second(&mut record, "s");
            let expected = json!({"schema": "s", "work": {"settings": {"scale": now}}});
            assert_eq!(record, expected);
        }
    }

    #[test]
    fn hidden_layers_are_those_between_inputs_and_outputs() {
        assert_eq!(hidden("784-100-10"), json!([100]));
        assert_eq!(hidden("784-512-256-10"), json!([512, 256]));
        assert_eq!(hidden("784-10"), json!([]));
        assert_eq!(hidden("784"), json!([]));
        // Refused by the type of the setting.
        assert_eq!(hidden("784-many-10"), json!(["many"]));
    }
}
