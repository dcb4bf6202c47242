//! Where the data come from: a folder, single files, `data/mnist`, or generated digits.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use perceptor::compute::parallel::Workers;
use perceptor::data::files::{Files, Pair};
use perceptor::data::folder::{self, DEFAULT_FOLDER};
use perceptor::data::source_record::changed_source;
use perceptor::data::{ClassNames, Note};
use perceptor::datasets::generated::{EDITION, GeneratedDigits};
use perceptor::run::Settings;
use perceptor::{Error, Refusal, Result};

use super::cache_folder::usable_cache_folder;
use super::foreign::with_conversion;
use super::shell::{program, shell_word};
use super::stdin::refuse_stdin;

#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub struct DataArgs {
    /// Folder with IDX files, named as MNIST's, raw or .gz, or for a model of a table a table or - for standard input
    /// [default: data/mnist if it exists, else generated digits]
    #[arg(long, value_name = "PATH", conflicts_with_all = ["train_images", "train_labels", "test_images", "test_labels"])]
    data: Option<PathBuf>,
    /// Table to test on; the same as --data TABLE
    #[arg(
        long,
        hide_short_help = true,
        value_name = "TABLE",
        conflicts_with_all = ["data", "train_images", "test_images"]
    )]
    test_data: Option<PathBuf>,
    /// Training samples, an IDX file
    #[arg(
        long,
        hide_short_help = true,
        value_name = "FILE",
        requires = "train_labels"
    )]
    train_images: Option<PathBuf>,
    /// Training labels, an IDX file
    #[arg(
        long,
        hide_short_help = true,
        value_name = "FILE",
        requires = "train_images"
    )]
    train_labels: Option<PathBuf>,
    /// Test samples, an IDX file
    #[arg(
        long,
        hide_short_help = true,
        value_name = "FILE",
        requires = "test_labels"
    )]
    test_images: Option<PathBuf>,
    /// Test labels, an IDX file
    #[arg(
        long,
        hide_short_help = true,
        value_name = "FILE",
        requires = "test_images"
    )]
    test_labels: Option<PathBuf>,
}

/// Where the data come from, and their name for messages.
pub struct Source {
    pub name: String,
    /// The IDX files; `None` for a table.
    pub files: Option<Files>,
    /// The folder they were found in; `None` if each file was named.
    pub folder: Option<PathBuf>,
}

impl Source {
    /// The table that `settings` name.
    pub fn of_table(settings: &Settings) -> Source {
        let path = settings.data.as_deref().unwrap_or("".as_ref());
        Source {
            name: path.display().to_string(),
            files: None,
            folder: None,
        }
    }

    /// Adds the validation files and the weights that `settings` name. Returns what is left out for them.
    pub fn with_settings(mut self, settings: &Settings) -> (Source, Option<Note>) {
        let (images, labels) = (&settings.validation_images, &settings.validation_labels);
        let named = images.as_ref().zip(labels.as_ref());
        let named = named.map(|(images, labels)| pair(images, labels));
        let mut left_out = None;
        if let Some(files) = &mut self.files {
            files.weights.clone_from(&settings.sample_weights);
            if named.is_some() {
                let found = std::mem::replace(&mut files.validation, named);
                let other = found.filter(|found| Some(found) != files.validation.as_ref());
                left_out = other.map(|found| left_out_validation(&found));
            }
        }
        (self, left_out)
    }
}

impl DataArgs {
    /// Returns training files, and test files if there are any.
    pub fn training(&self, workers: &Workers, quiet: bool) -> Result<Source> {
        if let (Some(images), Some(labels)) = (&self.train_images, &self.train_labels) {
            return Ok(Source {
                name: images.display().to_string(),
                files: Some(Files {
                    train: pair(images, labels),
                    validation: None,
                    test: self.named_test(),
                    class_names: ClassNames::file_beside(labels),
                    weights: None,
                }),
                folder: None,
            });
        }
        if let (Some(images), Some(_)) = (&self.test_images, &self.test_labels) {
            return Err(Error::Config(Refusal::new(
                "--test-images",
                format!("{} without training files", images.display()),
                "--train-images and --train-labels as well",
            )));
        }
        self.folder(workers, quiet)
    }

