//! Fits a pair of numbers to each feature: its mean and the inverse of its standard deviation in the training set, as
//! scikit-learn's `StandardScaler` does.
//!
//! Sums are those of differences from the first row. So a feature that is the same in every row has a deviation of
//! exactly 0, and large numbers that hardly differ, such as timestamps, keep their digits. Rows are summed in blocks,
//! which depend only on the number of rows, and the sums of blocks are added in order: the result has the same bits for
//! any number of workers. Sums of bytes are integers.

use std::mem;
use std::ops::Range;

use multiversion::multiversion;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::idx::ElementType;
use super::rows::Rows;
use super::scaling::Scaling;
use crate::compute::parallel::Workers;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};

/// The most features: their pairs must fit the head of a model file.
const MAX_FEATURES: usize = 1 << 20;
/// The least rows of a block.
const BLOCK: usize = 1024;
/// The most blocks, each of which has sums of its own.
const MAX_BLOCKS: usize = 64;
/// The sum of this many squares of bytes fits 32 bits.
const BYTE_ROWS: usize = 1 << 15;

/// Fits a pair to each feature of the training rows, which are finite. A feature that is the same in every row, or whose
/// deviation is beyond the numbers of an `f32`, is left out: its factor is 0.
///
/// # Errors
/// Returns [`Error::Data`] if no feature is left, or if there are too many.
pub(super) fn fit_features(train: &Rows, workers: &Workers) -> Result<Scaling> {
    if train.features() > MAX_FEATURES {
        let found = format!("{} features a row", train.features());
        let expected = message![
            format!("at most {MAX_FEATURES} with "),
            Key("scale").set_to("standard")
        ];
        return Err(refusal(train, found, expected));
    }
    let (mean, variance) = match train.element() {
        ElementType::U8 => moments_of_bytes(train, workers),
        _ => moments(train, workers),
    };
    let is_narrow = !matches!(train.element(), ElementType::I32 | ElementType::F64);
    let pairs = mean.into_iter().zip(variance).map(|(mean, variance)| {
        let factor = (1.0 / variance.sqrt()) as f32;
        let is_left = factor.is_finite() && factor > 0.0;
        // Where elements are `f32`s or shorter, so are offsets: other programs then need no wider numbers.
        let offset = if is_narrow {
            f64::from(mean as f32)
        } else {
            mean
        };
        (offset, if is_left { factor } else { 0.0 })
    });
    let (offset, factor): (Vec<f64>, Vec<f32>) = pairs.unzip();
    if factor.iter().all(|&factor| factor == 0.0) {
        let expected = message![
            "elements that differ, as ",
            Key("scale").set_to("standard"),
            " divides by their deviation"
        ];
        return Err(refusal(
            train,
            "no feature that differs between rows".to_owned(),
            expected,
        ));
    }
    Ok(Scaling::per_feature(offset, factor))
}

fn refusal(train: &Rows, found: String, expected: Message) -> Error {
    let hint = message![
        "use ",
        Key("scale").set_to("unit"),
        " or ",
        Key("scale").set_to("none")
    ];
    Error::Data(Refusal::new(train.name(), found, expected).hint(hint))
}

/// Returns the mean and the variance of each feature, `[features]`.
fn moments(train: &Rows, workers: &Workers) -> (Vec<f64>, Vec<f64>) {
    let (features, count) = (train.features(), train.len() as f64);
    let mut first = vec![0.0; features];
    train.read_wide(0, &mut first);
    let sums = sum_rows(train, workers, |row, sums| {
        add_differences(row, &first, sums);
    });
    let mean = first
        .iter()
        .zip(sums)
        .map(|(first, sum)| first + sum / count);
    let mean: Vec<f64> = mean.collect();
    let mut variance = sum_rows(train, workers, |row, sums| add_squares(row, &mean, sums));
    variance.iter_mut().for_each(|sum| *sum /= count);
    (mean, variance)
}

/// Returns the sums over all rows of what `add` adds for one, `[features]`.
fn sum_rows(train: &Rows, workers: &Workers, add: impl Fn(&[f64], &mut [f64]) + Sync) -> Vec<f64> {
    let features = train.features();
    let of_blocks = of_blocks(train.len(), workers, |rows| {
        let (mut row, mut sums) = (vec![0.0; features], vec![0.0; features]);
        for index in rows {
            train.read_wide(index, &mut row);
            add(&row, &mut sums);
        }
        sums
    });
    let mut sums = vec![0.0; features];
    for of_block in of_blocks {
        sums.iter_mut()
            .zip(of_block)
            .for_each(|(sum, one)| *sum += one);
    }
    sums
}

