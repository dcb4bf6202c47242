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
mod rounding;
mod source;
mod survey;
mod test_split;

use std::path::PathBuf;

use self::labelling::Labelling;
use self::output::Output;
use self::progress::ProgressReporter;
use self::source::{Half, LabelKind, Sample, Source, Sources};
use self::survey::Survey;
use self::test_split::Draw;
use crate::data::Note;
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
    /// The files, in the order training, validation and test images, each followed by its labels, class names.
    pub files: Vec<PathBuf>,
    /// The number of training samples; of all samples if they have no labels.
    pub train: usize,
    /// The number of validation samples; `None` without a validation set.
    pub validation: Option<usize>,
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
    /// What was left out.
    pub notes: Vec<Note>,
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
    let mut surveys = Vec::new();
    for (half, source) in sources.halves() {
        surveys.push((half, source, Survey::of(source, request, on_progress)?));
    }
    let element = request.element.unwrap_or_else(|| smallest(&surveys));
    let sample_shape = sources.train.sample_shape().to_vec();
    let mut surveyed = surveys.iter().map(|(_, source, survey)| (*source, survey));
    let train = surveyed.next().expect("a survey of the training samples");
    let labelling = Labelling::new(request, train, &surveyed.collect::<Vec<_>>())?;
    let mut notes = sources.notes.clone();
    for (_, source, survey) in &surveys {
        notes.extend(survey.notes(*source, request.element, element));
    }
    notes.extend(labelling.without_sample(train));
    let split = request.test_split;
    let draw = split.map(|split| Draw::new(split, labelling.groups(train.1)));
    let draw = draw.transpose()?;

    let samples = surveys
        .iter()
        .map(|(half, _, survey)| (*half, survey.samples));
    let mut samples: Vec<(Half, u64)> = samples.collect();
    if let Some(drawn) = draw.as_ref().map(|draw| draw.wanted() as u64) {
        samples[0].1 -= drawn;
        samples.push((Half::Test, drawn));
    }
    let count = |half| {
        let found = samples.iter().find(|(of, _)| *of == half);
        found.map(|(_, samples)| *samples as usize)
    };
    lock.keep_folder();
    let mut output = Output::create(request, element, &labelling, &sample_shape, &samples)?;
    write(
        &sources,
        request,
        &labelling,
        draw,
        &mut output,
        on_progress,
    )?;
    let files = output.finish(request, &mut lock, &record)?;
    Ok(Converted {
        source: sources.train.description(),
        files,
        train: samples[0].1 as usize,
        validation: count(Half::Validation),
        test: count(Half::Test),
        sample_shape,
        element,
        labels: labelling.file(),
        class_names: labelling.class_names().cloned(),
        notes,
    })
}

/// Returns the smallest type that holds the elements of all halves; floats only round what they always round.
fn smallest(surveys: &[(Half, &dyn Source, Survey)]) -> ElementType {
    let all = |is_so: fn(&Survey) -> bool| surveys.iter().all(|(_, _, survey)| is_so(survey));
    match () {
        () if all(|survey| survey.all_bytes) => ElementType::U8,
        () if all(|survey| survey.rounded.is_none()) => ElementType::F32,
        () if all(|survey| survey.all_i32) => ElementType::I32,
        () => ElementType::F64,
    }
}

/// The second pass, which writes every sample to its half.
fn write(
    sources: &Sources,
    request: &Request,
    labelling: &Labelling,
    mut draw: Option<Draw>,
    output: &mut Output,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    let mut sample = Sample::default();
    for (of_source, source) in sources.halves() {
        let (mut samples, mut reporter) = (source.samples()?, ProgressReporter::default());
        while samples.next(&mut sample)? {
            if source.lacks_label(&sample, request) {
                continue;
            }
            let mut half = of_source;
            if let (Half::Train, Some(draw)) = (of_source, &mut draw)
                && draw.takes(labelling.group(&sample))
            {
                half = Half::Test;
            }
            let place = |cell| source.place(samples.position(), cell);
            output.write(half, &sample, &place)?;
            reporter.count(true, source, &*samples, on_progress);
        }
    }
    Ok(())
}
