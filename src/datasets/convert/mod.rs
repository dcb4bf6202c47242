//! Other people's data to IDX: CSV, NPY, NPZ and folders of PNG files.
//!
//! ```text
//! source ─► csv | arrays | pictures ──items, one by one──► survey ─► labelling, elements ─► output
//!  which      a format each, read twice                    1st reading   what it comes to     2nd reading:
//!  format                                                  looks at all  in an IDX file       drafts, put in place
//! ```
//!
//! The first reading finds everything that is wrong before anything is written, and what the headers need: how many items
//! there are, which type holds them, which classes. No reading keeps more than an item and a buffer, so that size is no
//! matter. Files are written under temporary names and put into place together.

mod arrays;
mod csv;
mod elements;

mod labelling;
mod output;
mod pictures;
mod source;
mod survey;
mod test_split;

use std::path::{Path, PathBuf};

use self::labelling::Labelling;
use self::output::{Half, Output};
use self::source::{Answer, Item, Rows, Source, Sources};
use self::survey::Survey;
use self::test_split::Draw;
use crate::data::class_names::ClassNames;
use crate::data::idx::ElementType;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};

pub use self::pictures::{Background, Color};
pub use self::test_split::TestSplit;

/// What is to be converted, and how.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// A CSV file (also gzip), an NPY or NPZ file, or a folder with a sub-folder of PNG files for each class.
    pub source: PathBuf,
    /// The folder for the data set; created where it is missing.
    pub out: PathBuf,
    /// Whether a data set that is there is replaced.
    pub force: bool,
    /// What the labels are.
    pub labels: Labels,
    /// Whether several columns of 0 and 1 stay as they are, even where each item has exactly one 1.
    pub multilabel: bool,
    /// The classes in their order; none where it follows from the labels.
    pub class_names: Option<ClassNames>,
    /// Test items, in the same format.
    pub test: Option<PathBuf>,
    /// Test items drawn from the training items.
    pub test_split: Option<TestSplit>,
    /// The type of elements; none for the smallest of `u8` and `f32` that holds them.
    pub element: Option<ElementType>,
    /// The sizes of one item; none for those it comes with.
    pub item_shape: Option<Vec<usize>>,
    /// For CSV.
    pub table: TableOptions,
    /// For NPY and NPZ.
    pub arrays: ArrayOptions,
    /// For PNG.
    pub pictures: PictureOptions,
}

/// What the labels are: columns of a CSV file by names or numbers, an NPY file, an array of an NPZ file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Labels {
    /// What usually has them; in a folder, the names of the sub-folders.
    #[default]
    Usual,
    /// There are none.
    Nothing,
    /// One for a class an item; several columns for 0 or 1 each.
    Named(String),
    /// Numbers that a regression is to predict.
    Targets(String),
}

/// How a CSV file is read.
#[derive(Debug, Clone, Default)]
pub struct TableOptions {
    /// Whether the first row has names; none to find out.
    pub header: Option<bool>,
    /// What stands between cells; none to find out.
    pub delimiter: Option<u8>,
    /// Columns to leave out, joined by commas.
    pub drop: Option<String>,
}

/// Which arrays are read.
#[derive(Debug, Clone, Default)]
pub struct ArrayOptions {
    /// The array of an NPZ file that has the items.
    pub images: Option<String>,
    /// The one that has the test items.
    pub test_images: Option<String>,
    /// The NPY file or array that has the labels of the test items.
    pub test_labels: Option<String>,
}

/// How PNG files are read.
#[derive(Debug, Clone, Copy, Default)]
pub struct PictureOptions {
    /// What becomes of colours; none to do as the first picture is.
    pub color: Option<Color>,
    /// What transparent pixels are laid over; none for white.
    pub background: Option<Background>,
}

/// How far a conversion is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Whether it is written, or still looked at.
    pub writing: bool,
    /// What is being read.
    pub path: &'a Path,
    /// How much of it is done.
    pub done: u64,
    /// How much there is of it, in the same unit.
    pub of: u64,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted {
    /// What the source was found to be, and where the labels were found.
    pub source: String,
    /// The files, in the order of training images and labels, test images and labels, class names.
    pub files: Vec<PathBuf>,
    /// Training items; all items where they have no labels.
    pub train: usize,
    /// Test items; none without a test half.
    pub test: Option<usize>,
    /// The sizes of one item.
    pub item_shape: Vec<usize>,
    /// The type of elements.
    pub element: ElementType,
    /// What the labels came to.
    pub labels: LabelFile,
    /// The names of the classes; none where labels are numbers of their own.
    pub class_names: Option<ClassNames>,
}

