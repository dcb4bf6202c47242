//! Reads the targets of samples from an IDX file, as the task asks for.

use super::fit_scaling::expected_instead;
use super::idx::{ElementType, IdxFile};
use super::targets::{MAX_CLASSES, Targets};
use crate::error::{Error, Refusal, Result};
use crate::message::{Command, Key, Message, message};
use crate::nn::Task;

impl Targets {
    /// Reads and checks the IDX file `file` for `task`. `outputs` is the number of outputs of the network, if it is
    /// known. Otherwise the number of classes is the largest label plus one, and at least two; other tasks and one-hot labels
    /// use the width of the file.
    ///
    /// # Errors
    /// Returns [`Error::Data`] if the file is not for this task, or has another number of outputs.
    pub fn read(file: &IdxFile, task: Task, outputs: Option<usize>) -> Result<Targets> {
        match task {
            Task::Classification => {
                let one_hot = read_one_hot(file)?;
                let columns = one_hot.is_some().then(|| file.header().features());
                let labels = one_hot.map_or_else(|| read_labels(file), Ok)?;
                let largest = labels.iter().copied().max().unwrap_or(0) as usize;
                let found = columns.unwrap_or(largest + 1).max(2);
                let classes = outputs.unwrap_or(found);
                if columns.is_some_and(|columns| columns > classes) {
                    let found = format!("one-hot labels of {found} classes");
                    let refusal = Refusal::new(file.path().display(), found, classes.to_string());
                    return Err(Error::Data(refusal));
                }
                check_labels(file, &labels, classes)?;
                Ok(Targets::Classes { labels, classes })
            }
            Task::Regression => read_values(file, outputs),
            Task::Multilabel => read_flags(file, outputs),
        }
    }
}

/// Reads the weights of samples: one number of any type for each item.
///
/// # Errors
/// Returns [`Error::Data`] if `file` has several numbers for each item.
pub(super) fn read_weights(file: &IdxFile) -> Result<Vec<f32>> {
    let header = file.header();
    if header.features() != 1 {
        let found = format!("weights of dimensions {:?}", header.dimensions());
        let refusal = Refusal::new(file.path().display(), found, "one weight a row");
        return Err(Error::Data(refusal));
    }
    let mut weights = vec![0.0; header.items()];
    for (item, weight) in weights.chunks_exact_mut(1).enumerate() {
        file.read(item, weight);
    }
    Ok(weights)
}

/// Returns whether labels of this header are one-hot if they are classes: several numbers a row.
pub(super) fn is_one_hot(file: &IdxFile) -> bool {
    let header = file.header();
    header.dimensions().len() == 2 && header.features() > 1
}

/// Reads labels that have exactly one 1 a row, and otherwise zeros; `None` if `file` has other labels.
fn read_one_hot(file: &IdxFile) -> Result<Option<Vec<u32>>> {
    let (header, width) = (file.header(), file.header().features());
    if !is_one_hot(file) || width > MAX_CLASSES {
        return Ok(None);
    }
    let mut row = vec![0.0; width];
    let mut labels = Vec::new();
    let reserved = labels.try_reserve_exact(header.items());
    reserved.map_err(|_| {
        let found = format!("{} labels", header.items());
        Error::Memory(Refusal::new("memory", found, "room for the labels"))
    })?;
    for item in 0..header.items() {
        file.read(item, &mut row);
        let ones = row.iter().filter(|&&number| number == 1.0).count();
        let zeros = row.iter().filter(|&&number| number == 0.0).count();
        let one = row.iter().position(|&number| number == 1.0);
        match one {
            Some(one) if ones == 1 && zeros == width - 1 => labels.push(one as u32),
            _ => return Ok(None),
        }
    }
    Ok(Some(labels))
}

