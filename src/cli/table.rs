//! Tables to train on. A table is surveyed before the settings are merged, as it decides about the task.

use std::path::{Path, PathBuf};

use perceptor::compute::parallel::Workers;
use perceptor::config::{Size, TableConfig};
use perceptor::data::{Dataset, Note, Scale, Splits};
use perceptor::message::Key;
use perceptor::run::{Layer, Settings};
use perceptor::table::schema::Place;
use perceptor::table::{Cache, Schema, TableOptions, TableRequest, TrainingTable};
use perceptor::{Error, Model, Refusal, Result};

use super::cache_folder::folder_of_unnamed_files;
use super::setting_flags::set;
use super::stdin::refuse_stdin;

/// A table to train on, and how its rows become inputs.
pub struct Surveyed {
    path: PathBuf,
    found: Found,
}

/// Where the schema of a table is from.
enum Found {
    /// The table itself was examined.
    Survey(Box<TrainingTable>),
    /// The model or the checkpoint that training starts from.
    Earlier(Box<Schema>),
}

/// The sets of a table, and how they were read.
pub struct TableSets {
    pub splits: Splits,
    pub schema: Schema,
    pub notes: Vec<Note>,
}

impl Surveyed {
    /// Examines the table that `settings` name, if they name one. The settings decide its task and the scale of its
    /// numbers only if `given` gives these.
    ///
    /// # Errors
    /// Returns the errors of [`TrainingTable::survey`].
    pub fn survey(
        settings: &Settings,
        given: &Layer,
        workers: &Workers,
    ) -> Result<Option<Surveyed>> {
        let Some(path) = settings.table_path() else {
            return Ok(None);
        };
        refuse_stdin("--data", path)?;
        let options = TableOptions {
            memory: memory(settings),
            ..options(settings, given)?
        };
        let request = request(path, settings, given, &options);
        if request.targets.is_empty() {
            return Err(without_target(&request, workers));
        }
        let survey = TrainingTable::survey(&request, workers)?;
        Ok(Some(Surveyed {
            path: path.to_owned(),
            found: Found::Survey(Box::new(survey)),
        }))
    }

    /// Takes the table that `settings` name, if they name one, to be read by the schema of `model`.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if the model was trained on other data, or if a setting contradicts the schema.
    pub fn by_model(settings: &Settings, model: &Model) -> Result<Option<Surveyed>> {
        let refuse = |found: &str, expected: &str| {
            Err(Error::Config(Refusal::new(
                Key("init_from"),
                found,
                expected,
            )))
        };
        match (settings.table_path(), &model.schema) {
            (None, None) => Ok(None),
            (None, Some(_)) => refuse(
                "a model of a table",
                "a table to train on, named with --data",
            ),
            (Some(_), None) => refuse(
                "a model that was not trained on a table",
                "one with the schema of a table",
            ),
            (Some(path), Some(schema)) => {
                check_against(&settings.table, schema)?;
                Ok(Some(Surveyed::by_schema(path, schema)))
            }
        }
    }

    /// Takes the table at `path` to be read by `schema`.
    pub fn by_schema(path: &Path, schema: &Schema) -> Surveyed {
        Surveyed {
            path: path.to_owned(),
            found: Found::Earlier(Box::new(schema.clone())),
        }
    }

    /// The settings that follow from the table, below those that are given.
    pub fn layer(&self) -> Layer {
        let mut layer = Layer::default();
        if let Found::Survey(table) = &self.found {
            set(&mut layer, "task", table.task().name());
            set(&mut layer, "scale", Scale::Standard.name());
        }
        layer
    }

    /// Reads the training table, and the tables for validation and test that `settings` name. Rows that are too many for the
    /// memory go to files in the folder `cache`, or without one to files that end with this process.
    ///
    /// # Errors
    /// Returns the errors of [`TrainingTable::read`] and [`Schema::read_labelled`], and [`Error::Data`] if the tables
    /// differ.
    pub fn read(
        self,
        settings: &Settings,
        cache: Option<&Path>,
        workers: &Workers,
    ) -> Result<TableSets> {
        let options = |set: &str| TableOptions {
            memory: memory(settings),
            cache: match cache {
                Some(folder) => Cache::File(folder.join(format!("{set}.rows"))),
                None => Cache::Unnamed(folder_of_unnamed_files()),
            },
            ..settings.table.reading()
        };
        let of_training = options("training");
        let mut notes = Vec::new();
        let (schema, train) = match self.found {
            Found::Survey(table) => {
                notes.extend_from_slice(table.notes());
                let schema = table.schema().clone();
                (schema, table.with_cache(of_training.cache).read(workers)?)
            }
            Found::Earlier(schema) => {
                let train = schema.read_labelled(&self.path, &of_training, workers)?;
                (*schema, train)
            }
        };
        notes.extend(train.notes);
        let train = train.data;
        let mut later = |path: &Option<PathBuf>, set: &str| -> Result<Option<Dataset>> {
            let Some(path) = path else {
                return Ok(None);
            };
            let set = schema.read_labelled(path, &options(set), workers)?;
            notes.extend(set.notes);
            Ok(Some(set.data))
        };
        let splits = Splits {
            validation: later(&settings.validation_data, "validation")?,
            test: later(&settings.test_data, "test")?,
            train,
        };
        splits.check()?;
        Ok(TableSets {
            splits,
            schema,
            notes,
        })
    }
}

