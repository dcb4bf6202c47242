//! The table to train on: surveyed first, then encoded by the schema that was found.

use std::path::{Path, PathBuf};

use super::block::Block;
use super::cache::Reading;
use super::collect::{Collector, collect, memory_limit};
use super::dialect::{self, Hints, Opening};
use super::encode::{Encoder, Mapping, fill_hint};
use super::facts::Kind;
use super::infer::encoding;
use super::note::{about_numbers, about_target, dropped_rows, filled_cells, left_out, logarithms};
use super::options::{Cache, MissingPolicy, NumberScale, TableOptions};
use super::passes::Pass;
use super::report::TableReport;
use super::roles::Roles;
use super::schema::{Column, Encoding, Place, Reason, Schema};
use super::survey::{Plan, Survey};
use super::target;
use super::text::row;
use crate::compute::parallel::Workers;
use crate::data::{Dataset, Note};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};
use crate::nn::Task;

/// The blocks that are encoded at a time.
const BATCH: usize = 64;

/// The table to train on, and what is known about it from the start.
#[derive(Debug, Clone, Copy)]
pub struct TableRequest<'a> {
    /// A CSV file or the like; gzip is allowed.
    pub path: &'a Path,
    /// The columns to predict, by name or number. An entry may be a list separated by commas.
    pub targets: &'a [String],
    /// The column with the weight of each row, by name or number.
    pub sample_weight: Option<&'a str>,
    /// What to predict. `None` guesses it from the targets.
    pub task: Option<Task>,
    /// How the table is read.
    pub options: &'a TableOptions,
}

/// A table to train on, of which every row was examined.
#[derive(Debug)]
pub struct TrainingTable {
    survey: Survey,
    schema: Schema,
    task: Option<Task>,
    options: TableOptions,
    notes: Vec<Note>,
}

/// Rows of a table with their targets.
#[derive(Debug)]
pub struct Encoded {
    /// The encoded rows with their targets and weights.
    pub data: Dataset,
    /// What was left out or changed.
    pub notes: Vec<Note>,
}

impl TrainingTable {
    /// Examines all rows, and decides what each column becomes.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if a column that is named does not exist, or is named ambiguously; [`Error::Data`] if the
    /// table is malformed, with the row and the column, or does not fit the task; and [`Error::Io`] if the system fails.
    pub fn survey(request: &TableRequest, workers: &Workers) -> Result<TrainingTable> {
        if request.targets.is_empty() {
            let refusal = Refusal::new(
                Key("target"),
                "not given",
                "the column to predict, by name or number",
            );
            return Err(Error::Config(refusal));
        }
        TrainingTable::examine(request, true, workers)
    }

    /// Examines all rows for a report. The targets need not be named.
    ///
    /// # Errors
    /// Returns the errors of [`TrainingTable::survey`].
    pub fn inspect(request: &TableRequest, workers: &Workers) -> Result<TableReport> {
        Ok(TrainingTable::examine(request, false, workers)?.report())
    }

