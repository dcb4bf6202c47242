//! `perceptor data convert`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use indicatif::ProgressBar;
use perceptor::Error;
use perceptor::data::ClassNames;
use perceptor::data::Holdout;
use perceptor::data::idx::ElementType;
use perceptor::datasets::convert::{
    ArrayOptions, Background, Color, Fit, Labels, PictureOptions, Progress, Relabel, Request,
    Resize, TableOptions, TestSplit, convert,
};
use perceptor::table::{Decimal, Delimiter};

use super::bar::Bar;
use super::converted::write_summary;
use super::failure::Failure;
use super::opening::print_notes;
use super::stdin::refuse_stdin;
use super::values::{named, yes_or_no};

const EXAMPLES: &str = "\
Examples:
  perceptor data convert iris.csv --labels species --test-split 0.2 --out iris
  perceptor data convert train.csv --test test.csv --shape 28x28 --out set
  perceptor data convert mnist.npz --out set
  perceptor data convert x.npy --labels y.npy --out set
  perceptor data convert pictures --resize 28x28 --color grey --out set
  perceptor data convert folder-of-kmnist --out set
  perceptor data convert houses.csv --targets price,rent --out houses
  perceptor data convert new.csv --labels none --out new";

/// Convert CSV, NPY, NPZ, pictures, or IDX itself to a data set of IDX files
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct ConvertArgs {
    /// CSV, NPY, NPZ or IDX file, or folder of folders of pictures
    ///
    /// A folder of pictures may have train, val and test folders of classes. If there are several
    /// files, or a folder of them, their names decide what each is: kmnist-train-imgs.npz, y_test.npy, train.csv
    #[arg(value_name = "PATH", required = true)]
    sources: Vec<PathBuf>,
    /// Folder for the data set
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace an existing data set
    #[arg(long)]
    force: bool,
    /// Do not show progress
    #[arg(long, short)]
    quiet: bool,

    /// Labels: a CSV column by name or number (-1 is the last), a file, an NPZ array, or none
    ///
    /// Several CSV columns of 0 and 1, joined by commas, are one class each. Classes are ordered by value if they are
    /// numbers, and as text otherwise [default: the column or array called label, class, target or y; the sub-folders
    /// of pictures]
    #[arg(
        long,
        value_name = "COLUMN,...|FILE|ARRAY|none",
        help_heading = "Labels",
        allow_negative_numbers = true
    )]
    labels: Option<String>,
    /// Numbers to predict by regression, instead of labels: CSV columns, a file, or an NPZ array
    #[arg(
        long,
        value_name = "COLUMN,...|FILE|ARRAY",
        help_heading = "Labels",
        conflicts_with = "labels",
        allow_negative_numbers = true
    )]
    targets: Option<String>,
    /// Names of the classes in order, joined by commas, or a file with one per line
    #[arg(
        long,
        hide_short_help = true,
        value_name = "NAME,...|FILE",
        help_heading = "Labels"
    )]
    class_names: Option<String>,
    /// Keep several columns of 0 and 1 as several labels per sample, even if every sample has exactly one
    #[arg(
        long,
        hide_short_help = true,
        help_heading = "Labels",
        conflicts_with = "targets"
    )]
    multilabel: bool,
    /// IDX, NPY, NPZ: column of the class, counted from 0, in labels of several numbers, as 0 for QMNIST
    #[arg(
        long,
        hide_short_help = true,
        value_name = "N",
        help_heading = "Labels"
    )]
    label_column: Option<usize>,
    /// Labels to replace before classes are numbered, as in 255=0,cat=animal
    #[arg(
        long,
        hide_short_help = true,
        value_name = "OLD=NEW,...",
        help_heading = "Labels"
    )]
    relabel: Option<Relabel>,

    /// File or folder of test samples
    #[arg(long, value_name = "PATH", help_heading = "Test set")]
    test: Option<PathBuf>,
    /// Labels of the test samples: an IDX, NPY or NPZ file, or an NPZ array
    #[arg(
        long,
        hide_short_help = true,
        value_name = "FILE|ARRAY",
        help_heading = "Test set"
    )]
    test_labels: Option<String>,
    /// File or folder of validation samples
    #[arg(
        long,
        hide_short_help = true,
        value_name = "PATH",
        help_heading = "Test set"
    )]
    validation: Option<PathBuf>,
    /// Labels of the validation samples: an IDX, NPY or NPZ file
    #[arg(
        long,
        hide_short_help = true,
        value_name = "FILE",
        help_heading = "Test set",
        requires = "validation"
    )]
    validation_labels: Option<String>,
    /// Samples to draw for the test set, stratified by class: a fraction, as 0.1, or a number, as 5000
    #[arg(
        long,
        value_name = "SHARE|N",
        help_heading = "Test set",
        conflicts_with = "test",
        allow_negative_numbers = true
    )]
    test_split: Option<Holdout>,
    /// Seed of --test-split
    #[arg(
        long,
        hide_short_help = true,
        value_name = "N",
        help_heading = "Test set",
        default_value_t = 1
    )]
    seed: u64,

    /// Type of the elements [default: u8 for whole numbers from 0 to 255, i32 or f64 if f32 rounds large numbers, else f32]
    #[arg(long = "type", hide_short_help = true, value_name = "TYPE", help_heading = "Samples", value_parser = named(ElementType::ALL, ElementType::name))]
    element: Option<ElementType>,
    /// Shape of a sample, as 28x28 [default: as in the source; flat for CSV]
    #[arg(long, value_name = "HxW", help_heading = "Samples", value_parser = parse_shape)]
    shape: Option<Shape>,
    /// Columns to leave out: of CSV by name or number, of other flat samples by number, from 1
    #[arg(
        long,
        hide_short_help = true,
        value_name = "COLUMN,...",
        help_heading = "Samples",
        allow_negative_numbers = true
    )]
    drop: Option<String>,
    /// CSV: separator of cells, a character, tab, or space for runs of white space [default: detected]
    #[arg(long, hide_short_help = true, value_name = "CHARACTER", help_heading = "Samples", value_parser = parse_delimiter)]
    delimiter: Option<Delimiter>,
    /// CSV: decimal mark of numbers [default: detected]
    #[arg(long, hide_short_help = true, value_name = "MARK", help_heading = "Samples", value_parser = named(Decimal::ALL, Decimal::name))]
    decimal: Option<Decimal>,
    /// CSV: whether the first row has the names of the columns [default: detected]
    #[arg(long, hide_short_help = true, value_name = "yes|no", help_heading = "Samples", value_parser = yes_or_no())]
    header: Option<bool>,
    /// Resize all pictures, as 28x28 for 28 rows of 28 pixels
    ///
    /// Arrays of height × width, too. The filter is a triangle over all pixels
    #[arg(long, value_name = "HxW", help_heading = "Samples", value_parser = parse_size)]
    resize: Option<(u32, u32)>,
    /// Pictures of another ratio: stretch them, pad them with the background, or crop them to the middle
    #[arg(
        long,
        hide_short_help = true,
        help_heading = "Samples",
        requires = "resize",
        default_value = Fit::Stretch.name(),
        value_parser = named(Fit::ALL, Fit::name)
    )]
    fit: Fit,
    /// Swap height and width of each sample of an array, as EMNIST needs
    #[arg(long, hide_short_help = true, help_heading = "Samples")]
    transpose: bool,
    /// NPZ: array of the samples [default: x_train, x, images, train_images, data or arr_0]
    #[arg(
        long,
        hide_short_help = true,
        value_name = "ARRAY",
        help_heading = "Samples"
    )]
    images: Option<String>,
    /// NPZ: array of the test samples [default: x_test or test_images, if there is one]
    #[arg(
        long,
        hide_short_help = true,
        value_name = "ARRAY",
        help_heading = "Samples"
    )]
    test_images: Option<String>,
    /// Pictures: one grey element per pixel, or three colours [default: as in the first picture]
    #[arg(long, hide_short_help = true, help_heading = "Samples", value_parser = named(Color::ALL, Color::name))]
    color: Option<Color>,
    /// Pictures: background of transparent pixels and of --fit pad [default: white]
    #[arg(long, hide_short_help = true, help_heading = "Samples", value_parser = named(Background::ALL, Background::name))]
    background: Option<Background>,
    /// Pictures: dark becomes light, and light becomes dark, as for black ink on white paper
    #[arg(long, hide_short_help = true, help_heading = "Samples")]
    invert: bool,
}

