//! Conversion of CSV, NPY and NPZ files and of folders of PNG files to IDX.
//!
//! ```text
//! format ─► csv | arrays | pictures ──samples, one by one──► survey ─► labelling, elements ─► output
//!  detects   a source each,                                   1st pass  what the labels mean,  2nd pass: temporary files,
//!            read twice                                       examines  the element type       renamed together
//! ```
//!
//! The first pass finds everything that is wrong before anything is written, and what the headers need: the number of
//! samples, the element type, the classes. No pass keeps more than one sample and a buffer, so a source may be larger than
//! memory. Files are written under temporary names and put into place together; the folder is locked meanwhile.

mod arrays;
mod classes;
mod csv;
mod elements;
mod format;
mod labelling;
mod output;
mod pictures;
mod progress;
mod request;
mod source;
mod survey;
mod test_split;

use std::path::PathBuf;

use self::labelling::Labelling;
use self::output::{Half, Output};
use self::progress::ProgressReporter;
use self::source::{LabelKind, Sample, Sources};
use self::survey::Survey;
use self::test_split::Draw;
use crate::data::class_names::ClassNames;
use crate::data::idx::ElementType;
use crate::data::source_record::SourceRecord;
use crate::error::Result;

pub use self::labelling::LabelFile;
pub use self::progress::Progress;
pub use self::request::{
    ArrayOptions, Background, Color, Labels, PictureOptions, Request, TableOptions,
};
pub use self::test_split::TestSplit;

/// The data set that a conversion wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted {
    /// A description of the source, and of where the labels were found.
    pub source: String,
    /// The files, in the order training images and labels, test images and labels, class names.
    pub files: Vec<PathBuf>,
    /// The number of training samples; of all samples if they have no labels.
    pub train: usize,
    /// The number of test samples; `None` without a test set.
    pub test: Option<usize>,
    /// The shape of one sample.
    pub sample_shape: Vec<usize>,
    /// The element type.
    pub element: ElementType,
    /// The contents of the file of labels.
    pub labels: LabelFile,
    /// The names of the classes; `None` if labels are numbers without names.
    pub class_names: Option<ClassNames>,
}

/// Converts samples to a data set in IDX files.
///
/// # Errors
/// Returns [`Error::Config`](crate::Error::Config) if an option does not fit the source, or if the folder already has a
/// data set; [`Error::Data`](crate::Error::Data) if the source is malformed, with the place, or if another process writes to
/// the folder; and [`Error::Io`](crate::Error::Io) if the system fails. No new file is left in the folder then, and the
/// previous data set is complete.
pub fn convert(request: &Request, on_progress: &mut dyn FnMut(Progress)) -> Result<Converted> {
    request.check()?;
    let sources = format::open(request)?;
    let is_unlabelled = *sources.train.label_kind() == LabelKind::Absent;
    let mut lock = output::lock(request, is_unlabelled)?;

    let record = SourceRecord::of(request.sources())?;
    let train = Survey::of(&*sources.train, request, on_progress)?;
    let test = sources.test.as_deref();
    let test = test.map(|test| Survey::of(test, request, on_progress));
    let test = test.transpose()?;
    let all_bytes = train.all_bytes && test.as_ref().is_none_or(|test| test.all_bytes);
    let smallest = match all_bytes {
        true => ElementType::U8,
        false => ElementType::F32,
    };
    let element = request.element.unwrap_or(smallest);
    let sample_shape = sources.train.sample_shape().to_vec();
    let surveyed_test = sources.test.as_deref().zip(test.as_ref());
    let labelling = Labelling::new(request, (&*sources.train, &train), surveyed_test)?;
    let split = request.test_split;
    let draw = split.map(|split| Draw::new(split, labelling.groups(&train)));
    let draw = draw.transpose()?;

    let drawn = draw.as_ref().map(|draw| draw.wanted() as u64);
    let samples = (
        train.samples - drawn.unwrap_or(0),
        test.map(|test| test.samples).or(drawn),
    );
    lock.keep_folder();
    let mut output = Output::create(request, element, &labelling, &sample_shape, samples)?;
    write(&sources, &labelling, draw, &mut output, on_progress)?;
    let files = output.finish(request, &mut lock, &record)?;
    Ok(Converted {
        source: sources.train.description(),
        files,
        train: samples.0 as usize,
        test: samples.1.map(|samples| samples as usize),
        sample_shape,
        element,
        labels: labelling.file(),
        class_names: labelling.class_names().cloned(),
    })
}

/// The second pass, which writes every sample to its half.
fn write(
    sources: &Sources,
    labelling: &Labelling,
    mut draw: Option<Draw>,
    output: &mut Output,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    let mut sample = Sample::default();
    let train = (Half::Train, &*sources.train);
    let test = sources.test.as_deref().map(|test| (Half::Test, test));
    for (half, source) in [Some(train), test].into_iter().flatten() {
        let (mut samples, mut reporter) = (source.samples()?, ProgressReporter::default());
        while samples.next(&mut sample)? {
            let group = || labelling.group(&sample);
            let is_drawn = draw.as_mut().is_some_and(|draw| draw.takes(group()));
            let half = if is_drawn { Half::Test } else { half };
            let place = |cell| source.place(samples.position(), cell);
            output.write(half, &sample, &place)?;
            reporter.count(true, source, &*samples, on_progress);
        }
    }
    Ok(())
}
