//! A test half drawn from the training items: the same share of every class, and the same items for the same seed.
//!
//! How many items of each class there are is known from the first reading, so that the draw takes no memory: of the items
//! that are left of a class, each is taken with the probability that gives as many as are wanted (selection sampling,
//! D. E. Knuth, The Art of Computer Programming, 3.4.2, algorithm S).

use rand::RngExt;

use crate::error::{Error, Refusal, Result};
use crate::random::{ChaCha8Rng, Purpose, stream};

/// Which part of the items becomes the test half.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TestPart {
    /// The share, above 0 and below 1.
    pub share: f64,
    /// Where the draw comes from.
    pub seed: u64,
}

/// The draw, group by group.
#[derive(Debug)]
pub(super) struct Draw {
    /// Items to come.
    left: Vec<u64>,
    /// How many of them are to be taken.
    wanted: Vec<u64>,
    rng: ChaCha8Rng,
}

impl Draw {
    /// A draw from groups of so many items.
    pub fn new(part: &TestPart, groups: &[u64]) -> Result<Draw> {
        let refuse = |found: String, expected: String| {
            Error::Config(Refusal::new("--test-part", found, expected))
        };
        if !(part.share > 0.0 && part.share < 1.0) {
            let expected = "a share above 0 and below 1";
            return Err(refuse(part.share.to_string(), expected.to_owned()));
        }
        let wanted = shares(part.share, groups);
        if wanted.iter().sum::<u64>() == 0 {
            let items: u64 = groups.iter().sum();
            let found = format!("{} of {items} items", part.share);
            return Err(refuse(
                found,
                "an item for the test, and one of its class left".to_owned(),
            ));
        }
        Ok(Draw {
            left: groups.to_vec(),
            wanted,
            rng: stream(part.seed, Purpose::TestPart, 0),
        })
    }

    /// How many items are still to be taken.
    pub fn wanted(&self) -> u64 {
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
        *wanted -= u64::from(taken);
        taken
    }
}

/// How many of each group, so that they are the share of all as nearly as can be, and one of each group is left: whole
/// parts first, then one more where most was cut off (largest remainders).
fn shares(share: f64, groups: &[u64]) -> Vec<u64> {
    let exact = |items: u64| share * items as f64;
    let most = |items: u64| items.saturating_sub(1);
    let mut wanted: Vec<u64> = groups
        .iter()
        .map(|&items| (exact(items) as u64).min(most(items)))
        .collect();
    let all = exact(groups.iter().sum()).round() as u64;
    let mut missing = all.saturating_sub(wanted.iter().sum());
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by(|&a, &b| {
        exact(groups[b])
            .fract()
            .total_cmp(&exact(groups[a]).fract())
    });
    for group in order {
        if missing > 0 && wanted[group] < most(groups[group]) {
            wanted[group] += 1;
            missing -= 1;
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_share_of_every_group_and_leaves_one() {
        assert_eq!(shares(0.25, &[40, 80, 4, 1, 0]), [10, 20, 1, 0, 0]);
        // 2.5 of 25: two items short of the whole parts, which go to the largest remainders.
        assert_eq!(shares(0.1, &[9, 8, 8]), [1, 1, 1]);
        assert_eq!(shares(0.9, &[2, 2]), [1, 1]);
    }

    #[test]
    fn draws_exactly_what_was_wanted_and_the_same_for_the_same_seed() {
        let groups = [100, 7];
        let drawn = |seed| {
            let part = TestPart { share: 0.3, seed };
            let mut draw = Draw::new(&part, &groups).expect("a draw");
            assert_eq!(draw.wanted(), 32);
            let items: Vec<bool> = (0..107)
                .map(|item| draw.takes(usize::from(item % 15 == 14)))
                .collect();
            assert_eq!(draw.wanted(), 0);
            items
        };
        let items = drawn(1);
        assert_eq!(items.iter().filter(|&&taken| taken).count(), 32);
        assert_eq!(
            items
                .iter()
                .skip(14)
                .step_by(15)
                .filter(|&&taken| taken)
                .count(),
            2
        );
        assert_eq!(items, drawn(1));
        assert_ne!(items, drawn(2));
    }

    #[test]
    fn refuses_shares_that_leave_a_half_empty() {
        for (share, groups) in [
            (0.0, &[10][..]),
            (1.0, &[10]),
            (f64::NAN, &[10]),
            (0.01, &[10, 10]),
            (0.5, &[1, 1]),
        ] {
            Draw::new(&TestPart { share, seed: 1 }, groups).expect_err("a refusal");
        }
    }
}