    /// Returns test files only.
    pub fn test(&self, workers: &Workers) -> Result<Pair> {
        if let Some(files) = self.named_test() {
            return Ok(files);
        }
        if let Some(images) = &self.train_images {
            return Err(Error::Config(Refusal::new(
                "--train-images",
                images.display().to_string(),
                "--test-images and --test-labels, the files to measure on",
            )));
        }
        let folder = match self.named_folder() {
            Some(folder) => folder,
            None => generated(workers, false)?.folder.expect("a folder"),
        };
        let files = folder::find_test(&folder);
        let files = files.map_err(|error| with_conversion(&folder, error))?;
        warn_of_changed_source(&folder);
        Ok(files)
    }

    /// Returns the flags that name the same test files to another command, each after a space.
    pub fn test_flags(&self) -> String {
        if let Some(table) = &self.test_data {
            return format!(" --data {}", shell_word(table));
        }
        let flags = [
            ("data", &self.data),
            ("test-images", &self.test_images),
            ("test-labels", &self.test_labels),
        ];
        let given = flags.iter().filter_map(|(name, path)| {
            let path = path.as_ref()?;
            Some(format!(" --{name} {}", shell_word(path)))
        });
        given.collect()
    }

    /// Returns the table to test on, for a model that was trained on one.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if IDX files are named, or nothing.
    pub fn test_table(&self) -> Result<&Path> {
        let named = self.test_data.as_ref().or(self.data.as_ref());
        if let Some(path) = named {
            return Ok(path);
        }
        let idx = [
            ("--train-images", &self.train_images),
            ("--test-images", &self.test_images),
        ];
        let given = idx
            .into_iter()
            .find_map(|(flag, path)| Some((flag, path.as_ref()?)));
        let (place, found) = match given {
            Some((flag, path)) => (flag, path.display().to_string()),
            None => ("--data", "not given".to_owned()),
        };
        let expected = "--data TABLE, as the model was trained on a table";
        Err(Error::Config(Refusal::new(place, found, expected)))
    }

    /// Returns an error if a table is named.
    pub fn check_no_table(&self) -> Result<()> {
        let file = self.data.as_ref().filter(|path| path.is_file());
        if let Some(path) = self.test_data.as_ref().or(self.data.as_ref()) {
            refuse_stdin("--data", path)?;
        }
        match self.test_data.as_ref().or(file) {
            None => Ok(()),
            Some(path) => Err(with_conversion(path, Error::Data(no_schema(path)))),
        }
    }

    fn named_test(&self) -> Option<Pair> {
        let (images, labels) = (self.test_images.as_ref()?, self.test_labels.as_ref()?);
        Some(pair(images, labels))
    }

    /// Returns the folder that is named, or the default one if it has a data set.
    fn named_folder(&self) -> Option<PathBuf> {
        let default = Path::new(DEFAULT_FOLDER);
        let found = folder::has_train_images(default).then(|| default.to_owned());
        self.data.clone().or(found)
    }

    fn folder(&self, workers: &Workers, quiet: bool) -> Result<Source> {
        let Some(folder) = self.named_folder() else {
            return generated(workers, quiet);
        };
        refuse_stdin("--data", &folder)?;
        let files = folder::find(&folder).map_err(|error| with_conversion(&folder, error))?;
        warn_of_changed_source(&folder);
        Ok(Source {
            name: folder.display().to_string(),
            files: Some(files),
            folder: Some(folder),
        })
    }

    /// Returns the paths that `settings` name.
    pub fn of(settings: &Settings) -> DataArgs {
        DataArgs {
            data: settings.data.clone(),
            test_data: settings.test_data.clone(),
            train_images: settings.train_images.clone(),
            train_labels: settings.train_labels.clone(),
            test_images: settings.test_images.clone(),
            test_labels: settings.test_labels.clone(),
        }
    }
}