/// Returns the mean and the variance of each feature of bytes, `[features]`, from exact sums.
fn moments_of_bytes(train: &Rows, workers: &Workers) -> (Vec<f64>, Vec<f64>) {
    let features = train.features();
    let of_blocks = of_blocks(train.len(), workers, |rows| {
        let mut all = vec![(0u64, 0u64); features];
        let (mut sums, mut squares) = (vec![0u32; features], vec![0u32; features]);
        for start in rows.clone().step_by(BYTE_ROWS) {
            for row in start..rows.end.min(start + BYTE_ROWS) {
                add_bytes(train.stored(row), &mut sums, &mut squares);
            }
            let taken = sums.iter_mut().zip(&mut squares);
            for (all, (sum, squares)) in all.iter_mut().zip(taken) {
                all.0 += u64::from(mem::take(sum));
                all.1 += u64::from(mem::take(squares));
            }
        }
        all
    });
    let mut all = vec![(0u64, 0u64); features];
    for of_block in of_blocks {
        for (all, one) in all.iter_mut().zip(of_block) {
            *all = (all.0 + one.0, all.1 + one.1);
        }
    }
    let count = train.len() as u128;
    let moments = all.into_iter().map(|(sum, squares)| {
        let (sum, squares) = (u128::from(sum), u128::from(squares));
        // n Σx² − (Σx)² is exact, and no difference of nearly equal floats.
        let spread = (count * squares - sum * sum) as f64;
        let count = count as f64;
        (sum as f64 / count, spread / count / count)
    });
    moments.unzip()
}

