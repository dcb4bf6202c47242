//! CSV: a row per sample, a column per feature or label.
//!
//! [`crate::table`] detects the dialect and reads the text. A cell that is not a number is refused with its row, which is the
//! line of the file that the row starts in, and its column.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::request::{Labels, Request};
use super::source::{Cell, LabelKind, MAX_FEATURES, Sample, Samples, Source, Sources};
use crate::data::Note;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};
use crate::table::block::{Block, Cells, Mode};
use crate::table::blocks::Blocks;
use crate::table::cell::{is_missing, shown};
use crate::table::columns::Columns;
use crate::table::dialect::{self, Hints, Opening};
use crate::table::text::row;

/// A CSV file whose columns are known.
pub(super) struct Table {
    path: PathBuf,
    opening: Opening,
    /// The columns that are elements.
    features: Vec<usize>,
    /// The columns that are labels.
    labels: Vec<usize>,
    label_kind: LabelKind,
    sample_shape: Vec<usize>,
}

impl Table {
    /// Opens the training samples, and the other samples that have a file of their own.
    pub fn open(request: &Request) -> Result<Sources> {
        let train = Table::open_file(&request.source, request)?;
        let like_train = |path: &Option<PathBuf>| -> Result<Option<Table>> {
            let Some(path) = path else {
                return Ok(None);
            };
            let table = Table::open_file(path, request)?;
            table.check_columns(&train)?;
            Ok(Some(table))
        };
        let (validation, test) = (like_train(&request.validation)?, like_train(&request.test)?);
        Ok(Sources::new(train, test).with_validation(validation))
    }

    /// Returns `request` without the column of labels, if the table has one in addition to so many inputs, and what was
    /// guessed.
    pub fn for_inputs(request: &Request, inputs: usize) -> Result<(Cow<'_, Request>, Vec<Note>)> {
        let path = &request.source;
        let Opening {
            columns, guesses, ..
        } = dialect::detect(path, &hints(request))?;
        let mut notes: Vec<Note> = guesses
            .into_iter()
            .map(|guess| Note::new(path.display(), guess))
            .collect();
        if columns.count() == inputs || request.table.drop.is_some() {
            if let (Ok(labels), None) = (columns.usual_labels(path), &request.table.drop) {
                let about = format!("{} is read as an input of the model", columns.title(labels));
                notes.push(Note::new(path.display(), about));
            }
            return Ok((Cow::Borrowed(request), notes));
        }
        let labels = match columns.count() == inputs + 1 {
            true => columns.usual_labels(path).ok(),
            false => None,
        };
        let Some(labels) = labels else {
            let refusal = Refusal::new(
                path.display(),
                format!("{} columns", columns.count()),
                format!("{inputs} columns of numbers, the inputs of the model"),
            );
            let hint = message!["leave other columns out with ", Key("drop")];
            return Err(Error::Data(refusal.hint(hint)));
        };
        notes.push(Note::new(
            path.display(),
            format!("{} is left out", columns.title(labels)),
        ));
        let mut without = request.clone();
        without.table.drop = Some(columns.word(labels));
        Ok((Cow::Owned(without), notes))
    }

