//! Items and labels as NumPy arrays: two NPY files, or two members of an NPZ archive.
//!
//! `npy` reads what an array is, `npz` finds it in an archive, by the name that `names` says; `array` gives its items one by
//! one and `numbers` makes numbers of their bytes.

mod array;
mod names;
mod npy;
mod npz;
mod numbers;

use std::path::Path;
use std::rc::Rc;

use self::array::{Array, Items};
use self::names::Names;
use self::npz::Archive;
use super::source::{Answer, Cell, Item, MAX_FEATURES, Rows, Source, Sources, shaped};
use super::{Labels, Request};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// Items, and their labels where there are some.
pub(super) struct Arrays {
    images: Array,
    labels: Option<Array>,
    answer: Answer,
    item_shape: Vec<usize>,
    /// Test items beside these that are not taken, by their name.
    left_out: Option<String>,
}

impl Arrays {
    /// Opens NPY files.
    pub fn open_files(request: &Request) -> Result<Sources> {
        let file = |path: &Path| Array::file(path);
        let labels = |given: Option<&String>, key: Key, what: &str, images: &Path| {
            let given = given.ok_or_else(|| {
                let expected = format!("the NPY file that has the {what}");
                let refusal = Refusal::new(key, "not given", expected);
                Error::Config(refusal.hint(format!("{} has items alone", images.display())))
            })?;
            file(Path::new(given))
        };
        let (named, targets) = match &request.labels {
            Labels::Nothing => (None, false),
            Labels::Usual => (Some(None), false),
            Labels::Named(path) => (Some(Some(path)), false),
            Labels::Targets(path) => (Some(Some(path)), true),
        };
        let train_labels =
            named.map(|named| labels(named, Key("labels"), "labels, or none", &request.source));
        let train = Arrays::new(
            request,
            file(&request.source)?,
            train_labels.transpose()?,
            targets,
        )?;
        let test = request.test.as_deref().map(|images| {
            let given = request.arrays.test_labels.as_ref();
            let labels = labels(
                given,
                Key("test_labels"),
                "labels of the test items",
                images,
            )?;
            Arrays::new(request, file(images)?, Some(labels), targets)
        });
        if let (None, Some(_)) = (&test, &request.arrays.test_labels) {
            let expected = message![Key("test"), " with the items beside it"];
            return Err(Error::Config(Refusal::new(
                Key("test_labels"),
                "given alone",
                expected,
            )));
        }
        sources(train, test.transpose()?)
    }

    /// Opens NPZ archives.
    pub fn open_archives(request: &Request) -> Result<Sources> {
        let archive = Rc::new(Archive::open(&request.source)?);
        let names = Names::find(request, &archive)?;
        let targets = matches!(request.labels, Labels::Targets(_));
        let open = |archive: &Rc<Archive>, images: &str, labels: Option<&str>| {
            let labels = labels.map(|name| Array::member(archive, Key("labels"), name));
            let images = Array::member(archive, Key("images"), images)?;
            Arrays::new(request, images, labels.transpose()?, targets)
        };
        let train = Arrays {
            left_out: names.left_out,
            ..open(&archive, &names.images, names.labels.as_deref())?
        };
        let test = match (&request.test, &names.test) {
            // Another archive has the same names, as far as none are given for it.
            (Some(path), _) => {
                let images = request.arrays.test_images.as_ref().unwrap_or(&names.images);
                let labels = request
                    .arrays
                    .test_labels
                    .as_ref()
                    .or(names.labels.as_ref());
                Some(open(
                    &Rc::new(Archive::open(path)?),
                    images,
                    labels.map(String::as_str),
                ))
            }
            (None, Some((images, labels))) => Some(open(&archive, images, Some(labels))),
            (None, None) => None,
        };
        sources(train, test.transpose()?)
    }

