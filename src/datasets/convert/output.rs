//! The files of a data set on their way to the disk: each under a temporary name, put into place together at the end.

use std::fs;
use std::path::{Path, PathBuf};

use super::Request;
use super::elements::{self, encode};
use super::labelling::Labelling;
use super::source::{Cell, Item};
use crate::data::class_names;
use crate::data::folder;
use crate::data::idx::{ElementType, Header};
use crate::durable::{self, Draft};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// A half of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Train,
    Test,
}

/// What the names of its files start with.
fn prefix(half: Half, labelling: &Labelling) -> &'static str {
    match (half, labelling) {
        // Not found by train, which has no use for them.
        (_, Labelling::Unlabelled) => "",
        (Half::Train, _) => "train-",
        (Half::Test, _) => "t10k-",
    }
}

/// The files of a data set in `folder`, its training images first; or of items without labels.
fn standing(folder: &Path, unlabelled: bool) -> Vec<PathBuf> {
    match unlabelled {
        true => folder::unlabelled(folder),
        false => folder::all_files(folder),
    }
}

/// Refuses to write over a data set unless asked to, and what cannot be written at all.
pub(super) fn check_free(request: &Request, unlabelled: bool) -> Result<()> {
    let folder = &request.out;
    if let (Some(path), false) = (standing(folder, unlabelled).first(), request.force) {
        return Err(Error::Config(
            Refusal::new(
                Key("out"),
                format!("{} is there already", path.display()),
                "a folder without a data set",
            )
            .hint(message![
                "name another folder, or add ",
                Key("force"),
                " to replace it"
            ]),
        ));
    }
    // Not after an hour of reading: the folder, or the nearest there is above it.
    let above = folder
        .ancestors()
        .map(|above| match above.as_os_str().is_empty() {
            true => Path::new("."),
            false => above,
        });
    let mut there = above.filter(|above| above.exists());
    there.next().map_or(Ok(()), durable::check_writable)
}

/// All files of a data set.
pub(super) struct Output<'a> {
    element: ElementType,
    labelling: &'a Labelling,
    train: HalfFiles,
    test: Option<HalfFiles>,
    buffer: Vec<u8>,
}

struct HalfFiles {
    images: Draft,
    labels: Option<Draft>,
    items: u64,
    written: u64,
}

impl Output<'_> {
    /// Begins files for so many items of each half.
    pub fn create<'a>(
        request: &Request,
        element: ElementType,
        labelling: &'a Labelling,
        item_shape: &[usize],
        (train, test): (u64, Option<u64>),
    ) -> Result<Output<'a>> {
        durable::create_folder(&request.out)?;
        let half = |half, items| {
            let prefix = prefix(half, labelling);
            // What processes left that were killed in the middle of this.
            durable::sweep(
                &request.out,
                &[&format!("{prefix}images-"), &format!("{prefix}labels-")],
            )?;
            HalfFiles::create(&request.out, prefix, element, labelling, item_shape, items)
        };
        Ok(Output {
            element,
            labelling,
            train: half(Half::Train, train)?,
            test: test.map(|items| half(Half::Test, items)).transpose()?,
            buffer: Vec::new(),
        })
    }

    /// Writes an item to a half that there is.
    pub fn write(&mut self, half: Half, item: &Item, place: &dyn Fn(Cell) -> String) -> Result<()> {
        let refuse =
            |cell, found, expected| Error::Data(Refusal::new(place(cell), found, expected));
        let files = match (half, &mut self.test) {
            (Half::Test, Some(test)) => test,
            _ => &mut self.train,
        };
        self.buffer.clear();
        for (at, &value) in item.elements.iter().enumerate() {
            let encoded = encode(value, self.element, &mut self.buffer);
            encoded.map_err(|expected| {
                refuse(
                    Cell::Element(at),
                    elements::written(value),
                    expected.to_owned(),
                )
            })?;
        }
        files.images.write(&self.buffer)?;
        files.written += 1;
        if let Some(labels) = &mut files.labels {
            self.buffer.clear();
            let encoded = self.labelling.encode(item, &mut self.buffer);
            encoded.map_err(|(cell, found, expected)| refuse(cell, found, expected))?;
            labels.write(&self.buffer)?;
        }
        Ok(())
    }

    /// Puts everything into place, in the stead of what was there of another data set. None of it stays when that fails.
    pub fn finish(self, request: &Request) -> Result<Vec<PathBuf>> {
        let mut finished = Vec::new();
        for half in [Some(self.train), self.test].into_iter().flatten() {
            if half.written != half.items {
                return Err(Error::Data(
                    Refusal::new(
                        request.source.display(),
                        format!("{} items at the second reading", half.written),
                        format!("{}, as at the first", half.items),
                    )
                    .hint("it changed while it was read; convert it again"),
                ));
            }
            finished.push(half.images.finish()?);
            if let Some(labels) = half.labels {
                finished.push(labels.finish()?);
            }
        }
        if let Some(names) = self.labelling.class_names() {
            let mut draft = Draft::new(&request.out.join(class_names::FILE))?;
            draft.write(names.to_text().as_bytes())?;
            finished.push(draft.finish()?);
        }
        // Training images, without which there is no data set, are the first to go and the last to come. Wherever this is
        // cut short, nobody finds images of one set beside labels of another.
        for old in standing(
            &request.out,
            matches!(self.labelling, Labelling::Unlabelled),
        ) {
            fs::remove_file(&old).map_err(Error::io(&old, "remove"))?;
        }
        let mut files = Vec::new();
        let placed = finished
            .into_iter()
            .rev()
            .try_for_each(|file| file.put().map(|path| files.push(path)))
            .and_then(|()| durable::sync(&request.out));
        if let Err(error) = placed {
            for file in files.iter().rev() {
                // Told is what went wrong first.
                let _ = fs::remove_file(file);
            }
            return Err(error);
        }
        files.reverse();
        Ok(files)
    }
}

impl HalfFiles {
    fn create(
        out: &Path,
        prefix: &str,
        element: ElementType,
        labelling: &Labelling,
        item_shape: &[usize],
        items: u64,
    ) -> Result<HalfFiles> {
        let draft = |kind: &str, element, dimensions: &[usize]| {
            let path = out.join(folder::file_name(prefix, kind, element, dimensions.len()));
            let header = Header::new(&path, element, dimensions)?;
            let mut draft = Draft::new(&path)?;
            draft.write(&header.to_bytes())?;
            Ok(draft)
        };
        let all = [&[items as usize], item_shape].concat();
        let labels = labelling.file(items as usize);
        Ok(HalfFiles {
            images: draft("images", element, &all)?,
            labels: labels
                .map(|(element, dimensions)| draft("labels", element, &dimensions))
                .transpose()?,
            items,
            written: 0,
        })
    }
}
