//! Fits a [`Scaling`] to the training rows.
//!
//! `unit` divides by the largest magnitude of the element type (255 for `u8`), so that inputs are in 0..1, or in −1..1
//! for signed types. A training set that uses at most half of the range of its type, such as bytes up to 16 or 100, is
//! divided by its own largest magnitude instead. Floats have no range of their own: up to a magnitude of 16 (unit or
//! standardised inputs) they stay unchanged, and beyond it they are divided by the largest one.
//!
//! `standard` fits a pair of numbers to each feature (`fit_features`), `standard-global` one pair to all.

use std::ops::ControlFlow;

use multiversion::multiversion;

use super::fit_features::fit_features;
use super::idx::ElementType;
use super::rows::Rows;
use super::scaling::{Scale, Scaling};
use crate::compute::parallel::Workers;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// Floats up to this magnitude are assumed to be scaled already.
const SCALED_FLOATS: f32 = 16.0;

/// Fits `scale` to the training rows.
///
/// # Errors
/// Returns [`Error::Data`] if a float is NaN or infinite, or if a rule that divides by a deviation meets rows without
/// any, and [`Error::Config`] for [`Scale::Model`], which needs a model instead of rows, and for [`Scale::Log`], which needs
/// the columns of a table.
pub fn fit_scaling(scale: Scale, train: &Rows, workers: &Workers) -> Result<Scaling> {
    check_finite(train)?;
    match scale {
        Scale::None => Ok(Scaling::IDENTITY),
        Scale::Unit => Ok(Scaling::global(0.0, 1.0 / unit_magnitude(train))),
        Scale::Standard => fit_features(train, workers),
        Scale::StandardGlobal => standard_global(train),
        Scale::Log => Err(Error::Config(
            Refusal::new(
                Key("scale"),
                "log",
                "a table, whose columns may have long tails",
            )
            .hint(message![
                "use ",
                Key("scale").set_to("standard"),
                " for other data"
            ]),
        )),
        Scale::Model => Err(Error::Config(Refusal::new(
            Key("scale"),
            "model",
            message!["a model to start from, with ", Key("init_from")],
        ))),
    }
}

