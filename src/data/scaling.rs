//! How elements become network inputs: `x = (element − offset) · factor`, one pair for all features.
//!
//! The pair is fixed by the training set, used for every other set, and stored in the model.
//!
//! `unit` divides by the largest magnitude of the element type (255 for `u8`), so that inputs lie in
//! 0..1, or −1..1 for signed types. A training set that stays within half of its type's range, such as
//! bytes that count to 16 or 100, is divided by its own largest magnitude instead. Floats have no range
//! of their own: up to a magnitude of 16 (unit or standardised inputs) they are taken as they are, and
//! beyond that they are divided by the largest one.

use std::ops::ControlFlow;

use multiversion::multiversion;
use serde::{Deserialize, Serialize};

use super::idx::{ElementType, IdxFile};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// Floats up to this magnitude are taken to be scaled already.
const SCALED_FLOATS: f32 = 16.0;

/// Leaves elements as they are.
pub const AS_IT_IS: Scaling = Scaling {
    offset: 0.0,
    factor: 1.0,
};

/// A rule that finds the [`Scaling`] of a training set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Divide by the largest magnitude of the type, or of the set where that is far smaller.
    #[default]
    Unit,
    /// Subtract the training set's mean and divide by its standard deviation.
    Standard,
    /// Take the elements as they are.
    None,
    /// As the model has it that a run begins from.
    Model,
}

impl Scale {
    /// Every rule.
    pub const ALL: [Scale; 4] = [Scale::Unit, Scale::Standard, Scale::None, Scale::Model];

    /// The name used by flags, files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Scale::Unit => "unit",
            Scale::Standard => "standard",
            Scale::None => "none",
            Scale::Model => "model",
        }
    }
}

/// An affine map from elements to inputs: `x = (element − offset) · factor`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// Subtracted first, in units of the elements.
    pub offset: f32,
    /// Multiplied last, in inputs per unit of the elements.
    pub factor: f32,
}

impl Scaling {
    /// Applies `scale` to `train`, the training images.
    ///
    /// # Errors
    /// [`Error::Data`] when a float element is not finite, or when `standard` is asked of a set whose
    /// elements are all equal; [`Error::Config`] when it is to be a model's.
    pub fn fit(scale: Scale, train: &IdxFile) -> Result<Scaling> {
        check_finite(train)?;
        match scale {
            Scale::None => Ok(AS_IT_IS),
            Scale::Unit => Ok(Scaling {
                offset: 0.0,
                factor: 1.0 / unit_magnitude(train),
            }),
            Scale::Standard => standard(train),
            Scale::Model => Err(Error::Config(Refusal::new(
                Key("scale"),
                "model",
                message!["a model to begin from, with ", Key("init_from")],
            ))),
        }
    }
}

