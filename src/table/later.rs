//! Tables that are read by the schema of an earlier one: to test, to validate, to predict.

use std::path::Path;

use super::cache::Reading;
use super::collect::{collect, memory_limit};
use super::collected::Collected;
use super::dialect::{self, Hints, Opening};
use super::encode::{Counts, Encoder, Mapping};
use super::note::{dropped_rows, filled_cells, list};
use super::options::TableOptions;
use super::passes::Pass;
use super::schema::{Column, Encoding, Place, Schema};
use super::training::Encoded;
use crate::compute::parallel::Workers;
use crate::data::{Note, Rows};
use crate::error::{Error, Refusal, Result};
use crate::message::Message;

/// Rows of a table without targets.
#[derive(Debug)]
pub struct EncodedRows {
    /// The encoded rows, one for each row of the table.
    pub rows: Rows,
    /// What was left out or changed.
    pub notes: Vec<Note>,
}

impl Schema {
    /// Reads a table with targets, as for a test. Columns are found by their names in any order; without a header, the table
    /// must have as many as the training file. Of the options, those that describe the text and missing cells count.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if a column is missing, or if a cell cannot be read, with its row and column;
    /// [`Error::Memory`] if the system refuses the memory; and [`Error::Io`] if it fails.
    pub fn read_labelled(
        &self,
        path: &Path,
        options: &TableOptions,
        workers: &Workers,
    ) -> Result<Encoded> {
        let (collected, mut notes) = self.read(path, options, true, workers)?;
        if collected.rows == 0 {
            let refusal =
                Refusal::new(path.display(), "no row with a target", "rows with a target");
            return Err(Error::Data(refusal));
        }
        let data = collected.data(path, self)?;
        notes.extend(self.far_warning(path, data.rows()));
        Ok(Encoded { data, notes })
    }

    /// Reads the rows of a table, as for a prediction. Targets and weights may be there or not.
    ///
    /// # Errors
    /// Returns the errors of [`Schema::read_labelled`].
    pub fn read_rows(
        &self,
        path: &Path,
        options: &TableOptions,
        workers: &Workers,
    ) -> Result<EncodedRows> {
        let (collected, mut notes) = self.read(path, options, false, workers)?;
        if collected.rows == 0 {
            let refusal = Refusal::new(path.display(), "no row below the header", "rows");
            return Err(Error::Data(refusal));
        }
        let rows = collected.into_rows(path)?;
        notes.extend(self.far_warning(path, &rows));
        Ok(EncodedRows { rows, notes })
    }

    fn far_warning(&self, path: &Path, rows: &Rows) -> Option<Note> {
        let far = self.far_columns(rows);
        far.map(|about| Note::warning(path.display(), about))
    }

    fn read(
        &self,
        path: &Path,
        options: &TableOptions,
        labelled: bool,
        workers: &Workers,
    ) -> Result<(Collected, Vec<Note>)> {
        let hints = Hints {
            delimiter: options.delimiter,
            decimal: options.decimal,
            comment: options.comment,
            header: Some(self.header),
            names: Vec::new(),
        };
        let opening = dialect::detect(path, &hints)?;
        let mapping = self.find_columns(path, &opening, labelled)?;
        let mut texts = opening.guesses.clone();
        texts.extend(self.ignored(&opening, &mapping));
        let positions = mapping.columns.clone();
        let kinds = (opening.syntax.decimal, options.missing);
        let encoder = Encoder::new(path, self, mapping, kinds);
        let modes = encoder.modes();
        let pass = Pass {
            path,
            opening: &opening,
            modes: &modes,
        };
        let reading = Reading {
            schema: self,
            options,
            labelled,
        };
        // Room for more rows than may be in memory would only make a file of them from the start.
        let row = size_of::<f32>() * self.inputs().max(1);
        let most = memory_limit(options.memory) / row as u64;
        let rows = opening.estimated_rows(path)?.min(most);
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        let (collected, about) = collect(path, reading, rows, |collector| {
            pass.run(
                workers,
                |block| block,
                |blocks| collector.add(&encoder, blocks),
            )
        })?;
        texts.extend(self.about(&collected.counts, &positions));
        texts.extend(about);
        let notes = texts
            .into_iter()
            .map(|text| Note::new(path.display(), text));
        Ok((collected, notes.collect()))
    }

    /// Finds the columns of the schema in a table.
    fn find_columns(&self, path: &Path, opening: &Opening, labelled: bool) -> Result<Mapping> {
        let width = opening.columns.count();
        let needed = |column: &Column| !matches!(column.encoding, Encoding::Omitted { .. });
        if !self.header {
            return self.find_by_position(path, width, labelled);
        }
        let places = opening.columns.places();
        let find = |place: &Place| {
            let at = places.iter().position(|found| found.name == place.name);
            at.ok_or_else(|| self.no_column(path, place, &places))
        };
        let columns = self.columns.iter().map(|column| match needed(column) {
            true => find(&column.place).map(Some),
            false => Ok(None),
        });
        let targets = self
            .targets
            .iter()
            .filter(|_| labelled)
            .map(|target| find(&target.place));
        // Weights are no part of a measurement, so a later table may lack them.
        let weight = self.sample_weight.iter().filter(|_| labelled);
        let weight = weight.filter_map(|place| find(place).ok()).next();
        Ok(Mapping {
            columns: columns.collect::<Result<_>>()?,
            targets: targets.collect::<Result<_>>()?,
            weight,
            width,
        })
    }