/// What the file of labels has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelFile {
    /// There is none: items to predict.
    None,
    /// One of this many classes.
    Classes(usize),
    /// Several of this many classes, each 0 or 1.
    Multilabel(usize),
    /// This many numbers.
    Targets(usize),
}

/// Converts.
///
/// # Errors
/// [`Error::Config`] when something was asked for that does not go with the source, or there is a data set in the folder
/// already. [`Error::Data`] when the source is not what it should be, with the place. [`Error::Io`] when the system
/// refuses. None of the new files is then in the folder. A data set that was to be replaced is whole, unless the system
/// refused to remove it or to put the new files into place: then it is gone, or lacks its training images.
pub fn convert(request: &Request, on_progress: &mut dyn FnMut(Progress)) -> Result<Converted> {
    check_test(request)?;
    let sources = source::open(request)?;
    output::check_free(request, *sources.train.answer() == Answer::Nothing)?;

    let train = Survey::of(&*sources.train, request, on_progress)?;
    let test = sources.test.as_deref();
    let test = test.map(|test| Survey::of(test, request, on_progress));
    let test = test.transpose()?;
    let bytes = train.bytes && test.as_ref().is_none_or(|test| test.bytes);
    let smallest = match bytes {
        true => ElementType::U8,
        false => ElementType::F32,
    };
    let element = request.element.unwrap_or(smallest);
    let item_shape = sources.train.item_shape().to_vec();
    let both = sources.test.as_deref().zip(test.as_ref());
    let labelling = Labelling::new(request, (&*sources.train, &train), both)?;
    let split = request.test_split;
    let draw = split.map(|split| Draw::new(split, labelling.groups(&train)));
    let draw = draw.transpose()?;

    let drawn = draw.as_ref().map(|draw| draw.wanted() as u64);
    let items = (
        train.items - drawn.unwrap_or(0),
        test.map(|test| test.items).or(drawn),
    );
    let mut output = Output::create(request, element, &labelling, &item_shape, items)?;
    write(&sources, &labelling, draw, &mut output, on_progress)?;
    let files = output.finish(request)?;
    Ok(Converted {
        source: sources.train.about(),
        files,
        train: items.0 as usize,
        test: items.1.map(|items| items as usize),
        item_shape,
        element,
        labels: labelling.kind(),
        class_names: labelling.class_names().cloned(),
    })
}

/// The second reading: every item to its half.
fn write(
    sources: &Sources,
    labelling: &Labelling,
    mut draw: Option<Draw>,
    output: &mut Output,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    let mut item = Item::default();
    let train = (Half::Train, &*sources.train);
    let test = sources.test.as_deref().map(|test| (Half::Test, test));
    for (half, source) in [Some(train), test].into_iter().flatten() {
        let (mut rows, mut pace) = (source.rows()?, Pace::default());
        while rows.next(&mut item)? {
            let group = || labelling.group(&item);
            let drawn = draw.as_mut().is_some_and(|draw| draw.takes(group()));
            let half = if drawn { Half::Test } else { half };
            output.write(half, &item, &|cell| source.place(rows.mark(), cell))?;
            pace.tell(true, source, &*rows, on_progress);
        }
    }
    Ok(())
}

/// Holds what was asked of the test half against itself.
fn check_test(request: &Request) -> Result<()> {
    let refuse = |key: Key, found: Message, expected: &str| {
        Err(Error::Config(Refusal::new(key, found, expected)))
    };
    let own = request.test.is_some() || request.arrays.test_images.is_some();
    let (part, unlabelled) = (
        request.test_split.is_some(),
        request.labels == Labels::Nothing,
    );
    if part && own {
        return refuse(
            Key("test_split"),
            "given beside test items of their own".into(),
            "one of the two",
        );
    }
    if unlabelled && (part || own) {
        let key = if part { Key("test_split") } else { Key("test") };
        return refuse(
            key,
            message!["given with ", Key("labels").set_to("none")],
            "labels, which a test takes",
        );
    }
    if unlabelled && (request.class_names.is_some() || request.multilabel) {
        return refuse(
            Key("labels"),
            "none, beside what is said of labels".into(),
            "labels",
        );
    }
    Ok(())
}

/// Tells progress, but not for every item.
#[derive(Default)]
struct Pace(u32);

impl Pace {
    fn tell(
        &mut self,
        writing: bool,
        source: &dyn Source,
        rows: &dyn Rows,
        on_progress: &mut dyn FnMut(Progress),
    ) {
        self.0 = self.0.wrapping_add(1);
        if self.0.is_multiple_of(256) {
            let (done, of) = rows.progress();
            on_progress(Progress {
                writing,
                path: source.path(),
                done,
                of,
            });
        }
    }
}
