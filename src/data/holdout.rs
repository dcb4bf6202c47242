//! Which training items are held out for validation: a share of every class, drawn once from the seed.
//!
//! The draw is stratified: each class gives as many items as its share of the set says, and at least one of each class
//! stays in training. Items that are not of one class each are drawn from all of them alike. Shapes: labels `[items]` in, two ascending lists of items out, which together are all of them.

use std::fmt;
use std::str::FromStr;

use rand::seq::SliceRandom;
use serde::{Deserialize, Deserializer, Serialize};

use super::dataset::Dataset;
use super::targets::Targets;
use crate::error::{Error, Refusal, Result};
use crate::message::Key;
use crate::random::{Purpose, stream};
use crate::text_value;

/// How much of a training set is held out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Holdout {
    /// So many items.
    Items(usize),
    /// This share of the items, rounded to the nearest number of them.
    Fraction(f64),
}

impl Holdout {
    /// The number of items held out of `items`.
    pub fn of(self, items: usize) -> usize {
        match self {
            Holdout::Items(count) => count,
            Holdout::Fraction(share) => (share * items as f64).round() as usize,
        }
    }
}

/// `5000`, `0.1`: a fraction always has a point.
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
        let fraction = || text.parse().ok().map(Holdout::Fraction);
        let found = items.or_else(fraction);
        found.ok_or_else(|| "expected a share, as 0.1, or a number of items, as 5000".to_owned())
    }
}

impl<'de> Deserialize<'de> for Holdout {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Holdout, D::Error> {
        text_value::read(from, str::parse)
    }
}

/// The items of `data` that stay in training, and those that are held out, both in the order of the file.
///
/// # Errors
/// [`Error::Config`] when nothing would be held out, or more than leaves an item of every class, or one to train on where
/// items are not of one class each.
pub fn draw(data: &Dataset, holdout: Holdout, seed: u64) -> Result<(Vec<u32>, Vec<u32>)> {
    let mut members = members_of(data);
    let sizes: Vec<usize> = members.iter().map(Vec::len).collect();
    let count = holdout.of(data.items());
    check(Key("validation_split"), "training items", &sizes, count)?;
    let mut held_out = Vec::with_capacity(count);
    for (class, (members, quota)) in members.iter_mut().zip(quotas(&sizes, count)).enumerate() {
        let mut rng = stream(seed, Purpose::Holdout, class as u32);
        let (drawn, _) = members.partial_shuffle(&mut rng, quota);
        held_out.extend_from_slice(drawn);
    }
    held_out.sort_unstable();
    let mut next = held_out.iter().copied().peekable();
    let rest = (0..data.items() as u32).filter(|item| next.next_if_eq(item).is_none());
    Ok((rest.collect(), held_out))
}

/// Refuses to draw none, or more than leaves one of each group: a class, or all items where there is but one group.
///
/// Shapes: `sizes [groups]`.
pub(crate) fn check(key: Key, items: &str, sizes: &[usize], count: usize) -> Result<()> {
    let most: usize = sizes.iter().map(|size| size.saturating_sub(1)).sum();
    if (1..=most).contains(&count) {
        return Ok(());
    }
    let expected = match (most, sizes.len()) {
        (0, 1) => "at least two".to_owned(),
        (0, _) => "at least two items of some class".to_owned(),
        (_, 1) => format!("1 to {most}, which leaves an item to train on"),
        _ => format!("1 to {most}, which leaves an item of every class"),
    };
    let found = format!("{count} of {} {items}", sizes.iter().sum::<usize>());
    Err(Error::Config(Refusal::new(key, found, expected)))
}

/// The items of each class; all of them together where they are not of one class each.
fn members_of(data: &Dataset) -> Vec<Vec<u32>> {
    let Targets::Classes { labels, classes } = data.targets() else {
        return vec![(0..data.items() as u32).collect()];
    };
    let mut members = vec![Vec::new(); *classes];
    for (&label, item) in labels.iter().zip(0u32..) {
        members[label as usize].push(item);
    }
    members
}