/// Reads the labels of `file`, without checking them against a number of classes.
///
/// # Errors
/// Returns [`Error::Data`] if the file does not have one small non-negative integer for each item.
pub fn read_labels(file: &IdxFile) -> Result<Vec<u32>> {
    const SWAPPED: &str = "are the image and label files swapped?";
    let header = file.header();
    let refuse = |found: String, expected: &str, hint: Message| {
        Error::Data(Refusal::new(file.path().display(), found, expected).hint(hint))
    };
    let pictures = header.dimensions().len() > 2;
    if is_float(file) {
        let found = format!("labels of type {}", header.element().name());
        let hint = match pictures {
            true => SWAPPED.into(),
            false => use_regression("for values to predict"),
        };
        return Err(refuse(found, "an integer type", hint));
    }
    if header.features() != 1 {
        let found = format!("labels of dimensions {:?}", header.dimensions());
        let hint = match pictures {
            true => SWAPPED.into(),
            false => message![
                "for several labels a row use ",
                Key("task").set_to("multilabel"),
                ", for several values ",
                Key("task").set_to("regression"),
                "; if the class is one of the columns, ",
                Command("data convert"),
                " takes it by ",
                Key("label_column").set_to(0)
            ],
        };
        return Err(refuse(found, "one label a row", hint));
    }
    if header.element() == ElementType::U8 {
        // Any byte is a label.
        return Ok(file.payload().iter().copied().map(u32::from).collect());
    }
    let mut element = [0.0];
    let mut label_of = |item| {
        file.read(item, &mut element);
        let label = element[0];
        if label < 0.0 || label >= MAX_CLASSES as f32 {
            let hint = use_regression("for values to predict instead of classes");
            return Err(refuse(
                format!("row {item} has label {label}"),
                "0 to 1048575",
                hint,
            ));
        }
        Ok(label as u32)
    };
    (0..header.items()).map(&mut label_of).collect()
}

/// Returns the hint to use regression `for_what`.
fn use_regression(for_what: &str) -> Message {
    message![for_what, " use ", Key("task").set_to("regression")]
}

fn check_labels(file: &IdxFile, labels: &[u32], classes: usize) -> Result<()> {
    match labels.iter().position(|&label| label as usize >= classes) {
        None => Ok(()),
        Some(item) => {
            let largest = labels.iter().copied().max().unwrap_or(0);
            Err(Error::Data(
                Refusal::new(
                    file.path().display(),
                    format!("row {item} has label {}", labels[item]),
                    format!("0 to {}", classes - 1),
                )
                .hint(message![
                    "train with ",
                    Key("classes").set_to(largest + 1),
                    " if the data set has that many classes",
                ]),
            ))
        }
    }
}

fn read_values(file: &IdxFile, outputs: Option<usize>) -> Result<Targets> {
    let width = row_width(file, outputs, "[rows] or [rows, outputs]", "outputs")?;
    let values = read_rows(file, width, f32::is_finite, "a finite number")?;
    Ok(Targets::Values {
        values,
        outputs: width,
    })
}

fn read_flags(file: &IdxFile, classes: Option<usize>) -> Result<Targets> {
    let refuse = |found: String, expected: &str, hint: Message| {
        Error::Data(Refusal::new(file.path().display(), found, expected).hint(hint))
    };
    let header = file.header();
    if is_float(file) {
        let found = format!("labels of type {}", header.element().name());
        let hint = use_regression("for values to predict");
        return Err(refuse(
            found,
            "an integer type, 0 or 1 for each class",
            hint,
        ));
    }
    if header.dimensions().len() == 1 {
        let found = format!("labels of dimensions {:?}", header.dimensions());
        let hint = message![
            "for one class a row use ",
            Key("task").set_to("classification")
        ];
        return Err(refuse(found, "[rows, classes]", hint));
    }
    let width = row_width(file, classes, "[rows, classes]", "classes")?;
    let flags = read_rows(file, width, |flag| flag == 0.0 || flag == 1.0, "0 or 1")?;
    Ok(Targets::Flags {
        flags: flags.into_iter().map(|flag| flag as u8).collect(),
        classes: width,
    })
}

