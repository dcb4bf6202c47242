//! Streams of random numbers: every random number of a run derives from one seed.
//!
//! Each purpose, and each epoch or sample within it, has its own ChaCha8 stream, so that the numbers of one purpose never
//! shift those of another, and a run can resume anywhere without drawing the numbers before. ChaCha8 is a named, portable
//! generator; `StdRng` of `rand` may change.
//!
//! The numbers drawn in every step come from [`Xoshiro256PlusPlus`], which is several times as fast: each row of each batch
//! has its own generator, so that neither blocks nor threads change a number.

use rand::SeedableRng;
pub use rand::rngs::{ChaCha8Rng, Xoshiro256PlusPlus};

/// The purpose of a stream of random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights. The index is the layer.
    Init = 1,
    /// The order of the training set. The index is the epoch, counted from 1.
    Shuffle = 2,
    /// Generated digits of the training half; the index is the sample.
    TrainDigits = 3,
    /// Generated digits of the test half; the index is the sample.
    TestDigits = 4,
    /// The units that dropout sets to zero, by layer, step and row.
    Dropout = 5,
    /// Noise on the inputs, by step and row.
    InputNoise = 6,
    /// The training samples held out for validation; the index is the class.
    Holdout = 7,
    /// The settings that a search draws for a trial; the index is the trial.
    Trial = 8,
    /// The samples that become the test half of a converted data set.
    TestSplit = 32,
}

/// Returns the stream of `purpose` and `index` under `seed`.
pub fn stream(seed: u64, purpose: Purpose, index: u32) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((purpose as u64) << 32 | u64::from(index));
    rng
}

/// Returns the generator of `purpose` for a row of a batch.
///
/// `step` counts from the start of the run and `row` from the start of the batch; `layer` is 0 for the inputs and for
/// purposes without a layer.
///
/// The generator is xoshiro256++ (D. Blackman and S. Vigna, *Scrambled Linear Pseudorandom Number Generators*, 2021), seeded
/// by SplitMix64 from a 64-bit mix of the arguments. Under one seed, the rows of a step never share a generator.
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

/// Mixes 64 bits by a bijection in which every bit of the input affects every bit of the output: that of SplitMix64
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
        // The first numbers of SplitMix64 from state 1234567, from its published test.
        let state = |n: u64| 1_234_567u64.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        assert_eq!(mix(state(0)), 6_457_827_717_110_365_317);
        assert_eq!(mix(state(1)), 3_203_168_211_198_807_973);
    }

    #[test]
    fn row_generators_differ_by_seed_purpose_layer_step_and_row() {
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
