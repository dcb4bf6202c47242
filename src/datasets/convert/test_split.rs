//! A test set drawn from the training samples, stratified by class and reproducible by its seed.
//!
//! The number of samples of each class is known from the first pass, so the draw needs no memory: of the remaining samples
//! of a class, each is taken with the probability that yields the wanted number (selection sampling; D. E. Knuth, *The Art
//! of Computer Programming*, 3.4.2, algorithm S).

use rand::RngExt;

use crate::data::Holdout;
use crate::data::holdout::{self, quotas};
use crate::error::Result;
use crate::message::Key;
use crate::random::{ChaCha8Rng, Purpose, stream};

/// A draw of test samples from the training samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TestSplit {
    /// The number of test samples.
    pub holdout: Holdout,
    /// The seed of the draw.
    pub seed: u64,
}

/// A draw from groups of samples.
#[derive(Debug)]
pub(super) struct Draw {
    /// Samples of each group that are still to come.
    remaining: Vec<usize>,
    /// How many of them are still to be taken.
    wanted: Vec<usize>,
    rng: ChaCha8Rng,
}

impl Draw {
    /// Starts a draw from groups of these sizes, which leaves at least one sample in each group.
    pub fn new(split: TestSplit, groups: Vec<usize>) -> Result<Draw> {
        let count = split.holdout.of(groups.iter().sum());
        holdout::check(Key("test_split"), "samples", &groups, count)?;
        Ok(Draw {
            wanted: quotas(&groups, count),
            remaining: groups,
            rng: stream(split.seed, Purpose::TestSplit, 0),
        })
    }

    /// Returns how many samples are still to be taken.
    pub fn wanted(&self) -> usize {
        self.wanted.iter().sum()
    }

    /// Draws whether the next sample, which belongs to this group, is taken.
    pub fn takes(&mut self, group: usize) -> bool {
        let (remaining, wanted) = (&mut self.remaining[group], &mut self.wanted[group]);
        // More samples than in the first pass: the source changed, which is detected at the end of this pass.
        if *remaining == 0 {
            return false;
        }
        let taken = self.rng.random_range(0..*remaining) < *wanted;
        *remaining -= 1;
        *wanted -= usize::from(taken);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_the_wanted_number_and_the_same_samples_for_the_same_seed() {
        let drawn = |seed| {
            let holdout = Holdout::Fraction(0.3);
            let split = TestSplit { holdout, seed };
            let mut draw = Draw::new(split, vec![100, 7]).expect("a draw");
            assert_eq!(draw.wanted(), 32);
            let group = |sample: usize| usize::from(sample % 15 == 14);
            let taken: Vec<bool> = (0..107).map(|sample| draw.takes(group(sample))).collect();
            assert_eq!(draw.wanted(), 0);
            taken
        };
        let taken = drawn(1);
        let count =
            |samples: &mut dyn Iterator<Item = &bool>| samples.filter(|taken| **taken).count();
        assert_eq!(count(&mut taken.iter()), 32);
        assert_eq!(count(&mut taken.iter().skip(14).step_by(15)), 2);
        assert_eq!(taken, drawn(1));
        assert_ne!(taken, drawn(2));
    }

    #[test]
    fn a_share_that_leaves_either_set_empty_is_refused() {
        use Holdout::{Fraction, Items};
        for (holdout, groups) in [
            (Fraction(0.0), vec![10]),
            (Fraction(-0.5), vec![10]),
            (Fraction(1.0), vec![10]),
            (Fraction(f64::NAN), vec![10]),
            (Fraction(0.01), vec![10, 10]),
            (Items(1), vec![1, 1]),
            (Items(usize::MAX), vec![10]),
        ] {
            Draw::new(TestSplit { holdout, seed: 1 }, groups).expect_err("a refusal");
        }
    }

    #[test]
    fn a_refusal_states_how_many_may_be_drawn() {
        for (groups, expected) in [
            (vec![3, 2], "1 to 3, which leaves one of every class"),
            (vec![1, 1], "at least two of some class"),
            (vec![5], "1 to 4, which leaves one to train on"),
            (vec![1], "at least two"),
        ] {
            let holdout = Holdout::Items(9);
            let refused = Draw::new(TestSplit { holdout, seed: 1 }, groups);
            let message = refused.expect_err("a refusal").to_string();
            assert!(
                message.ends_with(&format!("expected {expected}")),
                "{message}"
            );
        }
    }
}
