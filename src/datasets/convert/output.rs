//! The files of a data set, written under temporary names and put into place together at the end.

use std::path::{Path, PathBuf};

use super::elements::{self, encode};
use super::labelling::Labelling;
use super::request::Request;
use super::source::{Cell, Half, Sample};
use crate::data::class_names;
use crate::data::folder;
use crate::data::idx::{ElementType, Header};
use crate::data::replacement;
use crate::data::source_record::{self, SourceRecord};
use crate::durable::{self, Draft, Finished, FolderLock};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// Returns what the names of its files start with.
fn prefix(half: Half, labelling: &Labelling) -> &'static str {
    match (half, labelling) {
        // Under these names `train` does not find them.
        (_, Labelling::Unlabelled) => "",
        (Half::Train, _) => "train-",
        (Half::Validation, _) => "validation-",
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

/// Locks the folder of the data set, and checks that it has none, unless it is to be replaced, and that it can be written:
/// now rather than after an hour of reading.
pub(super) fn lock(request: &Request, is_unlabelled: bool) -> Result<FolderLock> {
    let folder = &request.out;
    // The nearest ancestor that exists, where the others would be created.
    let ancestors = folder.ancestors();
    let mut existing = ancestors
        .map(|folder| match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        })
        .filter(|folder| folder.exists());
    existing.next().map_or(Ok(()), durable::check_writable)?;
    let lock = replacement::begin(folder)?;
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
    Ok(lock)
}

/// All files of a data set that is being written.
pub(super) struct Output<'a> {
    element: ElementType,
    labelling: &'a Labelling,
    /// The files of each half, the training files first.
    halves: Vec<(Half, HalfFiles)>,
    buffer: Vec<u8>,
}

struct HalfFiles {
    images: Draft,
    labels: Option<Draft>,
    samples: u64,
    written: u64,
}

impl Output<'_> {
    /// Creates temporary files for this many samples of each half, the training samples first.
    pub fn create<'a>(
        request: &Request,
        element: ElementType,
        labelling: &'a Labelling,
        sample_shape: &[usize],
        samples: &[(Half, u64)],
    ) -> Result<Output<'a>> {
        let halves = samples.iter().map(|&(half, samples)| {
            let prefix = prefix(half, labelling);
            let files = HalfFiles::create(
                &request.out,
                prefix,
                element,
                labelling,
                sample_shape,
                samples,
            );
            Ok((half, files?))
        });
        Ok(Output {
            element,
            labelling,
            halves: halves.collect::<Result<_>>()?,
            buffer: Vec::new(),
        })
    }

    /// Writes a sample to the set of a half.
    ///
    /// # Panics
    /// Panics if there is no such set.
    pub fn write(
        &mut self,
        half: Half,
        sample: &Sample,
        place: &dyn Fn(Cell) -> String,
    ) -> Result<()> {
        let refuse = |(cell, found, expected): (Cell, String, &str)| {
            Error::Data(Refusal::new(place(cell), found, expected))
        };
        let files = self.halves.iter_mut().find(|(of, _)| *of == half);
        let (_, files) = files.expect("files of every half that has samples");
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

    /// Puts the new files into the place of the previous data set, all of them or none.
    pub fn finish(
        self,
        request: &Request,
        lock: &mut FolderLock,
        record: &SourceRecord,
    ) -> Result<Vec<PathBuf>> {
        let mut finished = Vec::new();
        for (_, half) in self.halves {
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
        let out = &request.out;
        let old = match self.labelling {
            Labelling::Unlabelled => folder::unlabelled(out),
            _ => {
                let path = out.join(source_record::FILE);
                finished.push(Finished::fill(&path, |out| {
                    out.write_all(&record.to_bytes())
                })?);
                folder::replaced_files(out)
            }
        };
        let mut files = replacement::replace(lock, finished, &old)?;
        files.retain(|path| !path.ends_with(source_record::FILE));
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
