//! Conversion of CSV, NPY and NPZ files, of folders of pictures, and of IDX files themselves, to IDX.
//!
//! ```text
//! format ─► csv | idx | arrays | pictures ──samples, one by one──► survey ─► labelling, elements ─► output
//!  detects   a source each, read twice                              1st pass  what the labels mean,  2nd pass: temporary
//!                                                                   examines  the element type       files, renamed together
//! ```
//!
//! Before that, `roles` tells several files apart by their names; behind a source, `transform` and `relabelled` change its
//! samples; `read` hands samples to a model instead of files. `notes` has what was left out or changed.
//!
//! The first pass finds everything that is wrong before anything is written, and what the headers need: the number of
//! samples, the element type, the classes. No pass keeps more than one sample and a buffer, so a source may be larger than
//! memory. Files are written under temporary names and put into place together; the folder is locked meanwhile.

mod arrays;
mod classes;
mod csv;
mod element_choice;
mod elements;
mod format;
mod idx;
mod labelling;
mod notes;
mod output;
mod pictures;
mod progress;
mod read;
mod relabel;
mod relabelled;
mod request;
mod resize;
mod roles;
mod rounding;
mod source;
mod survey;
mod test_split;
mod transform;

use std::path::PathBuf;

use self::labelling::Labelling;
use self::output::Output;
use self::progress::ProgressReporter;
use self::source::{Half, LabelKind, Sample, Sources};
use self::survey::Survey;
use self::test_split::Draw;
use crate::data::Note;
use crate::data::class_names::ClassNames;
use crate::data::idx::ElementType;
use crate::data::source_record::SourceRecord;
use crate::error::Result;

pub use self::labelling::LabelFile;
pub use self::progress::Progress;
pub use self::read::{ReadSamples, read_samples};
pub use self::relabel::Relabel;
pub use self::request::{
    ArrayOptions, Background, Color, Labels, PictureOptions, Request, TableOptions,
};
pub use self::resize::{Fit, Resize};
pub use self::roles::is_source;
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
    /// What was guessed, left out or changed.
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
    let (request, guesses) = roles::resolve(request)?;
    let request = &*request;
    request.check()?;
    let sources = format::open(request)?;
    let is_unlabelled = *sources.train.label_kind() == LabelKind::Absent;
    let mut lock = output::lock(request, is_unlabelled)?;

    let record = SourceRecord::of(request.sources())?;
    let mut surveys = Vec::new();
    for (half, source) in sources.halves() {
        surveys.push((half, source, Survey::of(source, request, on_progress)?));
    }
    let given = element_choice::given(request, sources.halves().map(|(_, source)| source));
    let found = surveys.iter().map(|(_, _, survey)| survey);
    let element = given.unwrap_or_else(|| element_choice::smallest(found));
    let sample_shape = sources.train.sample_shape().to_vec();
    let mut surveyed = surveys.iter().map(|(_, source, survey)| (*source, survey));
    let train = surveyed.next().expect("a survey of the training samples");
    let labelling = Labelling::new(request, train, &surveyed.collect::<Vec<_>>())?;
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
    let notes = notes::of_sets(&surveys, &labelling, (given, element));
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
        notes: [guesses, sources.notes.clone(), notes].concat(),
    })
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