    /// Returns the error for a column that is not there.
    fn no_column(&self, path: &Path, place: &Place, places: &[Place]) -> Error {
        let known = |found: &&Place| {
            self.columns
                .iter()
                .any(|column| column.place.name == found.name)
                || self
                    .targets
                    .iter()
                    .any(|target| target.place.name == found.name)
        };
        let name = place.name.as_deref().unwrap_or_default();
        let refusal = Refusal::new(
            path.display(),
            format!("no column {name:?}"),
            "the columns of the training file, by their names",
        );
        Error::Data(match places.iter().filter(known).count() {
            0 => refusal.hint("the first row must have the names, as in the training file"),
            _ => refusal,
        })
    }

    /// Takes the columns of a table without a header by their numbers. Targets and weights may be absent if they are not
    /// read.
    fn find_by_position(&self, path: &Path, width: usize, labelled: bool) -> Result<Mapping> {
        let absent: Vec<usize> = self
            .targets
            .iter()
            .map(|target| target.place.position)
            .chain(self.sample_weight.iter().map(|place| place.position))
            .collect();
        let is_short = !labelled && width == self.columns.len();
        if width != self.width() && !is_short {
            let expected = format!(
                "{}, as in the training file, which had no header",
                self.width()
            );
            return Err(Error::Data(Refusal::new(
                path.display(),
                format!("{width} columns"),
                expected,
            )));
        }
        let shift = |position: usize| match is_short && width != self.width() {
            true => position - absent.iter().filter(|&&at| at < position).count(),
            false => position,
        };
        let columns = self.columns.iter().map(|column| match column.encoding {
            Encoding::Omitted { .. } => None,
            _ => Some(shift(column.place.position)),
        });
        let targets = self
            .targets
            .iter()
            .filter(|_| labelled)
            .map(|target| target.place.position);
        let weight = self.sample_weight.as_ref().filter(|_| labelled);
        let weight = weight.map(|place| place.position);
        Ok(Mapping {
            columns: columns.collect(),
            targets: targets.collect(),
            weight,
            width,
        })
    }

    /// Returns the note about columns that the training file did not have, if there are any.
    fn ignored(&self, opening: &Opening, mapping: &Mapping) -> Option<Message> {
        if !self.header {
            return None;
        }
        let places = opening.columns.places();
        let known = |place: &&Place| {
            mapping.columns.contains(&Some(place.position))
                || self
                    .columns
                    .iter()
                    .any(|column| column.place.name == place.name)
                || self
                    .targets
                    .iter()
                    .any(|target| target.place.name == place.name)
                || self
                    .sample_weight
                    .as_ref()
                    .is_some_and(|weight| weight.name == place.name)
        };
        let extra: Vec<&Place> = places.iter().filter(|place| !known(place)).collect();
        (!extra.is_empty()).then(|| {
            format!(
                "ignored {}, which the training file did not have",
                list(&extra)
            )
            .into()
        })
    }

    /// Returns notes about rows and cells.
    fn about(&self, counts: &Counts, positions: &[Option<usize>]) -> Vec<Message> {
        let mut texts = Vec::new();
        if counts.dropped > 0 {
            texts.push(dropped_rows(counts.dropped, self));
        }
        let columns = || self.columns.iter();
        texts.extend(filled_cells(columns().zip(counts.missing.iter().copied())));
        let unknown = counts.unknown.iter().zip(positions);
        for (column, (&unknown, position)) in
            columns().zip(unknown).filter(|(_, (count, _))| **count > 0)
        {
            let place = &column.place;
            let title = place.moved_to(position.unwrap_or(place.position)).title();
            let (cells, are_words) = match unknown {
                1 => ("1 cell".to_owned(), "is not a number"),
                _ => (format!("{unknown} cells"), "are not numbers"),
            };
            let text = match column.encoding {
                Encoding::Number { .. } => {
                    format!("{title} has {cells} that {are_words}, taken as missing")
                }
                _ => {
                    format!("{title} has {cells} with a value that the training file did not have")
                }
            };
            texts.push(text.into());
        }
        texts
    }
}

impl Mapping {
    /// Returns where the columns are in the training file.
    pub fn of_training(schema: &Schema) -> Mapping {
        let columns = schema.columns.iter().map(|column| match column.encoding {
            Encoding::Omitted { .. } => None,
            _ => Some(column.place.position),
        });
        Mapping {
            columns: columns.collect(),
            targets: schema
                .targets
                .iter()
                .map(|target| target.place.position)
                .collect(),
            weight: schema.sample_weight.as_ref().map(|place| place.position),
            width: schema.width(),
        }
    }
}
