//! Matches the classes of a set with those of a model or a training set, by their names: the same label may be the number
//! of another class in each.

use std::collections::HashMap;
use std::path::Path;

use super::class_names::ClassNames;
use super::note::Note;
use super::targets::Targets;
use crate::error::{Error, Refusal, Result};
use crate::message::Message;

/// The classes that a set is read for.
#[derive(Debug, Clone, Copy)]
pub struct KnownClasses<'a> {
    /// Their names.
    pub names: &'a ClassNames,
    /// Whose they are, for messages: `the model`.
    pub owner: &'a str,
}

/// For each class of a set, its number among the known classes.
#[derive(Debug)]
pub(super) struct ClassMap {
    to: Vec<u32>,
    known: usize,
}

impl ClassMap {
    /// Matches the class `names` in the file `path` with the known ones. Returns `None` if they are the same.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if a name is not among the known ones.
    pub fn new(path: &Path, names: &ClassNames, known: KnownClasses) -> Result<Option<ClassMap>> {
        if names == known.names {
            return Ok(None);
        }
        let numbers = known.names.names().iter().zip(0..);
        let numbers: HashMap<&String, u32> = numbers.collect();
        let names = names.names().iter().enumerate();
        let to = names.map(|(class, name)| {
            numbers.get(name).copied().ok_or_else(|| {
                let found = format!("class {class} is {name:?}");
                let expected = format!("a class of {}: {}", known.owner, listed(known.names));
                let hint = "correct the file, or rename it if it does not belong to these labels";
                Error::Data(Refusal::new(path.display(), found, expected).hint(hint))
            })
        });
        Ok(Some(ClassMap {
            to: to.collect::<Result<_>>()?,
            known: numbers.len(),
        }))
    }

    /// Returns the targets with the known classes. Labels are below the number of classes of the set.
    ///
    /// # Errors
    /// Returns what was found and what was expected if samples have several labels, and the set lacks one.
    pub fn apply(&self, targets: Targets) -> Result<Targets, (String, String)> {
        match targets {
            Targets::Classes { labels, .. } => Ok(Targets::Classes {
                labels: labels
                    .iter()
                    .map(|&label| self.to[label as usize])
                    .collect(),
                classes: self.known,
            }),
            Targets::Flags { flags, classes } if classes == self.known => {
                let mut mapped = vec![0; flags.len()];
                for (mapped, flags) in mapped.chunks_mut(classes).zip(flags.chunks(classes)) {
                    for (flag, &to) in flags.iter().zip(&self.to) {
                        mapped[to as usize] = *flag;
                    }
                }
                Ok(Targets::Flags {
                    flags: mapped,
                    classes,
                })
            }
            // Whether a sample has a label that the file does not mention is unknown.
            Targets::Flags { classes, .. } => {
                Err((format!("{classes} classes a row"), self.known.to_string()))
            }
            values @ Targets::Values { .. } => Ok(values),
        }
    }

    /// Returns the note about labels that became others.
    pub fn note(&self, path: &Path, known: KnownClasses) -> Note {
        const SHOWN: usize = 5;
        let moved = self.to.iter().zip(0u32..).filter(|(to, from)| *to != from);
        let moved = moved
            .map(|(&to, from)| format!("{from} is {to} ({})", known.names.names()[to as usize]));
        let moved: Vec<String> = moved.collect();
        let text = match moved.len() {
            0 => format!("has the first {} classes of {}", self.to.len(), known.owner),
            1..=SHOWN => format!(
                "classes are matched with {} by name: {}",
                known.owner,
                moved.join(", ")
            ),
            count => format!(
                "classes are matched with {} by name: {} and {} more",
                known.owner,
                moved[..SHOWN].join(", "),
                count - SHOWN
            ),
        };
        Note::new(path.display(), Message::from(text))
    }
}

/// Lists names, abbreviated to fit in a line.
fn listed(names: &ClassNames) -> String {
    const SHOWN: usize = 12;
    let names = names.names();
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> ClassNames {
        ClassNames::new("names", text.split(' ').map(str::to_owned).collect()).expect("names")
    }

    fn map(of_set: &str, of_model: &str) -> Result<Option<ClassMap>> {
        let model = names(of_model);
        let known = KnownClasses {
            names: &model,
            owner: "the model",
        };
        ClassMap::new(Path::new("c.txt"), &names(of_set), known)
    }

    #[test]
    fn labels_become_those_of_the_same_names() {
        assert!(map("cat dog", "cat dog").expect("names").is_none());
        let map = map("fox dog", "cat dog fox")
            .expect("names")
            .expect("a map");
        let labels = Targets::Classes {
            labels: vec![0, 1, 1],
            classes: 2,
        };
        let expected = Targets::Classes {
            labels: vec![2, 1, 1],
            classes: 3,
        };
        assert_eq!(map.apply(labels), Ok(expected));
        let known = KnownClasses {
            names: &names("cat dog fox"),
            owner: "the model",
        };
        assert_eq!(
            map.note(Path::new("c.txt"), known).to_string(),
            "c.txt: classes are matched with the model by name: 0 is 2 (fox)"
        );
    }

    #[test]
    fn columns_of_several_labels_are_permuted_and_must_be_complete() {
        let flags = |flags: &[u8], classes| Targets::Flags {
            flags: flags.to_vec(),
            classes,
        };
        let of_all = map("c a b", "a b c").expect("names").expect("a map");
        let turned = of_all.apply(flags(&[1, 0, 0, 0, 1, 1], 3));
        assert_eq!(turned, Ok(flags(&[0, 0, 1, 1, 1, 0], 3)));
        let of_some = map("c a", "a b c").expect("names").expect("a map");
        let refused = of_some.apply(flags(&[1, 0], 2)).expect_err("a refusal");
        assert_eq!(refused, ("2 classes a row".to_owned(), "3".to_owned()));
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let refused = map("cat owl", "cat dog fox").expect_err("a refusal");
        assert_eq!(
            refused.to_string(),
            "c.txt: class 1 is \"owl\", expected a class of the model: cat, dog, fox"
        );
    }
}