    fn open_file(path: &Path, request: &Request) -> Result<Table> {
        let opening = dialect::detect(path, &hints(request))?;
        let columns = &opening.columns;
        let labels = match &request.labels {
            Labels::Absent => Vec::new(),
            Labels::Auto => vec![columns.usual_labels(path)?],
            Labels::In(words) => columns.find_all(Key("labels"), words)?,
            Labels::Targets(words) => columns.find_all(Key("targets"), words)?,
        };
        let dropped = match &request.table.drop {
            None => Vec::new(),
            Some(words) => columns.find_all(Key("drop"), words)?,
        };
        if let Some(&both) = dropped.iter().find(|column| labels.contains(column)) {
            let found = format!("{}, which has labels", columns.title(both));
            return Err(Error::Config(Refusal::new(
                Key("drop"),
                found,
                "other columns",
            )));
        }
        let features =
            (0..columns.count()).filter(|at| !labels.contains(at) && !dropped.contains(at));
        let features: Vec<usize> = features.collect();
        if !(1..=MAX_FEATURES).contains(&features.len()) {
            let found = format!(
                "{} columns except labels and dropped columns",
                features.len()
            );
            let expected = format!("1 to {MAX_FEATURES}");
            return Err(Error::Data(Refusal::new(path.display(), found, expected)));
        }
        let are_numbers = request.multilabel || matches!(request.labels, Labels::Targets(_));
        let label_kind = match labels.len() {
            0 => LabelKind::Absent,
            1 if !are_numbers => LabelKind::Class,
            _ => LabelKind::Values(labels.iter().map(|&at| columns.name(at)).collect()),
        };
        Ok(Table {
            path: path.to_owned(),
            sample_shape: request.sample_shape_for(vec![features.len()])?,
            opening,
            features,
            labels,
            label_kind,
        })
    }

    /// Checks that the columns are those of the training samples.
    fn check_columns(&self, train: &Table) -> Result<()> {
        let refuse = |found: String, expected: String| {
            let expected = format!("{expected}, as in {}", train.path.display());
            Err(Error::Data(Refusal::new(
                self.path.display(),
                found,
                expected,
            )))
        };
        let (own, other) = (self.columns().count(), train.columns().count());
        // Without a header there is nothing to compare except the number of columns.
        if self.columns().has_names() == train.columns().has_names() {
            let titles = |at| (self.columns().title(at), train.columns().title(at));
            let mut titles = (0..own.max(other)).map(titles);
            if let Some((own, other)) = titles.find(|(own, other)| own != other) {
                return refuse(own, other);
            }
        }
        match own == other {
            true => Ok(()),
            false => refuse(format!("{own} columns"), other.to_string()),
        }
    }

    fn columns(&self) -> &Columns {
        &self.opening.columns
    }

    /// Returns what each column is expected to have.
    fn modes(&self) -> Vec<Mode> {
        let mut modes = vec![Mode::Skip; self.columns().count()];
        for &feature in &self.features {
            modes[feature] = Mode::OnlyNumber;
        }
        for &label in &self.labels {
            modes[label] = match self.label_kind {
                LabelKind::Class => Mode::OnlyText,
                LabelKind::Absent | LabelKind::Values(_) => Mode::OnlyNumber,
            };
        }
        modes
    }
}

impl Source for Table {
    fn path(&self) -> &Path {
        &self.path
    }

    fn description(&self) -> String {
        let header = match self.columns().has_names() {
            true => "a header",
            false => "no header",
        };
        let labels = self.labels.iter().map(|&at| self.columns().title(at));
        let labels: Vec<String> = labels.collect();
        let labels = match (&self.label_kind, labels.len()) {
            (LabelKind::Absent, _) => "no labels".to_owned(),
            (_, 1..=3) => format!("labels in {}", labels.join(", ")),
            (_, count) => format!("labels in {count} columns"),
        };
        let delimiter = self.opening.syntax.delimiter.name();
        format!(
            "{}: CSV, {delimiter} between cells, {header}, {labels}",
            self.path.display()
        )
    }

    fn sample_shape(&self) -> &[usize] {
        &self.sample_shape
    }

    fn label_kind(&self) -> &LabelKind {
        &self.label_kind
    }

    fn samples(&self) -> Result<Box<dyn Samples + '_>> {
        Ok(Box::new(Rows {
            table: self,
            blocks: Blocks::open(&self.path, &self.opening, self.modes())?,
            block: Block::default(),
            row: 0,
            next: 0,
        }))
    }

    fn place(&self, position: u64, cell: Cell) -> String {
        let column = match cell {
            Cell::Sample => return row(&self.path, position),
            Cell::Element(at) => self.features[at],
            Cell::Class => self.labels[0],
            Cell::Value(at) => self.labels[at],
        };
        format!(
            "{}, {}",
            row(&self.path, position),
            self.columns().title(column)
        )
    }
}

