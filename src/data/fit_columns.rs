//! Finds the features whose inputs are zero in every training row: the elements are zero, or constant if each feature is
//! scaled by a pair of its own.
//!
//! An input that is always 0 adds nothing to any product, and its weights get no gradient: they keep their initial
//! values. So training leaves such columns out, exactly. 67 of MNIST's 784 are of this kind. A test set may have other
//! values there, which then meet the initial weights.

use std::sync::{Mutex, PoisonError};

use multiversion::multiversion;

use super::rows::Rows;
use super::scaling::Scaling;
use crate::compute::parallel::{Pieces, Workers};
use crate::nn::Columns;

/// Rows that a worker looks through at a time.
const BLOCK: usize = 4096;

/// Returns the columns of `train` as a network sees them under `scaling`. All are active if `scaling` maps zero to
/// another value that is the same for all features.
pub fn fit_columns(train: &Rows, scaling: &Scaling, workers: &Workers) -> Columns {
    if let Scaling::PerFeature(of) = scaling {
        return Columns::from_flags(of.factor().iter().map(|&factor| factor != 0.0));
    }
    if !scaling.keeps_zeros() {
        return Columns::all(train.features());
    }
    let element = train.element().size();
    let seen = bytes_seen(train, workers);
    Columns::from_flags(
        seen.chunks(element)
            .map(|bytes| bytes.iter().any(|&b| b != 0)),
    )
}

/// Returns the bits that are set in any row, byte by byte, `[features · element size]`.
fn bytes_seen(rows: &Rows, workers: &Workers) -> Vec<u8> {
    let bytes = rows.stored(0).len();
    let (seen, taken) = (Mutex::new(vec![0u8; bytes]), Pieces::default());
    workers.team(|_| {
        let mut own = vec![0u8; bytes];
        taken.for_each(rows.len().div_ceil(BLOCK), |block| {
            // Nothing is left to find once every byte was seen.
            if own.contains(&0) {
                for row in (block * BLOCK..rows.len()).take(BLOCK) {
                    add_bits(&mut own, rows.stored(row));
                }
            }
        });
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        add_bits(&mut seen, &own);
    });
    seen.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn add_bits(seen: &mut [u8], bytes: &[u8]) {
    for (seen, byte) in seen.iter_mut().zip(bytes) {
        *seen |= byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::idx::{ElementType, Header, IdxFile};
    use crate::data::mmap::Bytes;
    use ndarray::{Array2, arr2};
    use std::num::NonZeroUsize;
    use std::path::Path;

    fn workers(threads: usize) -> Workers {
        Workers::new(NonZeroUsize::new(threads).expect("not zero")).expect("workers")
    }

    fn rows(x: &Array2<f32>) -> Rows {
        Rows::from_array(x.view()).expect("rows")
    }

    fn file(element: ElementType, items: usize, payload: &[u8]) -> Rows {
        let features = payload.len() / items / element.size();
        let path = Path::new("train-images");
        let header = Header::new(path, element, &[items, features]).expect("a header");
        let bytes = [header.to_bytes(), payload.to_vec()].concat();
        Rows::from(IdxFile::from_bytes(path, Bytes::Owned(bytes)).expect("a good file"))
    }

    #[test]
    fn a_feature_that_is_always_zero_is_idle() {
        let images = file(ElementType::U8, 2, &[0, 1, 0, 0, 9, 0, 0, 3, 0, 0, 0, 0]);
        let array = arr2(&[
            [0.0, 1.0, 0.0, 0.0, 9.0, 0.0],
            [0.0, 3.0, 0.0, 0.0, 0.0, 0.0],
        ]);
        for rows in [images, rows(&array)] {
            let columns = fit_columns(&rows, &Scaling::IDENTITY, &workers(2));
            assert_eq!(columns.active(), [1..2, 4..5]);
            assert_eq!(columns.idle(), [0, 2, 3, 5]);
            assert_eq!((columns.features(), columns.width()), (6, 2));
        }
    }

    #[test]
    fn an_element_is_zero_only_if_all_its_bytes_are() {
        // 256 and 0: the low byte of the first is zero, the number is not.
        let images = file(ElementType::I16, 1, &[1, 0, 0, 0]);
        let columns = fit_columns(&images, &Scaling::IDENTITY, &workers(1));
        assert_eq!((columns.width(), columns.idle()), (1, &[1][..]));
    }

    #[test]
    fn any_number_of_workers_looks_at_every_row() {
        let count = 3 * BLOCK + 5;
        for last in [0, BLOCK, count - 1] {
            let mut x = Array2::zeros((count, 2));
            x[[last, 1]] = 1.0;
            let rows = rows(&x);
            for threads in [1, 3] {
                let columns = fit_columns(&rows, &Scaling::IDENTITY, &workers(threads));
                assert_eq!((columns.width(), columns.idle()), (1, &[0][..]));
            }
        }
    }

    #[test]
    fn all_columns_are_active_if_zero_is_moved_or_everything_is_zero() {
        let moved = &Scaling::global(0.5, 1.0);
        let some = rows(&arr2(&[[0.0, 1.0]]));
        assert_eq!(fit_columns(&some, moved, &workers(1)), Columns::all(2));
        let zeros = rows(&arr2(&[[0.0, 0.0]]));
        let columns = fit_columns(&zeros, &Scaling::IDENTITY, &workers(1));
        assert_eq!(columns, Columns::all(2));
    }

    #[test]
    fn a_feature_that_is_left_out_by_its_factor_is_idle() {
        let some = rows(&arr2(&[[0.0, 7.0, 1.0]]));
        let each = Scaling::per_feature(vec![0.0, 7.0, 1.0], vec![1.0, 0.0, 2.0]);
        assert_eq!(fit_columns(&some, &each, &workers(1)).idle(), [1]);
    }
}
