//! Draws the training samples that are held out for validation: a share of every class, drawn once from the seed.
//!
//! The draw is stratified: each class contributes in proportion to its size, and at least one sample of each class
//! stays in training. Samples without a single class are drawn from the whole set.

use std::fmt;
use std::str::FromStr;

use rand::seq::SliceRandom;
use serde::{Deserialize, Deserializer, Serialize};

use super::targets::Targets;
use crate::error::{Error, Refusal, Result};
use crate::message::Key;
use crate::random::{Purpose, stream};
use crate::text_value;

/// How much of a training set is held out for validation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Holdout {
    /// This number of samples.
    Items(usize),
    /// This share of the samples, rounded to the nearest number of them.
    Fraction(f64),
}

impl Holdout {
    /// Returns the number of samples held out of `samples`.
    pub fn of(self, samples: usize) -> usize {
        match self {
            Holdout::Items(count) => count,
            Holdout::Fraction(share) => (share * samples as f64).round() as usize,
        }
    }
}

/// Formats as `5000` or `0.1`: a fraction always has a point.
impl fmt::Display for Holdout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holdout::Items(count) => write!(f, "{count}"),
            Holdout::Fraction(share) => write!(f, "{share:?}"),
        }
    }
}

impl FromStr for Holdout {
    type Err = String;

    fn from_str(text: &str) -> Result<Holdout, String> {
        let items = text.parse().ok().map(Holdout::Items);
        let fraction = || text_value::share(text).map(Holdout::Fraction);
        let found = items.or_else(fraction);
        found.ok_or_else(|| {
            "expected a fraction such as 0.1 or 10%, or a number of samples such as 5000".to_owned()
        })
    }
}

impl<'de> Deserialize<'de> for Holdout {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Holdout, D::Error> {
        text_value::read(from, str::parse)
    }
}

/// Draws a validation set: returns the samples that stay in training and those that are held out, both in the order of
/// the set.
///
/// # Errors
/// Returns [`Error::Config`] if nothing would be held out, or so much that no sample of some class would be left, or
/// none at all if samples do not have a single class each.
pub fn draw(targets: &Targets, holdout: Holdout, seed: u64) -> Result<(Vec<u32>, Vec<u32>)> {
    let mut members = members_of(targets);
    let sizes: Vec<usize> = members.iter().map(Vec::len).collect();
    let count = holdout.of(targets.samples());
    check(Key("validation_split"), "training samples", &sizes, count)?;
    let mut held_out = Vec::with_capacity(count);
    for (class, (members, quota)) in members.iter_mut().zip(quotas(&sizes, count)).enumerate() {
        let mut rng = stream(seed, Purpose::Holdout, class as u32);
        let (drawn, _) = members.partial_shuffle(&mut rng, quota);
        held_out.extend_from_slice(drawn);
    }
    held_out.sort_unstable();
    let mut next = held_out.iter().copied().peekable();
    let samples = 0..targets.samples() as u32;
    let rest = samples.filter(|sample| next.next_if_eq(sample).is_none());
    Ok((rest.collect(), held_out))
}

/// Checks that a draw of `count` takes at least one sample and leaves one of each group, which is a class, or the whole
/// set if there is only one group. `samples` is what messages call them.
///
/// Shapes: `sizes [groups]`.
pub(crate) fn check(key: Key, samples: &str, sizes: &[usize], count: usize) -> Result<()> {
    let most: usize = sizes.iter().map(|size| size.saturating_sub(1)).sum();
    if (1..=most).contains(&count) {
        return Ok(());
    }
    let expected = match (most, sizes.len()) {
        (0, 1) => "at least two".to_owned(),
        (0, _) => "at least two of some class".to_owned(),
        (_, 1) => format!("1 to {most}, which leaves one to train on"),
        _ => format!("1 to {most}, which leaves one of every class"),
    };
    let found = format!("{count} of {} {samples}", sizes.iter().sum::<usize>());
    Err(Error::Config(Refusal::new(key, found, expected)))
}

/// Returns the samples of each class, or all of them as one group if samples do not have a single class each.
fn members_of(targets: &Targets) -> Vec<Vec<u32>> {
    let Targets::Classes { labels, classes } = targets else {
        return vec![(0..targets.samples() as u32).collect()];
    };
    let mut members = vec![Vec::new(); *classes];
    for (&label, sample) in labels.iter().zip(0u32..) {
        members[label as usize].push(sample);
    }
    members
}