/// Returns what the request says about the text.
fn hints(request: &Request) -> Hints<'_> {
    let words = match &request.labels {
        Labels::In(words) | Labels::Targets(words) => Some(words),
        Labels::Auto | Labels::Absent => None,
    };
    let words = words.into_iter().chain(&request.table.drop);
    Hints {
        delimiter: request.table.delimiter,
        decimal: request.table.decimal,
        comment: None,
        header: request.table.header,
        names: words
            .flat_map(|words| words.split(','))
            .map(str::trim)
            .collect(),
    }
}

/// A pass over the rows of a table.
struct Rows<'a> {
    table: &'a Table,
    blocks: Blocks,
    block: Block,
    /// The row of the block that was read last.
    row: usize,
    /// The row of the block to read next.
    next: usize,
}

impl Rows<'_> {
    /// Moves to the next row. Returns false after the last one.
    fn read(&mut self) -> Result<bool> {
        if self.next == self.block.rows() {
            match self.blocks.next()? {
                None => return Ok(false),
                Some(block) => (self.block, self.next) = (block, 0),
            }
        }
        self.row = self.next;
        self.next += 1;
        Ok(true)
    }

    fn number(&self, column: usize, cell: Cell) -> Result<f64> {
        let Cells::Numbers(numbers) = &self.block.columns[column] else {
            unreachable!("a column of numbers");
        };
        let value = numbers.values[self.row];
        if !value.is_nan() {
            return Ok(value);
        }
        let word = numbers
            .word(self.row)
            .map(|word| numbers.dictionary.word(word));
        let word = word.unwrap_or_default();
        if word.eq_ignore_ascii_case(b"true") {
            return Ok(1.0);
        }
        if word.eq_ignore_ascii_case(b"false") {
            return Ok(0.0);
        }
        let place = self.table.place(self.position(), cell);
        let refusal = Refusal::new(place, shown(word), "a finite number");
        Err(Error::Data(refusal.hint(self.hint(word, column))))
    }

    /// Returns the hint for a cell that is no number.
    fn hint(&self, text: &[u8], column: usize) -> Message {
        let drop = Key("drop").set_to(self.table.columns().word(column));
        if is_missing(text) {
            return message!["fill in missing values first, or drop the column: ", drop];
        }
        let is_numeric = |byte: &u8| byte.is_ascii_digit() || b",.-+".contains(byte);
        if text.contains(&b',') && text.iter().all(is_numeric) {
            return "write numbers with a decimal point and without thousands separators".into();
        }
        message!["replace words by numbers first, or drop the column: ", drop]
    }

    fn class(&self) -> Result<&str> {
        let Cells::Text(words) = &self.block.columns[self.table.labels[0]] else {
            unreachable!("a column of words");
        };
        let text = words.dictionary.word(words.codes[self.row]);
        std::str::from_utf8(text).map_err(|_| {
            let place = self.table.place(self.position(), Cell::Class);
            let refusal = Refusal::new(place, shown(text), "text in UTF-8");
            Error::Data(refusal.hint("save the file as UTF-8"))
        })
    }
}

impl Samples for Rows<'_> {
    fn next(&mut self, sample: &mut Sample) -> Result<bool> {
        if !self.read()? {
            return Ok(false);
        }
        sample.elements.clear();
        for (at, &column) in self.table.features.iter().enumerate() {
            let element = self.number(column, Cell::Element(at))?;
            sample.elements.push(element);
        }
        match self.table.label_kind {
            LabelKind::Absent => {}
            LabelKind::Class => {
                sample.class.clear();
                sample.class.push_str(self.class()?);
            }
            LabelKind::Values(_) => {
                sample.values.clear();
                for (at, &column) in self.table.labels.iter().enumerate() {
                    let value = self.number(column, Cell::Value(at))?;
                    sample.values.push(value);
                }
            }
        }
        Ok(true)
    }

    fn position(&self) -> u64 {
        match self.block.rows() {
            0 => 0,
            _ => self.block.position(self.row),
        }
    }

    fn progress(&self) -> (u64, u64) {
        self.blocks.progress()
    }
}
