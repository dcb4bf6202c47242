//! Finds the features that are zero in the whole training set.
//!
//! A feature that is always 0 adds nothing to any product, and its weights get no gradient: they stay what they were.
//! So training leaves such columns out, exactly. 67 of MNIST's 784 are of this kind. A test set may have other
//! values there, which then meet the weights as they started.

use std::sync::{Mutex, PoisonError};

use multiversion::multiversion;

use super::idx::IdxFile;
use super::scaling::Scaling;
use crate::compute::parallel::{Pieces, Workers};
use crate::nn::Columns;

/// Items that a worker looks through at a time.
const ITEMS: usize = 4096;

/// The columns of `train` as a network sees them under `scaling`. Where that moves zero elsewhere, all are active.
pub fn fit(train: &IdxFile, scaling: Scaling, workers: &Workers) -> Columns {
    let features = train.header().features();
    if scaling.offset != 0.0 {
        return Columns::all(features);
    }
    let element = train.header().element().size();
    let seen = bytes_seen(train, workers);
    Columns::from_flags(
        seen.chunks(element)
            .map(|bytes| bytes.iter().any(|&b| b != 0)),
    )
}

/// The bits that are set in any item, byte by byte, `[features · element size]`.
fn bytes_seen(file: &IdxFile, workers: &Workers) -> Vec<u8> {
    let bytes = file.item(0).len();
    let (seen, taken) = (Mutex::new(vec![0u8; bytes]), Pieces::default());
    let items = file.header().items();
    workers.team(|_| {
        let mut own = vec![0u8; bytes];
        taken.for_each(items.div_ceil(ITEMS), |block| {
            // Nothing is left to find where every byte was seen already.
            if own.contains(&0) {
                for item in (block * ITEMS..items).take(ITEMS) {
                    add_bits(&mut own, file.item(item));
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
    use crate::data::idx::{ElementType, Header};
    use crate::data::mmap::Bytes;
    use crate::data::scaling::AS_IT_IS;
    use std::num::NonZeroUsize;
    use std::path::Path;

    fn workers(threads: usize) -> Workers {
        Workers::new(NonZeroUsize::new(threads).expect("not zero")).expect("workers")
    }

    fn file(element: ElementType, items: usize, payload: &[u8]) -> IdxFile {
        let features = payload.len() / items / element.size();
        let path = Path::new("train-images");
        let header = Header::new(path, element, &[items, features]).expect("a header");
        let bytes = [header.to_bytes(), payload.to_vec()].concat();
        IdxFile::from_bytes(path, Bytes::Owned(bytes)).expect("a good file")
    }

    #[test]
    fn what_is_never_other_than_zero_is_idle() {
        let images = file(ElementType::U8, 2, &[0, 1, 0, 0, 9, 0, 0, 3, 0, 0, 0, 0]);
        let columns = fit(&images, AS_IT_IS, &workers(2));
        assert_eq!(columns.active(), [1..2, 4..5]);
        assert_eq!(columns.idle(), [0, 2, 3, 5]);
        assert_eq!((columns.features(), columns.width()), (6, 2));
    }

    #[test]
    fn wide_elements_count_as_a_whole() {
        // 256 and 0: the low byte of the first is zero, the number is not.
        let images = file(ElementType::I16, 1, &[1, 0, 0, 0]);
        let columns = fit(&images, AS_IT_IS, &workers(1));
        assert_eq!((columns.width(), columns.idle()), (1, &[1][..]));
    }

    #[test]
    fn every_item_is_looked_at_by_any_number_of_workers() {
        let items = 3 * ITEMS + 5;
        for last in [0, ITEMS, items - 1] {
            let mut payload = vec![0; 2 * items];
            payload[2 * last + 1] = 1;
            let images = file(ElementType::U8, items, &payload);
            for threads in [1, 3] {
                let columns = fit(&images, AS_IT_IS, &workers(threads));
                assert_eq!((columns.width(), columns.idle()), (1, &[0][..]));
            }
        }
    }

    #[test]
    fn all_are_active_where_zero_is_moved_or_nothing_is_left() {
        let images = file(ElementType::U8, 1, &[0, 1]);
        let moved = Scaling {
            offset: 0.5,
            factor: 1.0,
        };
        assert_eq!(fit(&images, moved, &workers(1)), Columns::all(2));
        let zeros = file(ElementType::U8, 1, &[0, 0]);
        assert_eq!(fit(&zeros, AS_IT_IS, &workers(1)), Columns::all(2));
    }
}
