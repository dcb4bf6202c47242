//! The samples that a model predicts: an IDX file, a table, or a file that is read without a conversion.

use std::path::{Path, PathBuf};

use clap::Args;
use perceptor::compute::parallel::Workers;
use perceptor::data::{FileKind, IdxFile, Note, Rows, kind_of_file};
use perceptor::datasets::convert::{
    Background, Color, Fit, PictureOptions, Request, Resize, TableOptions, read_samples,
};
use perceptor::table::EncodedRows;
use perceptor::{Error, Model, Refusal, Result};

use super::cache_folder::folder_of_unnamed_files;
use super::convert::parse_size;
use super::reading::Reading;
use super::setting_flags::SettingFlags;
use super::values::{named, yes_or_no};

/// How samples are read that are neither an IDX file nor a table for a model that was trained on one.
#[derive(Debug, Args)]
#[command(next_help_heading = "Samples")]
pub struct SampleArgs {
    /// Resize pictures to the height and width that the model takes, as 28x28
    #[arg(long, value_name = "HxW", value_parser = parse_size)]
    resize: Option<(u32, u32)>,
    /// Pictures of another ratio: stretch them, pad them with the background, or crop them to the middle [default: stretch]
    #[arg(long, hide_short_help = true, requires = "resize", value_parser = named(Fit::ALL, Fit::name))]
    fit: Option<Fit>,
    /// Pictures: one grey element per pixel, or three colours [default: as the model takes]
    #[arg(long, hide_short_help = true, value_parser = named(Color::ALL, Color::name))]
    color: Option<Color>,
    /// Pictures: background of transparent pixels and of --fit pad [default: white]
    #[arg(long, hide_short_help = true, value_parser = named(Background::ALL, Background::name))]
    background: Option<Background>,
    /// Pictures: dark becomes light, and light becomes dark, as for black ink on white paper
    #[arg(long, hide_short_help = true)]
    invert: bool,
    /// NPZ: array of the samples [default: the one that fits the model]
    #[arg(long, hide_short_help = true, value_name = "ARRAY")]
    images: Option<String>,
    /// CSV, arrays: columns that are not inputs of the model, by number; of CSV by name, too
    #[arg(
        long,
        hide_short_help = true,
        value_name = "COLUMN,...",
        allow_negative_numbers = true
    )]
    drop: Option<String>,
    /// CSV: whether the first row has the names of the columns [default: detected]
    #[arg(
        long,
        hide_short_help = true,
        value_name = "yes|no",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "yes",
        value_parser = yes_or_no()
    )]
    header: Option<bool>,
}

/// The rows to predict.
pub struct Samples {
    pub rows: Rows,
    /// What was guessed, left out or changed in what they are from.
    pub notes: Vec<Note>,
}

impl SampleArgs {
    /// Reads the samples in `files`, of which there is at least one, for `model`.
    ///
    /// # Errors
    /// Returns the errors of the files, and [`Error::Config`] if a flag does not fit them.
    pub fn read(
        &self,
        files: &[PathBuf],
        model: &Model,
        reading: &SettingFlags<Reading>,
        workers: &Workers,
    ) -> Result<Samples> {
        let (first, others) = (&files[0], &files[1..]);
        if let Some(schema) = &model.schema {
            self.check_unused("a model that was trained on a table")?;
            check_alone(first, others, "one table")?;
            let options = reading.options(model)?;
            let EncodedRows { rows, notes } = schema.read_rows(first, &options, workers)?;
            return Ok(Samples { rows, notes });
        }
        let kind = match first.is_dir() {
            true => None,
            false => Some(kind_of_file(first)?),
        };
        match kind {
            None => check_alone(first, others, "one folder of pictures, or files")?,
            Some(FileKind::Picture(_)) => {}
            Some(_) => check_alone(first, others, "one file, or several pictures")?,
        }
        if kind != Some(FileKind::Text) {
            reading.options(model)?;
        }
        match kind {
            Some(FileKind::Idx | FileKind::Gzip) => {
                self.check_unused("an IDX file")?;
                Ok(Samples {
                    rows: Rows::from(IdxFile::open(first)?),
                    notes: Vec::new(),
                })
            }
            None | Some(FileKind::Text | FileKind::Npy | FileKind::Zip | FileKind::Picture(_)) => {
                let request = self.request(first, others, reading)?;
                let inputs = model.spec.inputs();
                let read = read_samples(&request, inputs, &folder_of_unnamed_files())?;
                Ok(Samples {
                    rows: read.rows,
                    notes: read.notes,
                })
            }
            Some(kind) => {
                let expected = "an IDX, CSV, NPY or NPZ file, or pictures";
                let refusal = Refusal::new(first.display(), kind.name(), expected);
                Err(Error::Data(match kind.advice() {
                    Some(advice) => refusal.hint(advice),
                    None => refusal,
                }))
            }
        }
    }

    fn request(
        &self,
        first: &Path,
        others: &[PathBuf],
        reading: &SettingFlags<Reading>,
    ) -> Result<Request> {
        let of_text = reading.of_numbers()?;
        let mut request = Request {
            source: first.to_owned(),
            others: others.to_vec(),
            resize: self.resize.map(|(height, width)| Resize {
                height,
                width,
                fit: self.fit.unwrap_or_default(),
            }),
            table: TableOptions {
                header: self.header,
                delimiter: of_text.delimiter,
                decimal: of_text.decimal,
                drop: self.drop.clone(),
            },
            pictures: PictureOptions {
                color: self.color,
                background: self.background,
                invert: self.invert,
            },
            ..Request::default()
        };
        request.arrays.images.clone_from(&self.images);
        Ok(request)
    }

    /// Refuses flags that have no meaning for `what`.
    fn check_unused(&self, what: &str) -> Result<()> {
        let given = [
            ("--resize", self.resize.is_some()),
            ("--color", self.color.is_some()),
            ("--background", self.background.is_some()),
            ("--invert", self.invert),
            ("--images", self.images.is_some()),
            ("--drop", self.drop.is_some()),
            ("--header", self.header.is_some()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((flag, _)) => {
                let found = format!("given for {what}");
                let refusal = Refusal::new(flag, found, "CSV, arrays or pictures to go with it");
                Err(Error::Config(refusal))
            }
        }
    }
}

/// Refuses further files.
fn check_alone(first: &Path, others: &[PathBuf], expected: &str) -> Result<()> {
    match others {
        [] => Ok(()),
        [other, ..] => {
            let found = format!("{} as well", other.display());
            Err(Error::Data(Refusal::new(first.display(), found, expected)))
        }
    }
}