/// The shape of one sample.
#[derive(Debug, Clone)]
struct Shape(Vec<usize>);

fn parse_shape(text: &str) -> Result<Shape, String> {
    let sizes = text
        .split(['x', '×', ','])
        .map(|size| size.trim().parse().ok());
    let sizes: Option<Vec<usize>> = sizes.collect();
    let sizes = sizes.filter(|sizes| (1..=3).contains(&sizes.len()) && !sizes.contains(&0));
    // The product is compared with the number of elements later, so it must not overflow.
    let sizes = sizes.filter(|sizes| {
        sizes
            .iter()
            .try_fold(1usize, |all, &size| all.checked_mul(size))
            .is_some()
    });
    sizes
        .map(Shape)
        .ok_or_else(|| "expected one to three sizes joined by x, as 28x28".to_owned())
}

/// Parses a height and a width.
pub fn parse_size(text: &str) -> Result<(u32, u32), String> {
    /// The largest height and the largest width; their product stays below the limit of a sample.
    const MOST: u32 = 2048;
    let size = text.split_once(['x', '×', ',']);
    let size = size.and_then(|(height, width)| {
        let parse = |size: &str| size.trim().parse().ok();
        Some((parse(height)?, parse(width)?))
    });
    let size =
        size.filter(|&(height, width)| (1..=MOST).contains(&height) && (1..=MOST).contains(&width));
    size.ok_or_else(|| format!("expected a height and a width from 1 to {MOST}, as 28x28"))
}