/// Returns the number of values of a row of `file`, called `what`, after checking it and the `shape`.
fn row_width(file: &IdxFile, expected: Option<usize>, shape: &str, what: &str) -> Result<usize> {
    let header = file.header();
    let refuse = |found, expected: String| Refusal::new(file.path().display(), found, expected);
    if header.dimensions().len() > 2 {
        let found = format!("labels of dimensions {:?}", header.dimensions());
        let refusal = refuse(found, shape.to_owned());
        return Err(Error::Data(
            refusal.hint("are the image and label files swapped?"),
        ));
    }
    let width = header.features();
    match expected {
        Some(expected) if expected != width => {
            let found = format!("{width} {what} a row");
            Err(Error::Data(refuse(
                found,
                format!("{expected}, as many as the network has"),
            )))
        }
        _ if width > MAX_CLASSES => {
            let found = format!("{width} {what} a row");
            Err(Error::Data(refuse(found, format!("at most {MAX_CLASSES}"))))
        }
        _ => Ok(width),
    }
}

/// Reads all rows of `file` and checks that each number is `good`.
fn read_rows(
    file: &IdxFile,
    width: usize,
    good: impl Fn(f32) -> bool,
    expected: &'static str,
) -> Result<Vec<f32>> {
    let mut rows = vec![0.0; file.header().items() * width];
    for (item, row) in rows.chunks_exact_mut(width).enumerate() {
        file.read(item, row);
        if let Some(at) = row.iter().position(|&number| !good(number)) {
            let mut wide = vec![0.0; width];
            file.read_wide(item, &mut wide);
            let (found, expected) = match row[at].is_infinite() {
                true => (wide[at], expected_instead(wide[at], expected)),
                false => (f64::from(row[at]), expected),
            };
            let found = match found.abs() < 1e15 {
                true => format!("row {item} has {found} at {at}"),
                false => format!("row {item} has {found:?} at {at}"),
            };
            return Err(Error::Data(Refusal::new(
                file.path().display(),
                found,
                expected,
            )));
        }
    }
    Ok(rows)
}