/// The options of a table. The settings decide the scale of its numbers only if `given` gives it.
///
/// # Errors
/// Returns [`Error::Config`] if the scale is one of IDX files.
pub fn options(settings: &Settings, given: &Layer) -> Result<TableOptions> {
    let scale = match given.gives("scale") {
        true => settings.train.scale,
        false => Scale::Standard,
    };
    settings.table.options(scale)
}

/// What is asked about the table at `path`. The settings decide its task only if `given` gives it.
pub fn request<'a>(
    path: &'a Path,
    settings: &'a Settings,
    given: &Layer,
    options: &'a TableOptions,
) -> TableRequest<'a> {
    TableRequest {
        path,
        targets: &settings.table.target.0,
        sample_weight: settings.table.sample_weight.as_deref(),
        task: given.gives("task").then_some(settings.train.task.task),
        options,
    }
}

/// The options of a table whose rows go to a file in the user's cache if they are too many for the memory.
pub fn cached(options: TableOptions) -> TableOptions {
    TableOptions {
        cache: Cache::Unnamed(folder_of_unnamed_files()),
        ..options
    }
}

/// The most bytes of encoded rows in memory, if `settings` limit them.
fn memory(settings: &Settings) -> Option<u64> {
    settings.table_memory.map(|Size(bytes)| bytes)
}

/// Returns the error for a table whose target is not named, with the columns to choose from.
fn without_target(request: &TableRequest, workers: &Workers) -> Error {
    match TrainingTable::inspect(request, workers) {
        Err(error) => error,
        Ok(report) => {
            let columns = report.columns.iter().map(|column| column.place.title());
            let columns: Vec<String> = columns.collect();
            let refusal = Refusal::new(
                Key("target"),
                format!("not given with the table {}", request.path.display()),
                "the column to predict",
            );
            Error::Config(refusal.hint(format!("the table has {}", columns.join(", "))))
        }
    }
}

/// Checks the settings of a table that is read by the schema of a model.
fn check_against(table: &TableConfig, schema: &Schema) -> Result<()> {
    let refuse = |key: &'static str, found: String, expected: String| {
        Err(Error::Config(Refusal::new(Key(key), found, expected)))
    };
    let width = schema.width();
    let is = |place: &Place, word: &str| {
        let number: Option<i64> = word.parse().ok();
        let numbers = [
            place.position as i64 + 1,
            place.position as i64 - width as i64,
        ];
        place.name.as_deref() == Some(word)
            || number.is_some_and(|number| numbers.contains(&number))
    };
    let places: Vec<&Place> = schema.targets.iter().map(|target| &target.place).collect();
    let words = || {
        let entries = table.target.0.iter();
        entries.flat_map(|entry| match places.iter().any(|place| is(place, entry)) {
            true => vec![entry.as_str()],
            false => entry.split(',').map(str::trim).collect(),
        })
    };
    let same = words().count() == places.len()
        && words().zip(&places).all(|(word, place)| is(place, word));
    if !table.target.0.is_empty() && !same {
        let titles: Vec<String> = places.iter().map(|place| place.title()).collect();
        let expected = format!("{}, as in the model of --init-from", titles.join(", "));
        return refuse("target", table.target.0.join(", "), expected);
    }
    let default = TableConfig::default();
    let fixed = [
        ("drop", table.drop != default.drop),
        (
            "max_categories",
            table.max_categories != default.max_categories,
        ),
        ("dates", table.dates),
        ("header", table.header.is_some()),
        ("sample_weight", table.sample_weight.is_some()),
    ];
    match fixed.into_iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((key, _)) => refuse(
            key,
            "given with --init-from".to_owned(),
            "none, as the model decides about the columns".to_owned(),
        ),
    }
}
