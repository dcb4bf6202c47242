//! The contents of a model file, read with only the safetensors crate and serde_json.

use safetensors::SafeTensors;
use serde_json::Value;

/// Returns the elements of one tensor.
pub fn tensor(model: &[u8], name: &str) -> Vec<f32> {
    let tensors = SafeTensors::deserialize(model).expect("a safetensors file");
    let tensor = tensors.tensor(name).expect("the tensor");
    let numbers = tensor.data().as_chunks::<4>().0.iter();
    numbers.map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

/// Returns the elements of every tensor, sorted by name.
pub fn tensors(model: &[u8]) -> Vec<(String, Vec<f32>)> {
    let file = SafeTensors::deserialize(model).expect("a safetensors file");
    let mut names: Vec<String> = file.names().into_iter().map(str::to_owned).collect();
    names.sort();
    let with_numbers = |name: String| {
        let numbers = tensor(model, &name);
        (name, numbers)
    };
    names.into_iter().map(with_numbers).collect()
}

/// Returns the JSON object under the key `perceptor`.
pub fn metadata(model: &[u8]) -> Value {
    let (_, header) = SafeTensors::read_metadata(model).expect("a safetensors file");
    let metadata = header.metadata().as_ref().expect("metadata");
    serde_json::from_str(&metadata["perceptor"]).expect("JSON")
}

/// Returns offset and factor of the input scaling.
pub fn scaling(model: &[u8]) -> (f64, f64) {
    let scaling = &metadata(model)["scaling"];
    let number = |name: &str| scaling[name].as_f64().expect("a number");
    (number("offset"), number("factor"))
}