/// Returns the magnitude that `unit` divides by, which is 1 if all elements are zero.
fn unit_magnitude(train: &Rows) -> f32 {
    let full = match train.element() {
        ElementType::U8 => 255.0,
        ElementType::I8 => 128.0,
        ElementType::I16 => 32_768.0,
        ElementType::I32 => 2_147_483_648.0,
        ElementType::F32 | ElementType::F64 => f32::INFINITY,
    };
    let mut largest = 0f32;
    let _ = for_each_row(train, |_, row| {
        largest = row.iter().fold(largest, |most, x| most.max(x.abs()));
        // Most sets use their range in the first rows; only the others are read completely.
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

fn standard_global(train: &Rows) -> Result<Scaling> {
    let (mean, deviation) = match train.element() {
        ElementType::U8 => moments_of_bytes(train),
        _ => moments(train),
    };
    let factor = (1.0 / deviation) as f32;
    if !(factor.is_finite() && factor > 0.0) {
        return Err(Error::Data(
            Refusal::new(
                train.name(),
                format!("a standard deviation of {deviation}"),
                message![
                    "elements that differ, as ",
                    Key("scale").set_to("standard-global"),
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
    Ok(Scaling::global(mean as f32, factor))
}

/// Returns the mean and standard deviation of all elements from exact integer sums, which are also faster than floats.
fn moments_of_bytes(train: &Rows) -> (f64, f64) {
    let (mut sum, mut squares) = (0u128, 0u128);
    for row in 0..train.len() {
        let (of_row, squares_of_row) = sums_of_bytes(train.stored(row));
        sum += u128::from(of_row);
        squares += u128::from(squares_of_row);
    }
    let count = (train.len() * train.features()) as u128;
    // n Σx² − (Σx)² is exact, and no difference of nearly equal floats.
    let spread = (count * squares - sum * sum) as f64;
    let count = count as f64;
    (sum as f64 / count, spread.sqrt() / count)
}

/// Returns `Σ x` and `Σ x²`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn sums_of_bytes(bytes: &[u8]) -> (u64, u64) {
    /// The sum of this many squares of bytes fits 32 bits.
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

/// Returns the mean and standard deviation of all elements.
fn moments(train: &Rows) -> (f64, f64) {
    let count = (train.len() * train.features()) as f64;
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

/// Checks that every element is finite; integers always are.
///
/// # Errors
/// Returns [`Error::Data`] naming the first float that is NaN or infinite.
pub(crate) fn check_finite(rows: &Rows) -> Result<()> {
    if !matches!(rows.element(), ElementType::F32 | ElementType::F64) {
        return Ok(());
    }
    let found = for_each_row(rows, |index, row| {
        match row.iter().position(|x| !x.is_finite()) {
            Some(at) => ControlFlow::Break((index, at)),
            None => ControlFlow::Continue(()),
        }
    });
    match found {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break((index, at)) => {
            let mut row = vec![0.0; rows.features()];
            rows.read_wide(index, &mut row);
            let found = format!("row {index}, feature {at} is {:?}", row[at]);
            let expected = expected_instead(row[at], "finite numbers");
            Err(Error::Data(Refusal::new(rows.name(), found, expected)))
        }
    }
}

/// What was expected instead of `value`, which is not finite in 32 bits: `finite` unless it is so in 64 bits.
pub(crate) fn expected_instead(value: f64, finite: &'static str) -> &'static str {
    match value.is_finite() {
        true => "at most 3.4e38 in size, the largest number of 32 bits",
        false => finite,
    }
}

/// Passes each row to `look` in order, unscaled, until it breaks.
fn for_each_row<B>(
    rows: &Rows,
    mut look: impl FnMut(usize, &[f32]) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let mut row = vec![0.0; rows.features()];
    (0..rows.len()).try_for_each(|index| {
        rows.read(index, &mut row);
        look(index, &row)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::idx::{Header, IdxFile};
    use crate::data::mmap::Bytes;
    use crate::data::scaling::GlobalScaling;
    use ndarray::ArrayView2;
    use std::num::NonZeroUsize;
    use std::path::Path;

    fn bytes(payload: &[u8]) -> Rows {
        let path = Path::new("train-images");
        let header = Header::new(path, ElementType::U8, &[payload.len(), 1]).expect("a header");
        let bytes = [&header.to_bytes(), payload].concat();
        Rows::from(IdxFile::from_bytes(path, Bytes::Owned(bytes)).expect("a good file"))
    }

    fn floats(values: &[f32]) -> Rows {
        let x = ArrayView2::from_shape((values.len(), 1), values).expect("a column");
        Rows::from_array(x).expect("rows")
    }

    fn fit(scale: Scale, train: &Rows) -> Result<Scaling> {
        let workers = Workers::new(NonZeroUsize::MIN).expect("a worker");
        fit_scaling(scale, train, &workers)
    }

    fn fit_global(scale: Scale, train: &Rows) -> GlobalScaling {
        let scaling = fit(scale, train).expect("a scaling");
        scaling.as_global().expect("one pair")
    }

    fn unit_factor(train: &Rows) -> f32 {
        fit_global(Scale::Unit, train).factor
    }

    #[test]
    fn unit_divides_bytes_by_255_unless_they_use_only_the_lower_half() {
        assert_eq!(unit_factor(&bytes(&[0, 3, 255])), 1.0 / 255.0);
        assert_eq!(unit_factor(&bytes(&[0, 3, 200])), 1.0 / 255.0);
        assert_eq!(unit_factor(&bytes(&[0, 3, 100])), 1.0 / 100.0);
        assert_eq!(unit_factor(&bytes(&[0, 3, 16])), 1.0 / 16.0);
    }

    #[test]
    fn unit_keeps_scaled_floats_and_a_set_of_zeros() {
        assert_eq!(unit_factor(&floats(&[-3.5, 2.0])), 1.0);
        assert_eq!(unit_factor(&floats(&[-1000.0, 2.0])), 1.0 / 1000.0);
        assert_eq!(unit_factor(&bytes(&[0, 0])), 1.0);
    }

    #[test]
    fn one_pair_yields_mean_zero_and_deviation_one() {
        for train in [bytes(&[2, 4, 6]), floats(&[2.0, 4.0, 6.0])] {
            let scaling = fit_global(Scale::StandardGlobal, &train);
            // Mean 4, population deviation √(8/3).
            assert_eq!(scaling.offset, 4.0);
            assert!((scaling.factor - (3.0f32 / 8.0).sqrt()).abs() < 1e-7);
        }
        let equal = fit(Scale::StandardGlobal, &bytes(&[7, 7]));
        assert!(equal.is_err());
    }

    #[test]
    fn bytes_have_the_moments_of_the_same_floats() {
        let payload: Vec<u8> = (0..70_000u64).map(|i| (i * i % 251) as u8).collect();
        let rows = bytes(&payload);
        let (by_integers, by_floats) = (moments_of_bytes(&rows), moments(&rows));
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
    fn a_nan_or_infinite_element_is_refused_by_its_position() {
        for (element, word) in [(f32::NAN, "NaN"), (f32::NEG_INFINITY, "-inf")] {
            let refused = fit(Scale::None, &floats(&[1.0, element]));
            let message = refused.expect_err("a refusal").to_string();
            let expected = format!("x: row 1, feature 0 is {word}, expected finite numbers");
            assert_eq!(message, expected);
        }
    }
}