fn parse_delimiter(text: &str) -> Result<Delimiter, String> {
    match text {
        "tab" | "\\t" => return Ok(Delimiter::Byte(b'\t')),
        "space" | " " => return Ok(Delimiter::WhiteSpace),
        _ => {}
    }
    match text.as_bytes() {
        &[character] if character.is_ascii() && !b"\"\r\n\0".contains(&character) => {
            Ok(Delimiter::Byte(character))
        }
        _ => Err(
            "expected tab, space, or one ASCII character other than a quote or a line break"
                .to_owned(),
        ),
    }
}

impl ConvertArgs {
    pub fn run(&self) -> Result<(), Failure> {
        let start = Instant::now();
        let request = self.request()?;
        let bar = Bar::new(
            "{prefix} {bar:12} {percent} %, {eta} left  {msg}",
            self.quiet,
        );
        let converted = convert(&request, &mut |progress| show(&bar.bar, &progress));
        bar.finish();
        let took = start.elapsed().as_secs_f64();
        let converted = converted?;
        print_notes(&converted.notes);
        write_summary(&self.out, &mut io::stdout().lock(), &converted, took)?;
        Ok(())
    }

    fn request(&self) -> perceptor::Result<Request> {
        for path in &self.sources {
            refuse_stdin("PATH", path)?;
        }
        let class_names = self
            .class_names
            .as_ref()
            .map(|given| match given.contains(',') {
                true => {
                    let names = given.split(',').map(|name| name.trim().to_owned());
                    ClassNames::new("--class-names", names.collect()).map_err(|error| match error {
                        Error::Data(refusal) => Error::Config(refusal),
                        other => other,
                    })
                }
                false => ClassNames::read(Path::new(given)),
            });
        Ok(Request {
            source: self.sources[0].clone(),
            others: self.sources[1..].to_vec(),
            out: self.out.clone(),
            force: self.force,
            labels: match (&self.labels, &self.targets) {
                (Some(none), _) if none == "none" => Labels::Absent,
                (Some(labels), _) => Labels::In(labels.clone()),
                (None, Some(targets)) => Labels::Targets(targets.clone()),
                (None, None) => Labels::Auto,
            },
            multilabel: self.multilabel,
            class_names: class_names.transpose()?,
            sample_elements: None,
            label_column: self.label_column,
            relabel: self.relabel.clone(),
            validation: self.validation.clone(),
            test: self.test.clone(),
            test_split: self.test_split.map(|holdout| TestSplit {
                holdout,
                seed: self.seed,
            }),
            element: self.element,
            resize: self.resize.map(|(height, width)| Resize {
                height,
                width,
                fit: self.fit,
            }),
            transpose: self.transpose,
            sample_shape: self.shape.clone().map(|Shape(sizes)| sizes),
            table: TableOptions {
                header: self.header,
                delimiter: self.delimiter,
                decimal: self.decimal,
                drop: self.drop.clone(),
            },
            arrays: ArrayOptions {
                images: self.images.clone(),
                test_images: self.test_images.clone(),
                validation_labels: self.validation_labels.clone(),
                test_labels: self.test_labels.clone(),
            },
            pictures: PictureOptions {
                color: self.color,
                background: self.background,
                invert: self.invert,
            },
        })
    }
}

/// Moves the bar, which restarts for each pass over the source.
fn show(bar: &ProgressBar, progress: &Progress) {
    let prefix = if progress.writing {
        "writing"
    } else {
        "reading"
    };
    if bar.prefix() != prefix {
        bar.set_prefix(prefix);
        bar.reset();
    }
    bar.set_message(progress.path.display().to_string());
    bar.set_length(progress.of);
    bar.set_position(progress.done);
}
