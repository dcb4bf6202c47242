//! Classes that no sample of a set has: class 0 of labels that count from 1, or most of 256 classes if one label is 255.

use super::class_names::{ClassNames, titled};
use super::targets::Targets;

/// Returns words about the classes that no sample of `targets` has, if there are any: `no sample of class 0`.
pub fn without_sample(targets: &Targets, names: Option<&ClassNames>) -> Option<String> {
    let mut found = vec![false; targets.outputs()];
    match targets {
        Targets::Values { .. } => return None,
        Targets::Classes { labels, .. } => {
            let labels = labels.iter();
            labels.for_each(|&label| found[label as usize] = true);
        }
        Targets::Flags { flags, classes } => {
            for row in flags.chunks(*classes) {
                let found = found.iter_mut().zip(row);
                found.for_each(|(found, flag)| *found |= *flag == 1);
            }
        }
    }
    empty_classes(found.into_iter(), names)
}

/// Returns words about the classes without a sample, if there are any: `no sample of class 0`. For each class, `has_samples`
/// is whether it has one.
pub(crate) fn empty_classes(
    has_samples: impl ExactSizeIterator<Item = bool>,
    names: Option<&ClassNames>,
) -> Option<String> {
    const SHOWN: usize = 6;
    let all = has_samples.len();
    let empty = has_samples.enumerate().filter(|(_, has)| !has);
    let empty: Vec<usize> = empty.map(|(class, _)| class).collect();
    let shown = empty.iter().take(SHOWN).map(|&class| titled(class, names));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match empty.len() {
        0 => None,
        1 => Some(format!("no sample of class {shown}")),
        count @ 2..=SHOWN => Some(format!("no sample of {count} of {all} classes: {shown}")),
        count => Some(format!("no sample of {count} of {all} classes: {shown}, …")),
    }
}
