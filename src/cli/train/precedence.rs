//! Where a setting comes from: a flag wins over the file, and the file over what is the default.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::parser::ValueSource;
use perceptor::data::Scale;
use perceptor::run::{Recipe, Settings};
use perceptor::{Error, Model, Refusal, Result};

use super::TrainArgs;
use crate::cli::source::{DataArgs, Source};

/// Flags that a run may go on with as they are given: they change no bit of the result, or, as `--epochs`, only how far
/// it goes.
pub(super) const FREE: [&str; 19] = [
    "resume",
    "data",
    "train_images",
    "train_labels",
    "validation_images",
    "validation_labels",
    "test_images",
    "test_labels",
    "data_mode",
    "epochs",
    "max_time",
    "threads",
    "checkpoint_every",
    "keep",
    "format",
    "profile",
    "quiet",
    "verbose",
    "help",
];

/// Says whether a flag was typed.
pub type Given<'a> = &'a dyn Fn(&str) -> bool;

/// Whether `flag` was typed, and is no default.
pub fn is_given(matches: &ArgMatches, flag: &str) -> bool {
    matches.value_source(flag) == Some(ValueSource::CommandLine)
}

/// Takes each setting from its flag, where that was given.
macro_rules! take {
    ($given:expr, $($flag:literal: $setting:expr => $value:expr;)*) => {
        $(if $given($flag) { $setting = $value; })*
    };
}
pub(crate) use take;

impl TrainArgs {
    /// The settings of `file`, or the defaults without one, under the flags that were given.
    pub(super) fn over(&self, file: Option<Settings>, matches: &ArgMatches) -> Result<Settings> {
        let mut settings = file.unwrap_or_default();
        let given = |flag: &str| is_given(matches, flag);
        let train = &mut settings.train;
        take! { given,
            "scale": train.scale => self.scale;
            "hidden": train.hidden => self.hidden.0.clone();
            "activation": train.activation => self.activation;
            "batch_norm": train.batch_norm => self.batch_norm;
            "init": train.init => self.init;
            "init_range": train.init_range => self.init_range;
            "bias_init": train.bias_init => self.bias_init;
            "freeze": train.freeze => self.freeze.iter().filter(|name| *name != "none").cloned().collect();
            "epochs": train.epochs => self.epochs;
            "shuffle_window": train.shuffle_window => self.shuffle_window.0;
            "batch_size": train.batch_size => self.batch_size;
            "seed": train.seed => self.seed;
            "engine": train.engine => self.compute.engine;
            "classes": settings.classes => self.classes;
            "data_mode": settings.data_mode => self.data_mode;
            "init_from": settings.init_from => self.init_from.clone();
            "threads": settings.threads => self.compute.threads.threads;
            "checkpoint_every": settings.checkpoint_every => self.checkpoint_every;
            "keep": settings.keep => self.keep;
        }
        let train = &mut settings.train;
        self.task.over(&mut train.task, &given);
        self.optimizer.over(&mut train.optimizer, &given);
        self.schedule.over(&mut train.schedule, &given);
        self.regularization.over(train, &given)?;
        self.validation.over(&mut settings, &given);
        if DataArgs::names_any(&given) {
            self.data.copy_to(&mut settings);
        }
        check_files(&settings)?;
        Ok(settings)
    }

    /// Takes network and scaling from the model to begin from, where neither a flag nor the file of settings says what
    /// they are.
    pub(super) fn take_from_model(
        &self,
        settings: &mut Settings,
        matches: &ArgMatches,
    ) -> Result<()> {
        let Some(path) = &settings.init_from else {
            return Ok(());
        };
        let model = Model::load(path)?;
        let keys = match (&self.recipe, &self.config) {
            (Some(name), _) => Recipe::find(name)?.keys(),
            (None, Some(path)) => Settings::keys(path)?,
            (None, None) => Vec::new(),
        };
        let supplied = |name: &str| !is_given(matches, name) && !keys.iter().any(|key| key == name);
        let sizes = model.spec.sizes();
        let hidden = sizes[1..sizes.len() - 1].to_vec();
        take! { supplied,
            "hidden": settings.train.hidden => hidden;
            "activation": settings.train.activation => model.spec.activation();
            "batch_norm": settings.train.batch_norm => model.spec.batch_norm();
            "task": settings.train.task.task => model.spec.task();
            "scale": settings.train.scale => Scale::Model;
        }
        Ok(())
    }
}

