//! Numbers of any floating point type, as `f64`, and how many of them 32 bits cannot hold exactly.

use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView};

use crate::data::fit_scaling::expected_instead;
use crate::error::Result;
use crate::tensors::TensorFile;

/// What was read in another type than `f32`.
#[derive(Debug, Default)]
pub(super) struct Converted {
    /// The types, in the order in which they were met.
    pub types: Vec<String>,
    /// The number of values of these types.
    pub values: usize,
    /// How many of them are not a number of 32 bits.
    pub rounded: usize,
}

/// Whether tensors of this type can be read.
pub(super) fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64)
}

/// Reads the tensor `name`, which `is_float`, and notes in `converted` what its type was.
///
/// # Errors
/// Returns [`crate::Error::Model`] if an element is NaN or infinite, or would be in 32 bits.
pub(super) fn read(
    file: &TensorFile,
    name: &str,
    tensor: &TensorView,
    converted: &mut Converted,
) -> Result<Vec<f64>> {
    let (bytes, dtype) = (tensor.data(), tensor.dtype());
    let values: Vec<f64> = match dtype {
        Dtype::F16 => of(bytes, |bytes| f16::from_le_bytes(bytes).to_f64()),
        Dtype::BF16 => of(bytes, |bytes| bf16::from_le_bytes(bytes).to_f64()),
        Dtype::F64 => of(bytes, f64::from_le_bytes),
        _ => of(bytes, |bytes| f64::from(f32::from_le_bytes(bytes))),
    };
    let is_bad = |value: &f64| !(*value as f32).is_finite();
    if let Some(at) = values.iter().position(is_bad) {
        let value = values[at];
        let expected = expected_instead(value, "finite numbers");
        return Err(file.refuse_tensor(name, format!("element {at} is {value:?}"), expected));
    }
    if dtype != Dtype::F32 {
        let dtype = dtype.to_string();
        if !converted.types.contains(&dtype) {
            converted.types.push(dtype);
        }
        let is_rounded = |value: &&f64| f64::from(**value as f32) != **value;
        converted.values += values.len();
        converted.rounded += values.iter().filter(is_rounded).count();
    }
    Ok(values)
}

fn of<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    let chunks = bytes.as_chunks::<N>().0.iter();
    chunks.map(|&bytes| number(bytes)).collect()
}
