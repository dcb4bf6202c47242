//! Samples whose labels are replaced.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::Path;

use super::relabel::Relabel;
use super::source::{Cell, LabelKind, Sample, Samples, Source};
use crate::data::Note;
use crate::data::idx::ElementType;
use crate::error::{Error, Refusal, Result};
use crate::message::Key;

/// A source whose labels are replaced.
pub(super) struct Relabelled {
    source: Box<dyn Source>,
    relabel: Relabel,
    /// The labels that occurred, by their position.
    found: RefCell<HashSet<usize>>,
}

impl Relabelled {
    /// Replaces the labels of `source`, which must be classes.
    pub fn new(source: Box<dyn Source>, relabel: Relabel) -> Result<Relabelled> {
        match source.label_kind() {
            LabelKind::Class => Ok(Relabelled {
                source,
                relabel,
                found: RefCell::default(),
            }),
            _ => Err(Error::Config(Refusal::new(
                Key("relabel"),
                "given for labels of several numbers",
                "one class for each sample",
            ))),
        }
    }
}

impl Source for Relabelled {
    fn path(&self) -> &Path {
        self.source.path()
    }

    fn description(&self) -> String {
        self.source.description()
    }

    fn sample_shape(&self) -> &[usize] {
        self.source.sample_shape()
    }

    fn label_kind(&self) -> &LabelKind {
        self.source.label_kind()
    }

    fn element(&self) -> Option<ElementType> {
        self.source.element()
    }

    fn may_lack_labels(&self) -> bool {
        self.source.may_lack_labels()
    }

    fn shares_classes(&self) -> bool {
        self.source.shares_classes()
    }

    fn notes(&self) -> Vec<Note> {
        let found = self.found.borrow();
        let pairs = self.relabel.0.iter().enumerate();
        let absent: Vec<&str> = pairs
            .filter(|(at, _)| !found.contains(at))
            .map(|(_, (old, _))| &**old)
            .collect();
        let mut notes = self.source.notes();
        if !absent.is_empty() {
            let text = format!("no label {} to replace", absent.join(", "));
            notes.push(Note::new(self.path().display(), text));
        }
        notes
    }

    fn samples(&self) -> Result<Box<dyn Samples + '_>> {
        Ok(Box::new(RelabelledSamples {
            samples: self.source.samples()?,
            of: self,
        }))
    }

    fn place(&self, position: u64, cell: Cell) -> String {
        self.source.place(position, cell)
    }
}

struct RelabelledSamples<'a> {
    samples: Box<dyn Samples + 'a>,
    of: &'a Relabelled,
}

impl Samples for RelabelledSamples<'_> {
    fn next(&mut self, sample: &mut Sample) -> Result<bool> {
        if !self.samples.next(sample)? {
            return Ok(false);
        }
        let mut pairs = self.of.relabel.0.iter();
        if let Some(at) = pairs.position(|(old, _)| *old == sample.class) {
            self.of.found.borrow_mut().insert(at);
            sample.class.clone_from(&self.of.relabel.0[at].1);
        }
        Ok(true)
    }

    fn position(&self) -> u64 {
        self.samples.position()
    }

    fn progress(&self) -> (u64, u64) {
        self.samples.progress()
    }
}