/// Holds the flags against those in `free`, which what is resumed may take.
pub fn check_resume_flags(
    matches: &ArgMatches,
    free: &[&str],
    (what, hint): (&str, &str),
) -> Result<()> {
    let fixed = matches.ids().find(|flag| {
        // Groups, which clap makes of structs, have names in capitals.
        let group = flag
            .as_str()
            .starts_with(|first: char| first.is_ascii_uppercase());
        is_given(matches, flag.as_str()) && !group && !free.contains(&flag.as_str())
    });
    match fixed {
        None => Ok(()),
        Some(flag) => Err(Error::Config(
            Refusal::new(
                format!("--{}", flag.as_str().replace('_', "-")),
                "given with --resume",
                format!("the setting that {what} began with"),
            )
            .hint(hint),
        )),
    }
}

/// Flags that contradict each other are told by their parser; a file has none.
pub fn check_files(settings: &Settings) -> Result<()> {
    let named = [
        (
            "train_images",
            &settings.train_images,
            "train_labels",
            &settings.train_labels,
        ),
        (
            "test_images",
            &settings.test_images,
            "test_labels",
            &settings.test_labels,
        ),
        (
            "validation_images",
            &settings.validation_images,
            "validation_labels",
            &settings.validation_labels,
        ),
    ];
    let refuse = |key: &str, found: &str, expected: String| {
        Err(Error::Config(Refusal::new(key, found, expected)))
    };
    for (images, path, labels, other) in named {
        match (path, other) {
            (Some(_), None) => return refuse(images, "given alone", format!("{labels} beside it")),
            (None, Some(_)) => return refuse(labels, "given alone", format!("{images} beside it")),
            (Some(_), Some(_)) if settings.data.is_some() && images != "validation_images" => {
                return refuse(images, "given beside data", "one of them".to_owned());
            }
            _ => {}
        }
    }
    let validation = &settings.train.validation;
    let (split, files) = (validation.validation_split, &settings.validation_images);
    if split.is_some() && files.is_some() {
        let expected = "one of them".to_owned();
        return refuse(
            "validation_images",
            "given beside validation_split",
            expected,
        );
    }
    // Whether there is a test set is known when the data are.
    validation.check_sets(split.is_some() || files.is_some(), true)
}

/// `settings` as they are recorded: with the place of the data for whoever stands elsewhere.
pub fn recorded(settings: &Settings, source: &Source) -> Settings {
    let absolute = |path: &Path| -> Option<PathBuf> { std::path::absolute(path).ok() };
    let validation = source.files.validation.as_ref();
    let mut settings = Settings {
        data: None,
        train_images: None,
        train_labels: None,
        validation_images: validation.and_then(|pair| absolute(&pair.images)),
        validation_labels: validation.and_then(|pair| absolute(&pair.labels)),
        test_images: None,
        test_labels: None,
        init_from: settings.init_from.as_deref().and_then(absolute),
        ..settings.clone()
    };
    match &source.folder {
        Some(folder) => settings.data = absolute(folder),
        None => {
            let (train, test) = (&source.files.train, source.files.test.as_ref());
            settings.train_images = absolute(&train.images);
            settings.train_labels = absolute(&train.labels);
            settings.test_images = test.and_then(|test| absolute(&test.images));
            settings.test_labels = test.and_then(|test| absolute(&test.labels));
        }
    }
    settings
}
