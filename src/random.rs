//! One seed, many streams: every draw of a run comes from the user's one seed.
//!
//! Each purpose, and each epoch or item within it, has a ChaCha8 stream of its own, so that what one
//! purpose draws never shifts what another gets, and any place of a run can be reached without
//! drawing what came before it. ChaCha8 is named and portable; rand's `StdRng` may change.

use rand::SeedableRng;
pub use rand::rngs::ChaCha8Rng;

/// What a stream of random numbers is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights; the index is the layer.
    Init = 1,
    /// The order of the training set; the index is the epoch, counted from 1.
    Shuffle = 2,
    /// Generated digits of the training half; the index is the item.
    TrainDigits = 3,
    /// Generated digits of the test half; the index is the item.
    TestDigits = 4,
    /// Which training items are held out for validation; the index is the class.
    Holdout = 5,
}

/// The stream that belongs to `purpose` and `index` under `seed`.
pub fn stream(seed: u64, purpose: Purpose, index: u32) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((purpose as u64) << 32 | u64::from(index));
    rng
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn streams_differ_by_seed_purpose_and_index() {
        let draw = |seed, purpose, index| stream(seed, purpose, index).next_u64();
        let base = draw(1, Purpose::Init, 0);
        assert_eq!(base, draw(1, Purpose::Init, 0));
        assert_ne!(base, draw(2, Purpose::Init, 0));
        assert_ne!(base, draw(1, Purpose::Shuffle, 0));
        assert_ne!(base, draw(1, Purpose::Init, 1));
    }
}