    fn examine(request: &TableRequest, keep: bool, workers: &Workers) -> Result<TrainingTable> {
        let (path, options) = (request.path, request.options);
        let mut names: Vec<&str> = request.targets.iter().map(String::as_str).collect();
        names.extend(request.sample_weight);
        names.extend(options.drop.iter().map(String::as_str));
        let names = names
            .iter()
            .flat_map(|words| words.split(',').map(str::trim));
        let hints = Hints {
            delimiter: options.delimiter,
            decimal: options.decimal,
            comment: options.comment,
            header: options.header,
            names: names.collect(),
        };
        let opening = dialect::detect(path, &hints)?;
        let mut notes: Vec<Note> = opening
            .guesses
            .iter()
            .map(|guess| Note::new(path.display(), guess))
            .collect();
        let roles = Roles::find(
            &opening.columns,
            request.targets,
            request.sample_weight,
            &options.drop,
        )?;
        let mut numbers: Vec<usize> = roles.weight.into_iter().collect();
        if request.task == Some(Task::Regression) {
            numbers.extend(&roles.targets);
        }
        let classes = match request.task {
            Some(Task::Classification) => &roles.targets[..],
            _ => &[],
        };
        let plan = Plan {
            targets: &roles.targets,
            dropped: &roles.dropped,
            classes,
            numbers: &numbers,
            dates: options.dates,
            max_categories: options.max_categories,
            keep: keep && records_size(path, &opening)? <= memory_limit(options.memory),
        };
        let survey = Survey::of(path, opening, plan, workers)?;
        check_rows(&survey, &roles)?;
        let places = survey.opening.columns.places();
        let of = |at: &usize| places[*at].clone();
        let found = match roles.targets.is_empty() {
            true => None,
            false => Some(target::targets(
                &survey,
                roles.targets.iter().map(of).collect(),
                request.task,
            )?),
        };
        if let Some(target::Targets {
            task,
            guess: Some(why),
            ..
        }) = &found
        {
            let text = message![
                "the task is ",
                task.name(),
                ", as ",
                why,
                "; to override that, use ",
                Key("task")
            ];
            notes.push(Note::new(path.display(), text));
        }
        let mut columns = Vec::new();
        for place in &places {
            if roles.is_input(place.position) {
                columns.push(Column {
                    encoding: encoding(&survey, place, options)?,
                    place: place.clone(),
                });
            }
        }
        let schema = Schema {
            header: survey.opening.columns.has_names(),
            columns,
            targets: found
                .as_ref()
                .map_or(Vec::new(), |found| found.targets.clone()),
            sample_weight: roles.weight.as_ref().map(of),
        };
        let table = TrainingTable {
            task: found.map(|found| found.task),
            schema,
            options: options.clone(),
            notes,
            survey,
        };
        table.with_notes()
    }

    /// Adds notes about rows and columns, and refuses missing cells if they are not filled.
    fn with_notes(mut self) -> Result<TrainingTable> {
        if self.options.missing == MissingPolicy::Refuse {
            self.refuse_missing()?;
        }
        if self.schema.inputs() == 0 && self.task.is_some() {
            let found = match self.schema.columns.is_empty() {
                true => "no column except the target",
                false => "no column that becomes inputs",
            };
            let refusal = Refusal::new(self.path().display(), found, "inputs");
            let hint = "all other columns are empty, constant, dropped, or almost all different";
            return Err(Error::Data(match self.schema.columns.is_empty() {
                true => refusal,
                false => refusal.hint(hint),
            }));
        }
        let mut texts: Vec<Message> = Vec::new();
        if self.survey.dropped > 0 {
            texts.push(dropped_rows(self.survey.dropped, &self.schema));
        }
        for reason in Reason::ALL {
            let of_reason = |column: &&Column| matches!(column.encoding, Encoding::Omitted { reason: own } if own == reason);
            let columns: Vec<&Place> = self
                .schema
                .columns
                .iter()
                .filter(of_reason)
                .map(|column| &column.place)
                .collect();
            if !columns.is_empty() {
                texts.push(left_out(reason, &columns));
            }
        }
        let facts = |column: &Column| &self.survey.facts[column.place.position];
        let filled = self
            .schema
            .columns
            .iter()
            .map(|column| match column.encoding {
                Encoding::Omitted { .. } => (column, 0),
                _ => (column, facts(column).missing),
            });
        texts.extend(filled_cells(filled));
        for column in &self.schema.columns {
            if let Kind::Numbers(numbers) = &facts(column).kind {
                texts.extend(about_numbers(column, numbers));
            }
        }
        if self.options.scale == NumberScale::Log {
            texts.push(logarithms(&self.schema.columns));
        }
        for target in &self.schema.targets {
            texts.extend(about_target(target, &self.survey));
        }
        let path = self.survey.path.clone();
        self.notes.extend(
            texts
                .into_iter()
                .map(|text| Note::new(path.display(), text)),
        );
        Ok(self)
    }

    /// Refuses the first missing cell of a column that has inputs.
    fn refuse_missing(&self) -> Result<()> {
        let with_inputs = self
            .schema
            .columns
            .iter()
            .filter(|column| column.encoding.inputs() > 0);
        let missing = with_inputs.filter_map(|column| {
            let first = self.survey.facts[column.place.position].first_missing?;
            Some((first, column))
        });
        match missing.min_by_key(|(first, column)| (*first, column.place.position)) {
            None => Ok(()),
            Some((first, column)) => {
                let place = format!("{}, {}", row(self.path(), first), column.place.title());
                Err(Error::Data(
                    Refusal::new(place, "a missing cell", "a value").hint(fill_hint()),
                ))
            }
        }
    }