/// The magnitude that `unit` divides by; 1 for a set of nothing but zeros.
fn unit_magnitude(train: &IdxFile) -> f32 {
    let full = match train.header().element() {
        ElementType::U8 => 255.0,
        ElementType::I8 => 128.0,
        ElementType::I16 => 32_768.0,
        ElementType::I32 => 2_147_483_648.0,
        ElementType::F32 | ElementType::F64 => f32::INFINITY,
    };
    let mut largest = 0f32;
    let _ = for_each_row(train, |_, row| {
        largest = row.iter().fold(largest, |most, x| most.max(x.abs()));
        // Most sets show what they use in their first items; the others are read through.
        if largest >= full / 2.0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    if largest >= full / 2.0 {
        full
    } else if largest == 0.0 || (full.is_infinite() && largest <= SCALED_FLOATS) {
        1.0
    } else {
        largest
    }
}

fn standard(train: &IdxFile) -> Result<Scaling> {
    let (mean, deviation) = match train.header().element() {
        ElementType::U8 => moments_of_bytes(train),
        _ => moments(train),
    };
    let factor = (1.0 / deviation) as f32;
    if !(factor.is_finite() && factor > 0.0) {
        return Err(Error::Data(
            Refusal::new(
                train.path().display(),
                format!("a standard deviation of {deviation}"),
                message![
                    "elements that differ, as ",
                    Key("scale").set_to("standard"),
                    " divides by their deviation"
                ],
            )
            .hint(message![
                "use ",
                Key("scale").set_to("unit"),
                " or ",
                Key("scale").set_to("none")
            ]),
        ));
    }
    Ok(Scaling {
        offset: mean as f32,
        factor,
    })
}

/// Mean and standard deviation of all elements, by exact sums of integers, which are quicker than floats too.
fn moments_of_bytes(train: &IdxFile) -> (f64, f64) {
    let (mut sum, mut squares) = (0u128, 0u128);
    for item in 0..train.header().items() {
        let (of_item, squares_of_item) = sums_of_bytes(train.item(item));
        sum += u128::from(of_item);
        squares += u128::from(squares_of_item);
    }
    let count = (train.header().items() * train.header().features()) as u128;
    // n Σx² − (Σx)² is exact, and no difference of nearly equal floats.
    let spread = (count * squares - sum * sum) as f64;
    let count = count as f64;
    (sum as f64 / count, spread.sqrt() / count)
}

/// `Σ x` and `Σ x²`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn sums_of_bytes(bytes: &[u8]) -> (u64, u64) {
    /// So many squares of bytes fit 32 bits.
    const CHUNK: usize = 1 << 15;
    let (mut sum, mut squares) = (0, 0);
    for chunk in bytes.chunks(CHUNK) {
        let (mut of_chunk, mut squares_of_chunk) = (0u32, 0u32);
        for &byte in chunk {
            let byte = u32::from(byte);
            of_chunk += byte;
            squares_of_chunk += byte * byte;
        }
        sum += u64::from(of_chunk);
        squares += u64::from(squares_of_chunk);
    }
    (sum, squares)
}

/// Mean and standard deviation of all elements.
fn moments(train: &IdxFile) -> (f64, f64) {
    let count = (train.header().items() * train.header().features()) as f64;
    let sum_by = |term: &dyn Fn(f64) -> f64| {
        let mut sum = 0.0;
        let _ = for_each_row(train, |_, row| {
            sum += row.iter().map(|&x| term(f64::from(x))).sum::<f64>();
            ControlFlow::<()>::Continue(())
        });
        sum
    };
    let mean = sum_by(&|x| x) / count;
    let deviation = (sum_by(&|x| (x - mean) * (x - mean)) / count).sqrt();
    (mean, deviation)
}

/// Holds every element of `file` against being a number; integers always are.
///
/// # Errors
/// [`Error::Data`] naming the first float that is not finite.
pub(crate) fn check_finite(file: &IdxFile) -> Result<()> {
    let element = file.header().element();
    if !matches!(element, ElementType::F32 | ElementType::F64) {
        return Ok(());
    }
    let found = for_each_row(file, |item, row| {
        match row.iter().position(|x| !x.is_finite()) {
            Some(at) => ControlFlow::Break(format!("item {item}, feature {at} is {}", row[at])),
            None => ControlFlow::Continue(()),
        }
    });
    match found {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(found) => Err(Error::Data(Refusal::new(
            file.path().display(),
            found,
            "finite numbers",
        ))),
    }
}

/// Shows `look` the items of `file` one after the other, unscaled, until it breaks off.
fn for_each_row<B>(
    file: &IdxFile,
    mut look: impl FnMut(usize, &[f32]) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let mut row = vec![0.0; file.header().features()];
    (0..file.header().items()).try_for_each(|item| {
        file.read(item, &mut row);
        look(item, &row)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::idx::Header;
    use crate::data::mmap::Bytes;
    use std::path::Path;

    fn set(element: ElementType, payload: Vec<u8>) -> IdxFile {
        let path = Path::new("train-images");
        let items = payload.len() / element.size();
        let header = Header::new(path, element, &[items, 1]).expect("a header");
        let bytes = [header.to_bytes(), payload].concat();
        IdxFile::from_bytes(path, Bytes::Owned(bytes)).expect("a good file")
    }

    fn floats(values: &[f32]) -> IdxFile {
        let payload = values.iter().flat_map(|x| x.to_be_bytes()).collect();
        set(ElementType::F32, payload)
    }

    fn unit_factor(train: &IdxFile) -> f32 {
        Scaling::fit(Scale::Unit, train).expect("a scaling").factor
    }

    #[test]
    fn unit_divides_bytes_by_255_unless_they_stay_in_the_lower_half() {
        let bytes = |largest| set(ElementType::U8, vec![0, 3, largest]);
        assert_eq!(unit_factor(&bytes(255)), 1.0 / 255.0);
        assert_eq!(unit_factor(&bytes(200)), 1.0 / 255.0);
        assert_eq!(unit_factor(&bytes(100)), 1.0 / 100.0);
        assert_eq!(unit_factor(&bytes(16)), 1.0 / 16.0);
    }

    #[test]
    fn unit_leaves_scaled_floats_alone_and_zeros_finite() {
        assert_eq!(unit_factor(&floats(&[-3.5, 2.0])), 1.0);
        assert_eq!(unit_factor(&floats(&[-1000.0, 2.0])), 1.0 / 1000.0);
        assert_eq!(unit_factor(&set(ElementType::U8, vec![0, 0])), 1.0);
    }

    #[test]
    fn standard_gives_mean_zero_and_deviation_one() {
        let scaling =
            Scaling::fit(Scale::Standard, &set(ElementType::U8, vec![2, 4, 6])).expect("a scaling");
        // Mean 4, population deviation √(8/3).
        assert_eq!(scaling.offset, 4.0);
        assert!((scaling.factor - (3.0f32 / 8.0).sqrt()).abs() < 1e-7);
        let equal = Scaling::fit(Scale::Standard, &set(ElementType::U8, vec![7, 7]));
        assert!(equal.is_err());
    }

    #[test]
    fn bytes_have_the_moments_of_the_same_floats() {
        let bytes: Vec<u8> = (0..70_000u64).map(|i| (i * i % 251) as u8).collect();
        let file = set(ElementType::U8, bytes);
        let (by_integers, by_floats) = (moments_of_bytes(&file), moments(&file));
        assert!(
            (by_integers.0 - by_floats.0).abs() < 1e-9,
            "{by_integers:?}"
        );
        assert!(
            (by_integers.1 - by_floats.1).abs() < 1e-9,
            "{by_integers:?}"
        );
    }

    #[test]
    fn a_float_that_is_not_finite_is_named() {
        let refused = Scaling::fit(Scale::None, &floats(&[1.0, f32::NAN]));
        let message = refused.expect_err("a refusal").to_string();
        assert!(message.contains("item 1, feature 0 is NaN"), "{message}");
    }
}
