//! Where the data come from: a folder, files named one by one, `data/mnist`, or generated digits.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use etcetera::BaseStrategy;
use perceptor::compute::parallel::Workers;
use perceptor::data::folder;
use perceptor::data::splits::{Files, Pair};
use perceptor::datasets::generated::{EDITION, GeneratedDigits};
use perceptor::durable::{check_writable, create_folder};
use perceptor::run::Settings;
use perceptor::{Error, Refusal, Result};

const DEFAULT_FOLDER: &str = "data/mnist";

#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub struct DataArgs {
    /// Folder with IDX files under their usual names, raw or .gz
    /// [default: data/mnist, else generated digits]
    #[arg(long, value_name = "DIR", conflicts_with_all = ["train_images", "train_labels", "test_images", "test_labels"])]
    data: Option<PathBuf>,
    /// Training images, an IDX file
    #[arg(long, value_name = "FILE", requires = "train_labels")]
    train_images: Option<PathBuf>,
    /// Training labels, an IDX file
    #[arg(long, value_name = "FILE", requires = "train_images")]
    train_labels: Option<PathBuf>,
    /// Test images, an IDX file
    #[arg(long, value_name = "FILE", requires = "test_labels")]
    test_images: Option<PathBuf>,
    /// Test labels, an IDX file
    #[arg(long, value_name = "FILE", requires = "test_images")]
    test_labels: Option<PathBuf>,
}

/// Data files, and what to call them.
pub struct Source {
    pub name: String,
    pub files: Files,
    /// The folder they were found in; none where they were named one by one.
    pub folder: Option<PathBuf>,
}

impl Source {
    /// The same with the validation files that `settings` name.
    pub fn with_validation(mut self, settings: &Settings) -> Source {
        let (images, labels) = (&settings.validation_images, &settings.validation_labels);
        let named = images.as_ref().zip(labels.as_ref());
        self.files.validation = named.map(|(images, labels)| pair(images, labels));
        self
    }
}

/// Test files, and the names of their classes where they have some.
pub struct TestFiles {
    pub files: Pair,
    pub class_names: Option<PathBuf>,
}

impl DataArgs {
    /// Whether any of them is `given`: files that are named together belong together.
    pub fn names_any(given: &dyn Fn(&str) -> bool) -> bool {
        let flags = ["data", "train_images", "test_images"];
        flags.into_iter().any(given)
    }

    /// Training files, and test files where there are some.
    pub fn training(&self, workers: &Workers, quiet: bool) -> Result<Source> {
        if let (Some(images), Some(labels)) = (&self.train_images, &self.train_labels) {
            return Ok(Source {
                name: images.display().to_string(),
                files: Files {
                    train: pair(images, labels),
                    validation: None,
                    test: self.named_test(),
                    class_names: None,
                },
                folder: None,
            });
        }
        if let (Some(images), Some(_)) = (&self.test_images, &self.test_labels) {
            return Err(Error::Config(Refusal::new(
                "--test-images",
                format!("{} without training files", images.display()),
                "--train-images and --train-labels beside it",
            )));
        }
        self.folder(workers, quiet)
    }

    /// Test files alone.
    pub fn test(&self, workers: &Workers) -> Result<TestFiles> {
        if let Some(files) = self.named_test() {
            return Ok(TestFiles {
                files,
                class_names: None,
            });
        }
        if let Some(images) = &self.train_images {
            return Err(Error::Config(Refusal::new(
                "--train-images",
                images.display().to_string(),
                "--test-images and --test-labels, which a model is measured on",
            )));
        }
        let source = self.folder(workers, false)?;
        let files = source.files.test.ok_or_else(|| {
            Error::Data(
                Refusal::new(source.name, "no test files", "t10k-… or test-…")
                    .hint("name the files with --test-images and --test-labels"),
            )
        })?;
        Ok(TestFiles {
            files,
            class_names: source.files.class_names,
        })
    }

    /// The flags that name the same test files to another command, each with a space before it.
    pub fn test_flags(&self) -> String {
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

    fn named_test(&self) -> Option<Pair> {
        let (images, labels) = (self.test_images.as_ref()?, self.test_labels.as_ref()?);
        Some(pair(images, labels))
    }

    fn folder(&self, workers: &Workers, quiet: bool) -> Result<Source> {
        let folder = match &self.data {
            Some(folder) => folder.clone(),
            None if folder::has_train_images(Path::new(DEFAULT_FOLDER)) => DEFAULT_FOLDER.into(),
            None => return generated(workers, quiet),
        };
        Ok(Source {
            name: folder.display().to_string(),
            files: folder::find(&folder)?,
            folder: Some(folder),
        })
    }

    /// Puts the paths that were given in the place of those that `settings` name.
    pub fn give(&self, settings: &mut Settings) {
        settings.data.clone_from(&self.data);
        settings.train_images.clone_from(&self.train_images);
        settings.train_labels.clone_from(&self.train_labels);
        settings.test_images.clone_from(&self.test_images);
        settings.test_labels.clone_from(&self.test_labels);
    }

    /// The paths that `settings` name, as if they had been given.
    pub fn of(settings: &Settings) -> DataArgs {
        DataArgs {
            data: settings.data.clone(),
            train_images: settings.train_images.clone(),
            train_labels: settings.train_labels.clone(),
            test_images: settings.test_images.clone(),
            test_labels: settings.test_labels.clone(),
        }
    }
}

/// The name this program was called by, as a word that a shell takes for one.
pub fn program() -> String {
    let name = std::env::args_os().next();
    name.map_or_else(
        || "perceptor".to_owned(),
        |name| shell_word(Path::new(&name)),
    )
}

/// `path` as a word that a shell takes for one.
pub fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

fn pair(images: &Path, labels: &Path) -> Pair {
    Pair {
        images: images.to_owned(),
        labels: labels.to_owned(),
    }
}

/// The default set of generated digits, drawn the first time it is asked for.
fn generated(workers: &Workers, quiet: bool) -> Result<Source> {
    let digits = GeneratedDigits::default();
    let folder = usable_cache_folder().join(format!(
        "digits-{EDITION}-{}-{}-seed{}",
        digits.train, digits.test, digits.seed
    ));
    let complete = GeneratedDigits::is_complete(&folder);
    if !quiet {
        let made = if complete { "using" } else { "drawing" };
        // A closed stderr is no reason not to train.
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
        files: folder::find(&folder)?,
        folder: Some(folder),
    })
}

/// The user's cache where it can be written, else a folder for temporary files: training needs no home.
pub fn usable_cache_folder() -> PathBuf {
    let cache = cache_folder();
    match create_folder(&cache).and_then(|()| check_writable(&cache)) {
        Ok(()) => cache,
        Err(_) => std::env::temp_dir().join("perceptor"),
    }
}

/// The user's cache, or the system's folder for temporary files where there is no home.
pub fn cache_folder() -> PathBuf {
    let cache = etcetera::choose_base_strategy().map(|strategy| strategy.cache_dir());
    cache
        .unwrap_or_else(|_| std::env::temp_dir())
        .join("perceptor")
}