    /// Returns the path of the table.
    pub fn path(&self) -> &Path {
        &self.survey.path
    }

    /// Returns what the columns are, and how rows become inputs and targets.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Returns the task, given or guessed.
    ///
    /// # Panics
    /// Never panics for a table from [`TrainingTable::survey`], which has targets.
    pub fn task(&self) -> Task {
        self.task.expect("a survey has targets")
    }

    /// Returns what was guessed and left out, a line each.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Returns the number of rows that have their targets.
    pub fn rows(&self) -> u64 {
        self.survey.rows
    }

    /// Returns what each column has, and what becomes of it.
    pub fn report(&self) -> TableReport {
        TableReport::of(&self.survey, &self.schema, self.task, &self.notes)
    }

    /// Sets the file for rows that are too many for the memory.
    #[must_use]
    pub fn with_cache(mut self, cache: Cache) -> TrainingTable {
        self.options.cache = cache;
        self
    }

    /// Encodes all rows that have their targets.
    ///
    /// # Errors
    /// Returns [`Error::Memory`] if the system refuses the memory, and [`Error::Data`] if the file changed since the
    /// survey.
    pub fn read(mut self, workers: &Workers) -> Result<Encoded> {
        let path: PathBuf = self.survey.path.clone();
        let mapping = Mapping::of_training(&self.schema);
        let kinds = (self.survey.opening.syntax.decimal, MissingPolicy::Fill);
        let encoder = Encoder::new(&path, &self.schema, mapping, kinds);
        let reading = Reading {
            schema: &self.schema,
            options: &self.options,
            labelled: true,
        };
        let blocks = self.survey.blocks.take();
        let pass = Pass {
            path: &path,
            opening: &self.survey.opening,
            modes: &self.survey.modes,
        };
        let rows = self.survey.rows as usize;
        let (collected, about) = collect(&path, reading, rows, |collector| match blocks {
            Some(blocks) => add_kept(&encoder, blocks, collector, workers),
            None => pass.run(
                workers,
                |block| block,
                |blocks| collector.add(&encoder, blocks),
            ),
        })?;
        if collected.rows != rows {
            let found = format!("{} rows", collected.rows);
            let expected = format!("{rows}, as when it was examined");
            return Err(Error::Data(Refusal::new(path.display(), found, expected)));
        }
        let data = collected.data(&path, &self.schema)?;
        let notes = about
            .into_iter()
            .map(|text| Note::new(path.display(), text));
        Ok(Encoded {
            data,
            notes: notes.collect(),
        })
    }
}

/// Adds blocks that were kept, and gives back their memory on the way.
fn add_kept(
    encoder: &Encoder,
    blocks: Vec<Block>,
    collector: &mut Collector,
    workers: &Workers,
) -> Result<()> {
    let mut blocks = blocks.into_iter();
    loop {
        let batch: Vec<Block> = blocks.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return Ok(());
        }
        workers.run(|| collector.add(encoder, batch))?;
    }
}

/// Estimates the memory for all records of a table as typed cells, in bytes.
fn records_size(path: &Path, opening: &Opening) -> Result<u64> {
    // A number, or the code of a word, for each cell, and where its record starts.
    let row = opening.columns.count().saturating_mul(size_of::<f64>() + 1);
    Ok(opening.estimated_rows(path)?.saturating_mul(row as u64))
}

/// Refuses a table without rows.
fn check_rows(survey: &Survey, roles: &Roles) -> Result<()> {
    if survey.rows > 0 {
        return Ok(());
    }
    let found = match survey.dropped {
        0 => "no row".to_owned(),
        dropped => format!("{dropped} rows without a target"),
    };
    let expected = match roles.targets.is_empty() {
        true => "rows",
        false => "rows with a target",
    };
    Err(Error::Data(Refusal::new(
        survey.path.display(),
        found,
        expected,
    )))
}