/// How many items each class gives so that `count` are given in all: its share rounded down, and one more in the order
/// of the remainders (A. Hamilton's method), never its last one.
///
/// Shapes: `sizes [classes]`, gives `[classes]`.
pub(crate) fn quotas(sizes: &[usize], count: usize) -> Vec<usize> {
    let items: usize = sizes.iter().sum();
    // In 128 bits, so that no product overflows and no rounding decides.
    let shares = sizes.iter().map(|&size| size as u128 * count as u128);
    let (mut quotas, remainders): (Vec<usize>, Vec<u128>) = shares
        .map(|share| ((share / items as u128) as usize, share % items as u128))
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
    use crate::data::IdxFile;
    use crate::data::idx::{ElementType, Header};
    use crate::data::mmap::Bytes;
    use crate::nn::task::Task;
    use proptest::prelude::*;
    use std::path::Path;

    fn dataset(labels: &[u8]) -> Dataset {
        let path = Path::new("in-memory");
        let header = Header::new(path, ElementType::U8, &[labels.len()]).expect("a header");
        let file = || {
            let bytes = [header.to_bytes(), labels.to_vec()].concat();
            IdxFile::from_bytes(path, Bytes::Owned(bytes)).expect("a whole file")
        };
        Dataset::new(file(), &file(), Some(256)).expect("a data set")
    }

    #[test]
    fn shares_are_rounded_by_the_largest_remainders() {
        // Quotas 3.33, 1.67, 1: the second has the largest remainder.
        assert_eq!(quotas(&[10, 5, 3], 6), [3, 2, 1]);
        // Equal remainders go to the lower class.
        assert_eq!(quotas(&[10, 10], 3), [2, 1]);
        // The last item of a class stays: others give in its place.
        assert_eq!(quotas(&[2, 2, 6], 7), [1, 1, 5]);
        assert_eq!(quotas(&[0, 1, 9], 5), [0, 0, 5]);
    }

    #[test]
    fn one_seed_gives_one_draw_and_another_seed_another() {
        let labels: Vec<u8> = (0..200).map(|item| item % 4).collect();
        let data = dataset(&labels);
        let draw = |seed| draw(&data, Holdout::Fraction(0.1), seed).expect("enough items");
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn refuses_to_hold_out_nothing_or_the_last_of_a_class() {
        let data = dataset(&[0, 0, 0, 1, 1]);
        for holdout in [Holdout::Items(4), Holdout::Fraction(0.01)] {
            let refused = draw(&data, holdout, 1).expect_err("a refusal").to_string();
            assert!(
                refused.ends_with("expected 1 to 3, which leaves an item of every class"),
                "{refused}"
            );
        }
        let (rest, held_out) = draw(&data, Holdout::Items(3), 1).expect("enough items");
        assert_eq!((rest.len(), held_out.len()), (2, 3));
        assert_ne!(
            data.labels()[rest[0] as usize],
            data.labels()[rest[1] as usize]
        );
    }

    #[test]
    fn refuses_to_hold_out_every_item_where_there_are_no_classes() {
        let path = Path::new("in-memory");
        let file = |element, size: usize| {
            let header = Header::new(path, element, &[3]).expect("a header");
            let bytes = [header.to_bytes(), vec![0; 3 * size]].concat();
            IdxFile::from_bytes(path, Bytes::Owned(bytes)).expect("a whole file")
        };
        let (images, numbers) = (file(ElementType::U8, 1), file(ElementType::F32, 4));
        let data = Dataset::for_task(Task::Regression, images, &numbers, None).expect("a data set");
        let refused = draw(&data, Holdout::Items(3), 1).expect_err("a refusal");
        assert_eq!(
            refused.to_string(),
            "validation_split: 3 of 3 training items, expected 1 to 2, which leaves an item to train on"
        );
    }

    proptest! {
        #[test]
        fn every_item_is_on_one_side_and_every_class_gives_its_share(
            labels in proptest::collection::vec(0u8..6, 12..300), share in 0.01f64..0.99, seed in any::<u64>(),
        ) {
            let data = dataset(&labels);
            let Ok((rest, held_out)) = draw(&data, Holdout::Fraction(share), seed) else {
                return Ok(());
            };
            prop_assert!(rest.is_sorted() && held_out.is_sorted());
            let mut all = [rest.clone(), held_out.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len() as u32).collect::<Vec<_>>());
            prop_assert_eq!(held_out.len(), (share * labels.len() as f64).round() as usize);
            for class in 0..6 {
                let count = |items: &[u32]| items.iter().filter(|&&item| labels[item as usize] == class).count();
                let (out, all) = (count(&held_out) as f64, (count(&held_out) + count(&rest)) as f64);
                prop_assert!(all == 0.0 || count(&rest) > 0);
                // Off by one at the most, but for what small classes cannot give.
                let quota = held_out.len() as f64 * all / labels.len() as f64;
                prop_assert!(out <= quota.ceil() + 5.0 && out >= (quota.floor()).min(all - 1.0), "{} of {}", out, quota);
            }
        }
    }
}
