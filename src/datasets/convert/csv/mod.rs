//! CSV: a row an item, a column a feature or a label.
//!
//! `dialect` finds out what stands between cells and whether the first row is a header, `columns` which column is meant,
//! `text` gives the bytes, decoded from gzip where they are. A cell that is no number is refused with its row, which is
//! the line of the file that it starts in, and its column.

mod columns;
mod dialect;
mod text;

use std::path::{Path, PathBuf};

use csv::ByteRecord;

use self::columns::Columns;
use self::dialect::Dialect;
use self::text::Text;
use super::source::{Answer, Cell, Item, MAX_FEATURES, Rows, Source, Sources, shaped};
use super::{Labels, Request};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};

/// A CSV file whose columns are known.
pub(super) struct Table {
    path: PathBuf,
    dialect: Dialect,
    columns: Columns,
    /// The columns that are elements.
    features: Vec<usize>,
    /// The columns that are labels.
    labels: Vec<usize>,
    answer: Answer,
    item_shape: Vec<usize>,
}

impl Table {
    /// Opens the training items and, where they have a file of their own, the test items.
    pub fn open(request: &Request) -> Result<Sources> {
        let train = Table::open_one(&request.source, request)?;
        let test = request
            .test
            .as_deref()
            .map(|path| Table::open_one(path, request));
        let test = test.transpose()?;
        if let Some(test) = &test {
            test.check_columns(&train)?;
        }
        Ok(Sources {
            train: Box::new(train),
            test: test.map(|test| Box::new(test) as Box<dyn Source>),
        })
    }

    fn open_one(path: &Path, request: &Request) -> Result<Table> {
        let (dialect, columns) = dialect::find(path, request)?;
        let labels = match &request.labels {
            Labels::Nothing => Vec::new(),
            Labels::Usual => vec![columns.usual_labels(path)?],
            Labels::Named(words) => columns.find_all(Key("labels"), words)?,
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
                "{} columns beside labels and what is left out",
                features.len()
            );
            let expected = format!("1 to {MAX_FEATURES}");
            return Err(Error::Data(Refusal::new(path.display(), found, expected)));
        }
        let numbers = request.multilabel || matches!(request.labels, Labels::Targets(_));
        let answer = match labels.len() {
            0 => Answer::Nothing,
            1 if !numbers => Answer::Class,
            _ => Answer::Numbers(labels.iter().map(|&at| columns.name(at)).collect()),
        };
        Ok(Table {
            path: path.to_owned(),
            dialect,
            item_shape: shaped(request, vec![features.len()])?,
            columns,
            features,
            labels,
            answer,
        })
    }

    /// Holds the columns against those of the training items.
    fn check_columns(&self, train: &Table) -> Result<()> {
        let pairs = (0..self.columns.count().max(train.columns.count()))
            .map(|at| (self.columns.title(at), train.columns.title(at)));
        // Without a header there is nothing but the number of columns to compare.
        let comparable = self.columns.has_names() == train.columns.has_names();
        let differ = self.columns.count() != train.columns.count();
        match pairs
            .into_iter()
            .find(|(own, other)| comparable && own != other)
        {
            None if !differ => Ok(()),
            None => Err(Error::Data(Refusal::new(
                self.path.display(),
                format!("{} columns", self.columns.count()),
                format!("{}, as in {}", train.columns.count(), train.path.display()),
            ))),
            Some((own, other)) => Err(Error::Data(Refusal::new(
                self.path.display(),
                own,
                format!("{other}, as in {}", train.path.display()),
            ))),
        }
    }

    /// The row, counted as an editor counts lines, of the record behind so many bytes.
    fn row(&self, bytes: u64) -> String {
        match text::line_at(&self.path, bytes) {
            Ok(line) => format!("{}: row {line}", self.path.display()),
            Err(_) => format!("{}: a row behind byte {bytes}", self.path.display()),
        }
    }
}

impl Source for Table {
    fn path(&self) -> &Path {
        &self.path
    }

    fn about(&self) -> String {
        let header = if self.dialect.header {
            "a header"
        } else {
            "no header"
        };
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|&at| self.columns.title(at))
            .collect();
        let labels = match (&self.answer, labels.len()) {
            (Answer::Nothing, _) => "no labels".to_owned(),
            (_, 1..=3) => format!("labels in {}", labels.join(", ")),
            (_, count) => format!("labels in {count} columns"),
        };
        let between = self.dialect.delimiter_name();
        format!(
            "{}: CSV, {between} between cells, {header}, {labels}",
            self.path.display()
        )
    }

    fn item_shape(&self) -> &[usize] {
        &self.item_shape
    }

    fn answer(&self) -> &Answer {
        &self.answer
    }

    fn rows(&self) -> Result<Box<dyn Rows + '_>> {
        let mut rows = TableRows {
            table: self,
            text: Text::open(&self.path, self.dialect.delimiter)?,
            record: ByteRecord::new(),
        };
        if self.dialect.header {
            rows.read()?;
        }
        Ok(Box::new(rows))
    }

    fn place(&self, mark: u64, cell: Cell) -> String {
        let column = match cell {
            Cell::Element(at) => self.features[at],
            Cell::Class => self.labels[0],
            Cell::Number(at) => self.labels[at],
        };
        format!("{}, {}", self.row(mark), self.columns.title(column))
    }
}

