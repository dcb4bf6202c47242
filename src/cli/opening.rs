//! Opens the data of a command that trains: IDX files, or a table that was surveyed.

use std::io::{self, Write};
use std::path::Path;

use perceptor::compute::parallel::Workers;
use perceptor::data::files::Opening;
use perceptor::data::{KnownClasses, Note, Scale, Splits};
use perceptor::message::Key;
use perceptor::run::Settings;
use perceptor::table::Schema;
use perceptor::{Error, Model, Refusal, Result};

use super::source::{DataArgs, Source};
use super::spelling::Flags;
use super::table::{Surveyed, TableSets};

/// The sets of a run, and where they come from.
pub struct Opened {
    pub source: Source,
    pub splits: Splits,
    /// How the table was read; `None` for IDX files.
    pub schema: Option<Schema>,
    /// What was guessed, left out or changed.
    pub notes: Vec<Note>,
}

impl Opened {
    /// Opens the sets that `settings` name, without the test set unless it is wanted, and holds out a validation set. The
    /// folder `cache` is for rows of a table that are too many for the memory.
    ///
    /// # Errors
    /// Returns the errors of the files.
    pub fn open(
        settings: &Settings,
        (table, cache): (Option<Surveyed>, Option<&Path>),
        with_test: bool,
        (workers, quiet): (&Workers, bool),
    ) -> Result<Opened> {
        let opened = match table {
            Some(table) => of_table(settings, (table, cache), with_test, workers)?,
            None => of_idx_files(settings, with_test, (workers, quiet))?,
        };
        let (split, seed) = (
            settings.train.validation.validation_split,
            settings.train.seed,
        );
        Ok(Opened {
            splits: opened.splits.hold_out(split, seed)?,
            ..opened
        })
    }
}

fn of_table(
    settings: &Settings,
    (table, cache): (Surveyed, Option<&Path>),
    with_test: bool,
    workers: &Workers,
) -> Result<Opened> {
    let source = Source::of_table(settings);
    let without_test = Settings {
        test_data: None,
        ..settings.clone()
    };
    let settings = if with_test { settings } else { &without_test };
    let TableSets {
        splits,
        schema,
        notes,
    } = table.read(settings, cache, workers)?;
    Ok(Opened {
        source,
        splits,
        schema: Some(schema),
        notes,
    })
}

fn of_idx_files(
    settings: &Settings,
    with_test: bool,
    (workers, quiet): (&Workers, bool),
) -> Result<Opened> {
    let source = DataArgs::of(settings).training(workers, quiet)?;
    let (source, left_out) = source.with_settings(settings);
    let mut files = source.files.clone().expect("IDX files");
    if !with_test {
        files.test = None;
    }
    let model = initial_model(settings);
    let known = model.as_ref().and_then(|model| model.class_names.as_ref());
    let opening = Opening {
        task: settings.train.task.task,
        classes: settings.classes,
        known: known.map(|names| KnownClasses {
            names,
            owner: "the model of --init-from",
        }),
        mode: settings.data_mode,
    };
    let splits = Splits::open_as(&files, &opening);
    let has_names = files.class_names.is_some();
    let splits = splits.map_err(|error| missing_model(settings, has_names).unwrap_or(error))?;
    let mut notes: Vec<Note> = left_out.into_iter().collect();
    notes.extend(splits.notes());
    // With another scaling than the model's, the same elements become other inputs.
    if let (Some(model), Scale::Model) = (&model, settings.train.scale) {
        notes.extend(model.input_warning(splits.train.rows()));
    }
    Ok(Opened {
        splits,
        source,
        schema: None,
        notes,
    })
}

/// Returns the error for data that do not fit because the model of --init-from cannot be read, which their classes are matched
/// with by name if they have names; `None` if this is not the cause.
pub fn missing_model(settings: &Settings, has_names: bool) -> Option<Error> {
    let path = settings.init_from.as_deref().filter(|_| has_names)?;
    let error = Model::load(path).err()?;
    let expected =
        "the model that training starts from, as the classes are matched with its own by name";
    let refusal = Refusal::new(Key("init_from"), error.to_string(), expected);
    Some(Error::Run(refusal.hint(
        "put the model back where it was when the run started",
    )))
}

/// Returns the model that training starts from, if it can be read. It is needed only for the first step, so a run is resumed
/// without it unless the data do not fit then.
fn initial_model(settings: &Settings) -> Option<Model> {
    let path = settings.init_from.as_deref()?;
    Model::load(path).ok()
}

/// Prints notes and warnings to stderr, a line each.
pub fn print_notes(notes: &[Note]) {
    for note in notes {
        let kind = if note.is_warning() { "warning" } else { "note" };
        let text = note.message().spelled(&Flags);
        // A closed stderr must not end the command.
        drop(writeln!(io::stderr(), "{kind}: {text}"));
    }
}