/// Warns if the data set in `folder` was made from a file or folder that changed since.
pub fn warn_of_changed_source(folder: &Path) {
    if let Some(source) = changed_source(folder) {
        let (folder, source) = (folder.display(), source.display());
        // A closed stderr must not end the command.
        drop(writeln!(
            io::stderr(),
            "warning: {folder}: made from {source}, which changed since; data convert --force makes it again"
        ));
    }
}

/// Returns why a table cannot be read for a model that was trained on other data.
pub fn no_schema(path: &Path) -> Refusal {
    let expected = "IDX files, as the model was not trained on a table";
    Refusal::new(path.display(), "no IDX file", expected)
        .hint("`perceptor train --data TABLE --target COLUMN` trains a model that reads tables")
}

fn pair(images: &Path, labels: &Path) -> Pair {
    Pair {
        images: images.to_owned(),
        labels: labels.to_owned(),
    }
}

/// Returns the note about validation files in the folder of the data which are not used.
fn left_out_validation(found: &Pair) -> Note {
    let images = found.images.display();
    Note::new(
        images,
        "left out, as --validation-images names another file",
    )
}

/// Returns the default set of generated digits, which is drawn the first time.
fn generated(workers: &Workers, quiet: bool) -> Result<Source> {
    let digits = GeneratedDigits::default();
    let folder = usable_cache_folder().join(format!(
        "digits-{EDITION}-{}-{}-seed{}",
        digits.train, digits.test, digits.seed
    ));
    let complete = GeneratedDigits::is_complete(&folder);
    if !quiet {
        let made = if complete { "using" } else { "drawing" };
        // A closed stderr must not end the command.
        drop(writeln!(
            io::stderr(),
            "no --data and no {DEFAULT_FOLDER}: {made} generated digits in {}; \
             for real MNIST run {} data fetch mnist, or name a folder with --data",
            folder.display(),
            program(),
        ));
    }
    if !complete {
        digits.write_missing(&folder, workers)?;
    }
    Ok(Source {
        name: "generated digits".to_owned(),
        files: Some(folder::find(&folder)?),
        folder: Some(folder),
    })
}

/// Returns `settings` as they are recorded: with absolute paths of the data.
pub fn recorded(settings: &Settings, source: &Source) -> Settings {
    let absolute = |path: &Path| -> Option<PathBuf> { std::path::absolute(path).ok() };
    let init_from = settings.init_from.as_deref().and_then(absolute);
    let Some(files) = &source.files else {
        let absolute = |path: &Option<PathBuf>| path.as_deref().and_then(absolute);
        return Settings {
            data: absolute(&settings.data),
            test_data: absolute(&settings.test_data),
            validation_data: absolute(&settings.validation_data),
            init_from,
            ..settings.clone()
        };
    };
    // Files that were found in the folder are found there again.
    let named = settings.validation_images.is_some();
    let validation = files.validation.as_ref().filter(|_| named);
    let mut settings = Settings {
        data: None,
        train_images: None,
        train_labels: None,
        validation_images: validation.and_then(|pair| absolute(&pair.images)),
        validation_labels: validation.and_then(|pair| absolute(&pair.labels)),
        test_images: None,
        test_labels: None,
        sample_weights: settings.sample_weights.as_deref().and_then(absolute),
        init_from,
        ..settings.clone()
    };
    match &source.folder {
        Some(folder) => settings.data = absolute(folder),
        None => {
            let (train, test) = (&files.train, files.test.as_ref());
            settings.train_images = absolute(&train.images);
            settings.train_labels = absolute(&train.labels);
            settings.test_images = test.and_then(|test| absolute(&test.images));
            settings.test_labels = test.and_then(|test| absolute(&test.labels));
        }
    }
    settings
}