    fn new(
        request: &Request,
        images: Array,
        labels: Option<Array>,
        targets: bool,
    ) -> Result<Arrays> {
        let refuse = |array: &Array, found: String, expected: String| {
            Err(Error::Data(Refusal::new(&array.place, found, expected)))
        };
        let header = &images.header;
        if header.kind.is_text() {
            return refuse(&images, header.about(), "numbers".to_owned());
        }
        let features = header.features().unwrap_or(usize::MAX);
        if header.shape.is_empty() || !(1..=MAX_FEATURES).contains(&features) {
            let expected = format!("items of 1 to {MAX_FEATURES} elements");
            return refuse(&images, header.about(), expected);
        }
        let sizes = match header.shape[1..].to_vec() {
            sizes if sizes.is_empty() => vec![1],
            sizes => sizes,
        };
        let item_shape = shaped(request, sizes)?;
        if item_shape.len() > 3 {
            let refusal = Refusal::new(&images.place, header.about(), "at most four dimensions");
            let hint = message![
                Key("shape").set_to(features),
                " makes each item a row of elements"
            ];
            return Err(Error::Data(refusal.hint(hint)));
        }
        let mut answer = Answer::Nothing;
        if let Some(labels) = &labels {
            let about = labels.header.about();
            if labels.header.items() != header.items() {
                let expected = format!(
                    "{} labels, one for each item of {}",
                    header.items(),
                    images.place
                );
                return refuse(labels, about, expected);
            }
            let numbers = labels.header.features().unwrap_or(usize::MAX);
            if labels.header.shape.len() > 2 || !(1..=MAX_FEATURES).contains(&numbers) {
                return refuse(labels, about, "one or two dimensions".to_owned());
            }
            let text = labels.header.kind.is_text();
            answer = match numbers {
                _ if text && (targets || numbers > 1) => {
                    return refuse(labels, about, "numbers".to_owned());
                }
                1 if !targets && !request.multilabel => Answer::Class,
                _ => Answer::Numbers(vec![None; numbers]),
            };
        }
        Ok(Arrays {
            images,
            labels,
            answer,
            item_shape,
            left_out: None,
        })
    }
}

fn sources(train: Arrays, test: Option<Arrays>) -> Result<Sources> {
    Ok(Sources {
        train: Box::new(train),
        test: test.map(|test| Box::new(test) as Box<dyn Source>),
    })
}

impl Source for Arrays {
    fn path(&self) -> &Path {
        &self.images.path
    }

    fn about(&self) -> String {
        let images = format!("{}: {}", self.images.place, self.images.header.about());
        let labels = match &self.labels {
            None => "no labels".to_owned(),
            Some(labels) => format!("labels in {}: {}", labels.place, labels.header.about()),
        };
        let left_out = self.left_out.iter();
        let left_out: String = left_out.map(|name| format!(", {name} left out")).collect();
        format!("{images}, {labels}{left_out}")
    }

    fn item_shape(&self) -> &[usize] {
        &self.item_shape
    }

    fn answer(&self) -> &Answer {
        &self.answer
    }

    fn rows(&self) -> Result<Box<dyn Rows + '_>> {
        Ok(Box::new(ArrayRows {
            arrays: self,
            images: self.images.items()?,
            labels: self.labels.as_ref().map(Array::items).transpose()?,
            done: 0,
        }))
    }

    fn place(&self, mark: u64, cell: Cell) -> String {
        let labels = self.labels.as_ref().map_or("", |labels| &labels.place);
        match cell {
            Cell::Element(at) => format!("{}: item {mark}, element {at}", self.images.place),
            Cell::Class => format!("{labels}: item {mark}"),
            Cell::Number(at) => format!("{labels}: item {mark}, column {at}"),
        }
    }
}

/// A reading of items and labels side by side.
struct ArrayRows<'a> {
    arrays: &'a Arrays,
    images: Items<'a>,
    labels: Option<Items<'a>>,
    done: u64,
}

impl Rows for ArrayRows<'_> {
    fn next(&mut self, item: &mut Item) -> Result<bool> {
        let at = self.done;
        let Some(bytes) = self.images.next()? else {
            return Ok(false);
        };
        let inexact = |cell| {
            let place = self.arrays.place(at, cell);
            Error::Data(Refusal::new(
                place,
                "a whole number beyond 2^53",
                "one that a float can be",
            ))
        };
        item.elements.clear();
        let header = &self.arrays.images.header;
        numbers::numbers(header, bytes, &mut item.elements)
            .map_err(|at| inexact(Cell::Element(at)))?;
        if let (Some(rows), Some(labels)) = (&mut self.labels, &self.arrays.labels) {
            // As many as items, by their headers.
            let bytes = rows.next()?.unwrap_or_default();
            item.numbers.clear();
            if labels.header.kind.is_text() {
                item.class = numbers::text(&labels.header, bytes).ok_or_else(|| {
                    let place = self.arrays.place(at, Cell::Class);
                    Error::Data(Refusal::new(
                        place,
                        "other bytes than text",
                        "text in Unicode",
                    ))
                })?;
            } else {
                numbers::numbers(&labels.header, bytes, &mut item.numbers)
                    .map_err(|at| inexact(Cell::Number(at)))?;
                if let (Answer::Class, Some(number)) = (&self.arrays.answer, item.numbers.first()) {
                    item.class = number.to_string();
                }
            }
        }
        self.done += 1;
        Ok(true)
    }

    fn mark(&self) -> u64 {
        self.done.saturating_sub(1)
    }

    fn progress(&self) -> (u64, u64) {
        (self.done, self.arrays.images.header.items() as u64)
    }
}
