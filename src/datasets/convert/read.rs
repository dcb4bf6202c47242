//! Samples that are read to predict them, without files of a data set: rows of numbers of a CSV file, arrays, pictures.
//!
//! What a file means follows from the number of inputs of the network: which columns of a table are inputs, which array of an
//! archive has the samples, and whether a picture is grey. What does not follow is refused. Values are stored as
//! [`convert`](super::convert) stores them, so that predictions are the same.

use std::path::Path;

use super::elements::encode;
use super::request::{Labels, Request};
use super::source::{Cell, Sample, Source};
use super::survey::Survey;
use super::{element_choice, format};
use crate::data::filled::Scratch;
use crate::data::idx::{ElementType, Header};
use crate::data::mmap::Bytes;
use crate::data::{IdxFile, Note, Rows};
use crate::error::{Error, Refusal, Result};

/// The most bytes of samples in memory.
const MAX_IN_MEMORY: u64 = 1 << 26;

/// Samples of a file that is not an IDX file.
#[derive(Debug)]
pub struct ReadSamples {
    /// The samples, as they would be in an IDX file.
    pub rows: Rows,
    /// What was guessed, left out or changed.
    pub notes: Vec<Note>,
}

/// Reads the samples of `request` for a network with so many `inputs`. Only what the request says about samples counts. Samples
/// that are too many for the memory go to a file without a name in `folder`.
///
/// # Errors
/// Returns [`Error::Data`] if the source is malformed or if its samples have another number of elements, [`Error::Config`] if
/// an option does not fit the source, and [`Error::Io`] if the system fails.
pub fn read_samples(request: &Request, inputs: usize, folder: &Path) -> Result<ReadSamples> {
    let request = Request {
        labels: Labels::Absent,
        sample_elements: Some(inputs),
        ..request.clone()
    };
    let (request, mut notes) = format::for_inputs(&request, inputs)?;
    let sources = format::open(&request)?;
    let source = &*sources.train;
    check_inputs(source, inputs)?;
    let survey = Survey::of(source, &request, &mut |_| {})?;
    let given = element_choice::given(&request, [source]);
    let element = given.unwrap_or_else(|| element_choice::smallest([&survey].into_iter()));
    let dimensions = [&[survey.samples as usize], source.sample_shape()].concat();
    let header = Header::new(&request.source, element, &dimensions)?;
    let mut store = Store::new(header.file_bytes() as u64, folder)?;
    store.write(&header.to_bytes())?;
    write(source, element, survey.samples, &mut store)?;
    notes.extend(sources.notes.clone());
    notes.extend(source.notes());
    notes.extend(survey.notes(source, given, element));
    let file = IdxFile::from_bytes(&request.source, store.finish()?)?;
    Ok(ReadSamples {
        rows: Rows::from(file),
        notes,
    })
}

fn check_inputs(source: &dyn Source, inputs: usize) -> Result<()> {
    let shape = source.sample_shape();
    let found: usize = shape.iter().product();
    if found == inputs {
        return Ok(());
    }
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    Err(Error::Data(Refusal::new(
        source.path().display(),
        format!("samples of {}", sizes.join("×")),
        format!("{inputs} elements, the inputs of the model"),
    )))
}

/// Writes each sample of `source`, which has so many, as elements of a type.
fn write(source: &dyn Source, element: ElementType, count: u64, store: &mut Store) -> Result<()> {
    let (mut sample, mut bytes) = (Sample::default(), Vec::new());
    let (mut samples, mut written) = (source.samples()?, 0);
    while samples.next(&mut sample)? {
        bytes.clear();
        for (at, &value) in sample.elements.iter().enumerate() {
            encode(value, element, &mut bytes).map_err(|expected| {
                let place = source.place(samples.position(), Cell::Element(at));
                Error::Data(Refusal::new(place, value.to_string(), expected))
            })?;
        }
        store.write(&bytes)?;
        written += 1;
    }
    match written == count {
        true => Ok(()),
        false => Err(Error::Data(Refusal::new(
            source.path().display(),
            format!("{written} samples in the second pass"),
            format!("{count}, as in the first"),
        ))),
    }
}

/// Where samples are kept.
enum Store {
    Memory(Vec<u8>),
    File(Scratch),
}

impl Store {
    fn new(bytes: u64, folder: &Path) -> Result<Store> {
        match bytes {
            ..=MAX_IN_MEMORY => Ok(Store::Memory(Vec::new())),
            _ => Scratch::create_in(folder).map(Store::File),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Store::File(file) => file.write(bytes),
            Store::Memory(memory) => {
                memory.try_reserve(bytes.len()).map_err(|_| {
                    let found = format!("{} bytes were refused", bytes.len());
                    Error::Memory(Refusal::new("memory", found, "room for the samples"))
                })?;
                memory.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<Bytes> {
        match self {
            Store::Memory(memory) => Ok(Bytes::Owned(memory)),
            Store::File(file) => file.map(),
        }
    }
}
