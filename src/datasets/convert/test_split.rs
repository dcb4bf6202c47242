//! A test half drawn from the training items: the same share of every class, and the same items for the same seed.
//!
//! How many items of each class there are is known from the first reading, so that the draw takes no memory: of the items
//! that are left of a class, each is taken with the probability that gives as many as are wanted (selection sampling,
//! D. E. Knuth, The Art of Computer Programming, 3.4.2, algorithm S).

use rand::RngExt;

use crate::data::Holdout;
use crate::data::holdout::{self, quotas};
use crate::error::Result;
use crate::message::Key;
use crate::random::{ChaCha8Rng, Purpose, stream};

/// Which part of the items becomes the test half.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TestSplit {
    /// How many.
    pub holdout: Holdout,
    /// Where the draw comes from.
    pub seed: u64,
}

/// The draw, group by group.
#[derive(Debug)]
pub(super) struct Draw {
    /// Items to come.
    left: Vec<usize>,
    /// How many of them are to be taken.
    wanted: Vec<usize>,
    rng: ChaCha8Rng,
}

impl Draw {
    /// A draw from groups of so many items, which leaves one of each.
    pub fn new(split: TestSplit, groups: Vec<usize>) -> Result<Draw> {
        let count = split.holdout.of(groups.iter().sum());
        holdout::check(Key("test_split"), "items", &groups, count)?;
        Ok(Draw {
            wanted: quotas(&groups, count),
            left: groups,
            rng: stream(split.seed, Purpose::TestSplit, 0),
        })
    }

    /// How many items are still to be taken.
    pub fn wanted(&self) -> usize {
        self.wanted.iter().sum()
    }

    /// Whether the next item, which is of this group, is taken.
    pub fn takes(&mut self, group: usize) -> bool {
        let (left, wanted) = (&mut self.left[group], &mut self.wanted[group]);
        // More items than were counted: the source changed, which whoever counts will notice.
        if *left == 0 {
            return false;
        }
        let taken = self.rng.random_range(0..*left) < *wanted;
        *left -= 1;
        *wanted -= usize::from(taken);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_exactly_what_was_wanted_and_the_same_for_the_same_seed() {
        let drawn = |seed| {
            let holdout = Holdout::Fraction(0.3);
            let split = TestSplit { holdout, seed };
            let mut draw = Draw::new(split, vec![100, 7]).expect("a draw");
            assert_eq!(draw.wanted(), 32);
            let group = |item: usize| usize::from(item % 15 == 14);
            let items: Vec<bool> = (0..107).map(|item| draw.takes(group(item))).collect();
            assert_eq!(draw.wanted(), 0);
            items
        };
        let items = drawn(1);
        let taken = |items: &mut dyn Iterator<Item = &bool>| items.filter(|taken| **taken).count();
        assert_eq!(taken(&mut items.iter()), 32);
        assert_eq!(taken(&mut items.iter().skip(14).step_by(15)), 2);
        assert_eq!(items, drawn(1));
        assert_ne!(items, drawn(2));
    }

    #[test]
    fn refuses_shares_that_leave_a_half_empty() {
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
    fn says_how_many_may_be_drawn_and_what_that_leaves() {
        for (groups, expected) in [
            (vec![3, 2], "1 to 3, which leaves an item of every class"),
            (vec![1, 1], "at least two items of some class"),
            (vec![5], "1 to 4, which leaves an item to train on"),
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