fn is_float(file: &IdxFile) -> bool {
    matches!(file.header().element(), ElementType::F32 | ElementType::F64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::idx::Header;
    use crate::data::mmap::Bytes;
    use std::path::Path;

    fn file(element: ElementType, dimensions: &[usize], numbers: &[f32]) -> IdxFile {
        let path = Path::new("labels");
        let header = Header::new(path, element, dimensions).expect("a header");
        let payload = numbers.iter().flat_map(|&x| match element {
            ElementType::F32 => x.to_be_bytes().to_vec(),
            _ => vec![x as u8],
        });
        let bytes = header.to_bytes().into_iter().chain(payload).collect();
        IdxFile::from_bytes(path, Bytes::Owned(bytes)).expect("a good file")
    }

    fn refusal(file: &IdxFile, task: Task, outputs: Option<usize>) -> (String, Option<String>) {
        let error = Targets::read(file, task, outputs).expect_err("a refusal");
        (error.to_string(), error.hint().map(|hint| hint.to_string()))
    }

    #[test]
    fn each_task_reads_its_file() {
        let floats = file(ElementType::F32, &[2, 3], &[0.5, -1.0, 2.0, 0.0, 1.0, 3.5]);
        let values = Targets::read(&floats, Task::Regression, Some(3)).expect("values");
        assert_eq!((values.samples(), values.outputs()), (2, 3));
        let mut row = [0.0; 3];
        values.read_row(1, &mut row);
        assert_eq!(row, [0.0, 1.0, 3.5]);
        // Integers are numbers too.
        let bytes = file(ElementType::U8, &[3], &[0.0, 1.0, 200.0]);
        let values = Targets::read(&bytes, Task::Regression, None).expect("values");
        assert_eq!((values.samples(), values.outputs()), (3, 1));
        let labels = Targets::read(&bytes, Task::Classification, None).expect("labels");
        assert_eq!((labels.samples(), labels.outputs()), (3, 201));
        let flags = file(ElementType::U8, &[2, 2], &[0.0, 1.0, 1.0, 1.0]);
        let flags = Targets::read(&flags, Task::Multilabel, None).expect("flags");
        assert_eq!(
            flags,
            Targets::Flags {
                flags: vec![0, 1, 1, 1],
                classes: 2
            }
        );
        let turned = flags.select(&[1, 0]);
        turned.read_row(1, &mut row[..2]);
        assert_eq!((turned.samples(), &row[..2]), (2, &[0.0, 1.0][..]));
        flags.read_row(0, &mut row[..2]);
        assert_eq!(row[..2], [0.0, 1.0]);
    }

    #[test]
    fn one_hot_labels_are_classes() {
        let of = |numbers: &[f32]| file(ElementType::U8, &[2, 3], numbers);
        let read =
            |numbers: &[f32], outputs| Targets::read(&of(numbers), Task::Classification, outputs);
        let one_hot = [0.0, 1.0, 0.0, 1.0, 0.0, 0.0];
        let targets = read(&one_hot, None).expect("labels");
        let labels = vec![1, 0];
        assert_eq!(targets, Targets::Classes { labels, classes: 3 });
        assert_eq!(read(&one_hot, Some(5)).expect("labels").outputs(), 5);
        let message = read(&one_hot, Some(2)).expect_err("a refusal").to_string();
        assert_eq!(message, "labels: one-hot labels of 3 classes, expected 2");
        for other in [
            [0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
            [0.0, 1.0, 0.0, 1.0, 0.0, 1.0],
            [0.0, 1.0, 0.0, 0.0, 2.0, 0.0],
        ] {
            let message = read(&other, None).expect_err("a refusal").to_string();
            assert!(
                message.contains("dimensions [2, 3], expected one label a row"),
                "{message}"
            );
        }
    }

    #[test]
    fn labels_for_another_task_are_refused_with_a_hint() {
        let floats = file(ElementType::F32, &[2], &[0.5, -1.0]);
        let (message, hint) = refusal(&floats, Task::Classification, None);
        assert_eq!(
            message,
            "labels: labels of type f32, expected an integer type"
        );
        assert!(hint.expect("a hint").contains("task = regression"));
        let (message, hint) = refusal(&floats, Task::Multilabel, None);
        assert!(message.contains("labels of type f32, expected an integer type, 0 or 1"));
        assert!(hint.expect("a hint").contains("task = regression"));
        let flags = file(ElementType::U8, &[2, 2], &[0.0, 1.0, 1.0, 2.0]);
        let (_, hint) = refusal(&flags, Task::Classification, None);
        assert!(hint.expect("a hint").contains("task = multilabel"));
        let (message, _) = refusal(&flags, Task::Multilabel, None);
        assert_eq!(message, "labels: row 1 has 2 at 1, expected 0 or 1");
        let (message, _) = refusal(&flags, Task::Multilabel, Some(3));
        assert!(message.contains("2 classes a row, expected 3"), "{message}");
        let labels = file(ElementType::U8, &[2], &[0.0, 1.0]);
        let (message, hint) = refusal(&labels, Task::Multilabel, None);
        assert!(
            message.contains("dimensions [2], expected [rows, classes]"),
            "{message}"
        );
        assert!(hint.expect("a hint").contains("task = classification"));
        let nan = file(ElementType::F32, &[2, 1], &[0.5, f32::NAN]);
        let (message, _) = refusal(&nan, Task::Regression, None);
        assert_eq!(
            message,
            "labels: row 1 has NaN at 0, expected a finite number"
        );
        let pictures = file(ElementType::U8, &[1, 2, 2], &[0.0; 4]);
        for task in Task::ALL {
            let (_, hint) = refusal(&pictures, task, None);
            assert!(hint.expect("a hint").contains("swapped"), "{task:?}");
        }
    }
}