/// Divides `rows` rows into blocks, and returns what `work` returns for each, in their order.
fn of_blocks<T: Send>(
    rows: usize,
    workers: &Workers,
    work: impl Fn(Range<usize>) -> T + Sync + Send,
) -> Vec<T> {
    let size = rows.div_ceil(MAX_BLOCKS).max(BLOCK);
    workers.run(|| {
        let blocks = (0..rows.div_ceil(size)).into_par_iter();
        let range = |block: usize| block * size..rows.min((block + 1) * size);
        blocks.map(|block| work(range(block))).collect()
    })
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn add_differences(row: &[f64], from: &[f64], sums: &mut [f64]) {
    for ((sum, x), from) in sums.iter_mut().zip(row).zip(from) {
        *sum += x - from;
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn add_squares(row: &[f64], mean: &[f64], sums: &mut [f64]) {
    for ((sum, x), mean) in sums.iter_mut().zip(row).zip(mean) {
        *sum += (x - mean) * (x - mean);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn add_bytes(bytes: &[u8], sums: &mut [u32], squares: &mut [u32]) {
    for ((&byte, sum), squares) in bytes.iter().zip(sums).zip(squares) {
        let byte = u32::from(byte);
        *sum += byte;
        *squares += byte * byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::FeatureScaling;
    use crate::data::idx::{Header, IdxFile};
    use crate::data::mmap::Bytes;
    use ndarray::Array2;
    use std::num::NonZeroUsize;
    use std::path::Path;
    use std::sync::Arc;

    fn file(element: ElementType, features: usize, payload: Vec<u8>) -> Rows {
        let path = Path::new("train-images");
        let rows = payload.len() / features / element.size();
        let header = Header::new(path, element, &[rows, features]).expect("a header");
        let bytes = [header.to_bytes(), payload].concat();
        Rows::from(IdxFile::from_bytes(path, Bytes::Owned(bytes)).expect("a good file"))
    }

    fn fit(rows: &Rows, threads: usize) -> Arc<FeatureScaling> {
        let workers = Workers::new(NonZeroUsize::new(threads).expect("not zero"));
        match fit_features(rows, &workers.expect("workers")).expect("a scaling") {
            Scaling::PerFeature(of) => of,
            Scaling::Global(_) => panic!("a pair for each feature"),
        }
    }

    #[test]
    fn each_feature_has_mean_zero_and_deviation_one() {
        let x = Array2::from_shape_fn((3, 2), |(row, column)| {
            (2 + 2 * row) as f32 * [1.0, 100.0][column]
        });
        let bytes = file(ElementType::U8, 2, vec![2, 20, 4, 40, 6, 60]);
        let floats = Rows::from_array(x.view()).expect("rows");
        for (rows, times) in [(bytes, 10.0), (floats, 100.0)] {
            let of = fit(&rows, 1);
            // Means 4, population deviations √(8/3), times a number.
            assert_eq!(of.offset(), [4.0, 4.0 * times]);
            let expected = [1.0, 1.0 / times].map(|of| ((3.0f64 / 8.0).sqrt() * of) as f32);
            for (factor, expected) in of.factor().iter().zip(expected) {
                assert!(
                    (factor / expected - 1.0).abs() < 1e-6,
                    "{factor} {expected}"
                );
            }
        }
    }

    #[test]
    fn seconds_since_1970_keep_their_digits() {
        let seconds = |row: usize| 1.7e9 + row as f64 * 0.25;
        let floats = (0..100).flat_map(|row| seconds(row).to_be_bytes());
        let ints = (0..100).flat_map(|row| (1_700_000_000i32 + row).to_be_bytes());
        for (rows, step) in [
            (file(ElementType::F64, 1, floats.collect()), 0.25),
            (file(ElementType::I32, 1, ints.collect()), 1.0),
        ] {
            let of = fit(&rows, 1);
            assert_eq!(of.offset(), [1.7e9 + 49.5 * step]);
            let deviation = (9999.0f64 / 12.0).sqrt() * step;
            assert!((f64::from(of.factor()[0]) * deviation - 1.0).abs() < 1e-6);
            let mut input = [0.0];
            rows.read_scaled(0, &Scaling::PerFeature(of), &mut input);
            assert!((input[0] + 49.5 * step as f32 / deviation as f32).abs() < 1e-6);
        }
    }

    #[test]
    fn a_feature_that_never_changes_is_left_out() {
        // The mean of many equal floats is not that float in every order of summation.
        let x = Array2::from_shape_fn((3001, 2), |(row, column)| [0.1, row as f32][column]);
        let of = fit(&Rows::from_array(x.view()).expect("rows"), 1);
        assert_eq!((of.factor()[0], of.offset()[0]), (0.0, f64::from(0.1f32)));
        assert!(of.factor()[1] > 0.0);
        let of = fit(&file(ElementType::U8, 2, vec![7, 1, 7, 2]), 1);
        assert_eq!((of.factor()[0], of.factor()[1]), (0.0, 2.0));
    }

    #[test]
    fn rows_without_a_feature_that_differs_are_refused() {
        let workers = Workers::new(NonZeroUsize::MIN).expect("a worker");
        let refused = fit_features(&file(ElementType::U8, 2, vec![7, 1, 7, 1]), &workers);
        let message = refused.expect_err("a refusal").to_string();
        let expected = "train-images: no feature that differs between rows, expected elements";
        assert!(message.starts_with(expected), "{message}");
    }

    #[test]
    fn any_number_of_workers_fits_the_same_bits() {
        let x = Array2::from_shape_fn((5000, 3), |(row, column)| {
            ((row * 7919 + column * 13) % 1009) as f32 / 7.0
        });
        let floats = Rows::from_array(x.view()).expect("rows");
        let payload = (0..70_000u64).map(|i| (i * i % 251) as u8).collect();
        let bytes = file(ElementType::U8, 7, payload);
        for rows in [floats, bytes] {
            assert_eq!(fit(&rows, 1), fit(&rows, 3));
        }
    }

    #[test]
    fn bytes_have_the_moments_of_the_same_floats() {
        let payload: Vec<u8> = (0..90_000u64).map(|i| (i * i % 251) as u8).collect();
        let x = Array2::from_shape_fn((45_000, 2), |(row, column)| {
            f32::from(payload[2 * row + column])
        });
        let floats = fit(&Rows::from_array(x.view()).expect("rows"), 2);
        let bytes = fit(&file(ElementType::U8, 2, payload), 2);
        for (a, b) in floats.offset().iter().zip(bytes.offset()) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
        for (a, b) in floats.factor().iter().zip(bytes.factor()) {
            assert!((a / b - 1.0).abs() < 1e-6, "{a} {b}");
        }
    }
}