/// Returns how many samples of each class are drawn so that there are `count` in total: the share of the class rounded
/// down, and one more in the order of the remainders (A. Hamilton's method), but never the last sample of a class.
///
/// Shapes: `sizes [classes]`, returns `[classes]`.
pub(crate) fn quotas(sizes: &[usize], count: usize) -> Vec<usize> {
    let samples: usize = sizes.iter().sum();
    // In 128 bits, so that no product overflows and no rounding decides.
    let shares = sizes.iter().map(|&size| size as u128 * count as u128);
    let (mut quotas, remainders): (Vec<usize>, Vec<u128>) = shares
        .map(|share| ((share / samples as u128) as usize, share % samples as u128))
        .unzip();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&class| std::cmp::Reverse(remainders[class]));
    let spare = |quotas: &[usize], class: usize| quotas[class] + 1 < sizes[class];
    let mut left = count - quotas.iter().sum::<usize>();
    while left > 0 {
        let before = left;
        for &class in &order {
            if left > 0 && spare(&quotas, class) {
                quotas[class] += 1;
                left -= 1;
            }
        }
        assert!(
            left < before,
            "{count} of {sizes:?} leave one of each class"
        );
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, arr1};
    use proptest::prelude::*;

    fn of_classes(labels: &[u8]) -> Targets {
        Targets::classes(arr1(labels).view(), 256).expect("labels")
    }

    #[test]
    fn shares_are_rounded_by_the_largest_remainders() {
        // Quotas 3.33, 1.67, 1: the second has the largest remainder.
        assert_eq!(quotas(&[10, 5, 3], 6), [3, 2, 1]);
        // Equal remainders go to the lower class.
        assert_eq!(quotas(&[10, 10], 3), [2, 1]);
        // The last sample of a class stays; other classes contribute instead.
        assert_eq!(quotas(&[2, 2, 6], 7), [1, 1, 5]);
        assert_eq!(quotas(&[0, 1, 9], 5), [0, 0, 5]);
    }

    #[test]
    fn the_seed_alone_decides_the_draw() {
        let labels: Vec<u8> = (0..200).map(|sample| sample % 4).collect();
        let targets = of_classes(&labels);
        let draw = |seed| draw(&targets, Holdout::Fraction(0.1), seed).expect("enough samples");
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn refuses_to_hold_out_nothing_or_the_last_of_a_class() {
        let targets = of_classes(&[0, 0, 0, 1, 1]);
        for holdout in [Holdout::Items(4), Holdout::Fraction(0.01)] {
            let refused = draw(&targets, holdout, 1)
                .expect_err("a refusal")
                .to_string();
            assert!(
                refused.ends_with("expected 1 to 3, which leaves one of every class"),
                "{refused}"
            );
        }
        let (rest, held_out) = draw(&targets, Holdout::Items(3), 1).expect("enough samples");
        assert_eq!((rest.len(), held_out.len()), (2, 3));
        assert_ne!(rest[0] < 3, rest[1] < 3);
    }

    #[test]
    fn refuses_to_hold_out_every_sample_of_a_regression() {
        let targets = Targets::values(Array2::zeros((3, 1)).view()).expect("values");
        let refused = draw(&targets, Holdout::Items(3), 1).expect_err("a refusal");
        assert_eq!(
            refused.to_string(),
            "validation_split: 3 of 3 training samples, expected 1 to 2, which leaves one to train on"
        );
    }

    proptest! {
        #[test]
        fn every_sample_is_on_one_side_and_every_class_contributes_its_share(
            labels in proptest::collection::vec(0u8..6, 12..300), share in 0.01f64..0.99, seed in any::<u64>(),
        ) {
            let targets = of_classes(&labels);
            let Ok((rest, held_out)) = draw(&targets, Holdout::Fraction(share), seed) else {
                return Ok(());
            };
            prop_assert!(rest.is_sorted() && held_out.is_sorted());
            let mut all = [rest.clone(), held_out.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len() as u32).collect::<Vec<_>>());
            prop_assert_eq!(held_out.len(), (share * labels.len() as f64).round() as usize);
            for class in 0..6 {
                let count = |samples: &[u32]| samples.iter().filter(|&&sample| labels[sample as usize] == class).count();
                let (out, all) = (count(&held_out) as f64, (count(&held_out) + count(&rest)) as f64);
                prop_assert!(all == 0.0 || count(&rest) > 0);
                // Off by one at most, except for what small classes cannot contribute.
                let quota = held_out.len() as f64 * all / labels.len() as f64;
                prop_assert!(out <= quota.ceil() + 5.0 && out >= (quota.floor()).min(all - 1.0), "{} of {}", out, quota);
            }
        }
    }
}
