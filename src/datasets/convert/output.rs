//! The files of a data set, written under temporary names and renamed together at the end.

use std::fs;
use std::path::{Path, PathBuf};

use super::elements::{self, encode};
use super::labelling::Labelling;
use super::request::Request;
use super::source::{Cell, Sample};
use crate::data::class_names;
use crate::data::folder;
use crate::data::idx::{ElementType, Header};
use crate::durable::{self, Draft};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// The training set or the test set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Train,
    Test,
}

/// Returns what the names of its files start with.
fn prefix(half: Half, labelling: &Labelling) -> &'static str {
    match (half, labelling) {
        // Under these names `train` does not find them.
        (_, Labelling::Unlabelled) => "",
        (Half::Train, _) => "train-",
        (Half::Test, _) => "t10k-",
    }
}

/// Returns the files of the data set in `folder`, its training images first; or the files of samples without labels.
fn existing_files(folder: &Path, unlabelled: bool) -> Vec<PathBuf> {
    match unlabelled {
        true => folder::unlabelled(folder),
        false => folder::all_files(folder),
    }
}

/// Checks that the folder has no data set, unless it is to be replaced, and that it can be written.
pub(super) fn check_free(request: &Request, is_unlabelled: bool) -> Result<()> {
    let folder = &request.out;
    if let (Some(path), false) = (existing_files(folder, is_unlabelled).first(), request.force) {
        return Err(Error::Config(
            Refusal::new(
                Key("out"),
                format!("{} exists already", path.display()),
                "a folder without a data set",
            )
            .hint(message![
                "name another folder, or add ",
                Key("force"),
                " to replace it"
            ]),
        ));
    }
    // Checked now rather than after an hour of reading: the folder, or its nearest ancestor that exists.
    let ancestors = folder.ancestors();
    let mut existing = ancestors
        .map(|folder| match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        })
        .filter(|folder| folder.exists());
    existing.next().map_or(Ok(()), durable::check_writable)
}

/// All files of a data set that is being written.
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
    samples: u64,
    written: u64,
}

impl Output<'_> {
    /// Creates temporary files for this many training and test samples.
    pub fn create<'a>(
        request: &Request,
        element: ElementType,
        labelling: &'a Labelling,
        sample_shape: &[usize],
        (train, test): (u64, Option<u64>),
    ) -> Result<Output<'a>> {
        durable::create_folder(&request.out)?;
        let half = |half, samples| {
            let prefix = prefix(half, labelling);
            // Left by processes that were killed while they wrote.
            durable::remove_leftovers(
                &request.out,
                &[&format!("{prefix}images-"), &format!("{prefix}labels-")],
            )?;
            HalfFiles::create(
                &request.out,
                prefix,
                element,
                labelling,
                sample_shape,
                samples,
            )
        };
        Ok(Output {
            element,
            labelling,
            train: half(Half::Train, train)?,
            test: test.map(|samples| half(Half::Test, samples)).transpose()?,
            buffer: Vec::new(),
        })
    }

    /// Writes a sample to the training or the test set, which must exist.
    pub fn write(
        &mut self,
        half: Half,
        sample: &Sample,
        place: &dyn Fn(Cell) -> String,
    ) -> Result<()> {
        let refuse = |(cell, found, expected): (Cell, String, &str)| {
            Error::Data(Refusal::new(place(cell), found, expected))
        };
        let files = match (half, &mut self.test) {
            (Half::Test, Some(test)) => test,
            _ => &mut self.train,
        };
        self.buffer.clear();
        for (at, &value) in sample.elements.iter().enumerate() {
            let encoded = encode(value, self.element, &mut self.buffer);
            encoded.map_err(|expected| {
                refuse((Cell::Element(at), elements::shortest(value), expected))
            })?;
        }
        files.images.write(&self.buffer)?;
        files.written += 1;
        if let Some(labels) = &mut files.labels {
            self.buffer.clear();
            let encoded = self.labelling.encode(sample, &mut self.buffer);
            encoded.map_err(refuse)?;
            labels.write(&self.buffer)?;
        }
        Ok(())
    }

    /// Renames the new files and removes those of the previous data set. No new file is left if that fails.
    pub fn finish(self, request: &Request) -> Result<Vec<PathBuf>> {
        let mut finished = Vec::new();
        for half in [Some(self.train), self.test].into_iter().flatten() {
            if half.written != half.samples {
                return Err(Error::Data(
                    Refusal::new(
                        request.source.display(),
                        format!("{} samples in the second pass", half.written),
                        format!("{}, as in the first", half.samples),
                    )
                    .hint("the source changed while it was read; convert it again"),
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
        // Without training images there is no data set. They are removed first and renamed last, so that an interruption
        // at any point leaves no images of one set next to labels of another.
        for old in existing_files(
            &request.out,
            matches!(self.labelling, Labelling::Unlabelled),
        ) {
            fs::remove_file(&old).map_err(Error::io(&old, "remove"))?;
        }
        let mut files = Vec::new();
        let renamed = finished
            .into_iter()
            .rev()
            .try_for_each(|file| file.put().map(|path| files.push(path)))
            .and_then(|()| durable::sync(&request.out));
        if let Err(error) = renamed {
            for file in files.iter().rev() {
                // The first error is the one to report.
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
        sample_shape: &[usize],
        samples: u64,
    ) -> Result<HalfFiles> {
        let draft = |kind: &str, element, dimensions: &[usize]| {
            let path = out.join(folder::file_name(prefix, kind, element, dimensions.len()));
            let header = Header::new(&path, element, dimensions)?;
            let mut draft = Draft::new(&path)?;
            draft.write(&header.to_bytes())?;
            Ok(draft)
        };
        let all = [&[samples as usize], sample_shape].concat();
        let labels = labelling.layout(samples as usize);
        Ok(HalfFiles {
            images: draft("images", element, &all)?,
            labels: labels
                .map(|(element, dimensions)| draft("labels", element, &dimensions))
                .transpose()?,
            samples,
            written: 0,
        })
    }
}
