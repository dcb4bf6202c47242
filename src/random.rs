//! One seed, many streams: every draw of a run comes from the user's one seed.
//!
//! Each purpose, and each epoch or item within it, has a ChaCha8 stream of its own, so that what one
//! purpose draws never shifts what another gets, and any place of a run can be reached without
//! drawing what came before it. ChaCha8 is named and portable; rand's `StdRng` may change.
//!
//! What is drawn in every step comes from [`Xoshiro256PlusPlus`], several times as fast: each row of each batch has a
//! generator of its own, so that neither blocks nor threads change a draw.

use rand::SeedableRng;
pub use rand::rngs::{ChaCha8Rng, Xoshiro256PlusPlus};

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
    /// Which units are dropped; by layer, step and row.
    Dropout = 5,
    /// Noise on inputs; by step and row.
    InputNoise = 6,
    /// Which training items are held out for validation; the index is the class.
    Holdout = 7,
    /// What a trial of a search draws for its settings; the index is the trial.
    Trial = 8,
    /// Which items become the test half of a data set that is converted.
    TestSplit = 32,
}

/// The stream that belongs to `purpose` and `index` under `seed`.
pub fn stream(seed: u64, purpose: Purpose, index: u32) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((purpose as u64) << 32 | u64::from(index));
    rng
}

/// The generator of what `purpose` draws for a row of a batch: `step` counts from the run's beginning, `row` from the
/// batch's, and `layer` is 0 for what belongs to no layer or to the inputs.
///
/// xoshiro256++ (D. Blackman and S. Vigna, *Scrambled Linear Pseudorandom Number Generators*, 2021), seeded by SplitMix64
/// from a 64-bit mix of these numbers. Under one seed, rows of a step never share a generator.
pub fn row_stream(
    seed: u64,
    purpose: Purpose,
    layer: usize,
    step: u64,
    row: usize,
) -> Xoshiro256PlusPlus {
    let of_layer = (purpose as u64) << 32 | layer as u64;
    let key = [of_layer, step, row as u64]
        .into_iter()
        .fold(mix(seed), |key, number| mix(key ^ number));
    Xoshiro256PlusPlus::seed_from_u64(key)
}

/// A bijection of 64 bits in which every bit of the input reaches every bit of the output: SplitMix64's
/// (G. Steele and others, *Fast Splittable Pseudorandom Number Generators*, 2014).
fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn mixes_as_splitmix64_does() {
        // The first numbers of SplitMix64 from 1234567, as its published test has them.
        let state = |n: u64| 1_234_567u64.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        assert_eq!(mix(state(0)), 6_457_827_717_110_365_317);
        assert_eq!(mix(state(1)), 3_203_168_211_198_807_973);
    }

    #[test]
    fn rows_differ_by_seed_purpose_layer_step_and_row() {
        let draw = |seed, purpose, layer, step, row| {
            row_stream(seed, purpose, layer, step, row).next_u64()
        };
        let base = draw(1, Purpose::Dropout, 1, 2, 3);
        assert_eq!(base, draw(1, Purpose::Dropout, 1, 2, 3));
        for other in [
            draw(2, Purpose::Dropout, 1, 2, 3),
            draw(1, Purpose::InputNoise, 1, 2, 3),
            draw(1, Purpose::Dropout, 2, 2, 3),
            draw(1, Purpose::Dropout, 1, 3, 3),
            draw(1, Purpose::Dropout, 1, 2, 4),
            draw(1, Purpose::Dropout, 1, 3, 2),
        ] {
            assert_ne!(base, other);
        }
    }

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