/// A reading of a table.
struct TableRows<'a> {
    table: &'a Table,
    text: Text,
    record: ByteRecord,
}

impl TableRows<'_> {
    /// The next record, which must have a cell for each column; false behind the last one.
    fn read(&mut self) -> Result<bool> {
        if !self.text.read(&mut self.record)? {
            return Ok(false);
        }
        let (found, columns) = (self.record.len(), self.table.columns.count());
        if found == columns {
            return Ok(true);
        }
        let refusal = Refusal::new(
            self.table.row(self.mark()),
            format!("{found} cells"),
            format!("{columns}, as in the first row"),
        );
        let hint = match found < columns {
            true => message![
                "a row may be cut short, or cells stand between other characters: ",
                Key("delimiter")
            ],
            false => "text that has the delimiter in it stands between quotes".into(),
        };
        Err(Error::Data(refusal.hint(hint)))
    }

    fn number(&self, column: usize, cell: Cell) -> Result<f64> {
        let text = &self.record[column];
        number(text).ok_or_else(|| {
            let place = self.table.place(self.mark(), cell);
            let refusal = Refusal::new(place, shown(text), "a finite number");
            Error::Data(refusal.hint(self.hint(text, column)))
        })
    }

    /// What may be done about a cell that is no number.
    fn hint(&self, text: &[u8], column: usize) -> Message {
        let leave_out = Key("drop").set_to(self.table.columns.word(column));
        if is_missing(text) {
            return message![
                "fill in what is missing first, or leave the column out: ",
                leave_out
            ];
        }
        if text.contains(&b',')
            && text
                .iter()
                .all(|b| b.is_ascii_digit() || b",.-+".contains(b))
        {
            return "numbers are written with a decimal point, and nothing between thousands"
                .into();
        }
        message![
            "turn words into numbers first, or leave the column out: ",
            leave_out
        ]
    }
}

impl Rows for TableRows<'_> {
    fn next(&mut self, item: &mut Item) -> Result<bool> {
        if !self.read()? {
            return Ok(false);
        }
        item.elements.clear();
        for (at, &column) in self.table.features.iter().enumerate() {
            item.elements.push(self.number(column, Cell::Element(at))?);
        }
        match self.table.answer {
            Answer::Nothing => {}
            Answer::Class => {
                let text = self.record[self.table.labels[0]].trim_ascii();
                let text = std::str::from_utf8(text).map_err(|_| {
                    let place = self.table.place(self.mark(), Cell::Class);
                    let refusal = Refusal::new(place, shown(text), "text in UTF-8");
                    Error::Data(refusal.hint("save the file as UTF-8"))
                })?;
                item.class.clear();
                item.class.push_str(text);
            }
            Answer::Numbers(_) => {
                item.numbers.clear();
                for (at, &column) in self.table.labels.iter().enumerate() {
                    item.numbers.push(self.number(column, Cell::Number(at))?);
                }
            }
        }
        Ok(true)
    }

    fn mark(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::byte)
    }

    fn progress(&self) -> (u64, u64) {
        self.text.progress()
    }
}

/// A cell as a finite number: as Rust and C write them, space around them, and true and false as 1 and 0.
fn number(cell: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(cell).ok()?.trim();
    if text.eq_ignore_ascii_case("true") {
        return Some(1.0);
    }
    if text.eq_ignore_ascii_case("false") {
        return Some(0.0);
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Whether a cell is one of the words for a missing number.
fn is_missing(cell: &[u8]) -> bool {
    const WORDS: [&[u8]; 8] = [b"", b"na", b"n/a", b"nan", b"null", b"none", b"?", b"-"];
    let cell = cell.trim_ascii();
    WORDS.iter().any(|word| cell.eq_ignore_ascii_case(word))
}

/// A cell for a message: in quotes, cut, and with nothing in it that a terminal obeys.
fn shown(cell: &[u8]) -> String {
    const MOST: usize = 40;
    if cell.is_empty() {
        return "an empty cell".to_owned();
    }
    let text = String::from_utf8_lossy(cell);
    match text.char_indices().nth(MOST) {
        None => format!("{text:?}"),
        Some((at, _)) => format!("{:?}…", &text[..at]),
    }
}
