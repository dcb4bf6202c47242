//! PNG: a folder with a sub-folder of pictures for each class, or of pictures without labels.
//!
//! `FOLDER/cat/1.png` is of class cat. With two sub-folders `train` and `test`, the classes are below those. `folders` says
//! which files these are, `style` what becomes of their pixels; all are like the first one.

mod folders;
mod style;

use std::path::{Path, PathBuf};

use self::folders::{class_folders, halves, name_of, png_files};
use self::style::{Depth, Style};
use super::source::{Answer, Cell, Item, Rows, Source, Sources};
use super::{Labels, Request};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;

pub use self::style::{Background, Color};

/// A folder of pictures.
pub(super) struct Pictures {
    root: PathBuf,
    /// The folders with the files, in the order of their classes, and how many files there are in each.
    folders: Vec<(PathBuf, u64)>,
    answer: Answer,
    style: Style,
    /// The picture that all others must be like.
    first: PathBuf,
    /// Height and width, and 3 for colours.
    item_shape: Vec<usize>,
}

impl Pictures {
    /// Opens a folder of classes, or one with a half in each of two sub-folders.
    pub fn open(request: &Request) -> Result<Sources> {
        let (train, test) = match halves(&request.source)? {
            Some((train, test)) if request.test.is_none() && request.labels != Labels::Nothing => {
                if request.test_split.is_some() {
                    let found = format!("given, and {} is there", test.display());
                    return Err(Error::Config(Refusal::new(
                        Key("test_split"),
                        found,
                        "one of the two",
                    )));
                }
                (train, Some(test))
            }
            _ => (request.source.clone(), request.test.clone()),
        };
        let train = Pictures::new(&train, request, None)?;
        let test = test.map(|test| Pictures::new(&test, request, Some(&train)));
        let test = test
            .transpose()?
            .map(|test| Box::new(test) as Box<dyn Source>);
        Ok(Sources {
            train: Box::new(train),
            test,
        })
    }

    /// The pictures below `root`, which must be like those of `other`.
    fn new(root: &Path, request: &Request, other: Option<&Pictures>) -> Result<Pictures> {
        let unlabelled = request.labels == Labels::Nothing;
        let (folders, answer) = match unlabelled {
            true => (vec![root.to_owned()], Answer::Nothing),
            false => (class_folders(root)?, Answer::Class),
        };
        let mut counted = Vec::with_capacity(folders.len());
        let mut first = None;
        for folder in folders {
            let files = png_files(&folder)?;
            if files.is_empty() && other.is_none() {
                let refusal = Refusal::new(folder.display(), "no PNG file", "pictures");
                return Err(Error::Data(refusal));
            }
            first = first.or_else(|| files.first().cloned());
            counted.push((folder, files.len() as u64));
        }
        let Some(first) = first else {
            return Err(Error::Data(Refusal::new(
                root.display(),
                "no PNG file",
                "pictures",
            )));
        };
        let (style, first) = match other {
            Some(other) => (other.style, other.first.clone()),
            None => (Style::of(&first, request)?, first),
        };
        let (height, width) = (style.height as usize, style.width as usize);
        Ok(Pictures {
            root: root.to_owned(),
            folders: counted,
            answer,
            style,
            first,
            item_shape: match style.color {
                Color::Grey => vec![height, width],
                Color::Rgb => vec![height, width, 3],
            },
        })
    }
}

impl Source for Pictures {
    fn path(&self) -> &Path {
        &self.root
    }

    fn about(&self) -> String {
        let Style {
            color,
            background,
            depth,
            ..
        } = self.style;
        let color = match color {
            Color::Grey => "grey",
            Color::Rgb => "red, green, blue",
        };
        let depth = if depth == Depth::Sixteen {
            "16 bits"
        } else {
            "8 bits"
        };
        let labels = match self.answer {
            Answer::Nothing => "no labels".to_owned(),
            _ => format!("a sub-folder for each of {} classes", self.folders.len()),
        };
        format!(
            "{}: PNG, {color}, {depth}, over {}, {labels}",
            self.root.display(),
            background.name()
        )
    }

    fn item_shape(&self) -> &[usize] {
        &self.item_shape
    }

    fn answer(&self) -> &Answer {
        &self.answer
    }

    fn rows(&self) -> Result<Box<dyn Rows + '_>> {
        Ok(Box::new(PictureRows {
            pictures: self,
            folder: 0,
            class: String::new(),
            files: Vec::new().into_iter(),
            samples: Vec::new(),
            done: 0,
        }))
    }

    fn place(&self, mark: u64, cell: Cell) -> String {
        let mut before = 0;
        for (folder, files) in &self.folders {
            if mark < before + files {
                let listed = png_files(folder).unwrap_or_default();
                let file = listed.get((mark - before) as usize).unwrap_or(folder);
                return match cell {
                    Cell::Element(at) => format!("{}: element {at}", file.display()),
                    Cell::Class | Cell::Number(_) => folder.display().to_string(),
                };
            }
            before += files;
        }
        self.root.display().to_string()
    }
}

/// A reading of all pictures.
struct PictureRows<'a> {
    pictures: &'a Pictures,
    /// How many folders were begun.
    folder: usize,
    /// The class of the last one.
    class: String,
    /// Those of the folder that are to come.
    files: std::vec::IntoIter<PathBuf>,
    samples: Vec<u8>,
    done: u64,
}

impl Rows for PictureRows<'_> {
    fn next(&mut self, item: &mut Item) -> Result<bool> {
        let path = loop {
            if let Some(path) = self.files.next() {
                break path;
            }
            let Some((folder, _)) = self.pictures.folders.get(self.folder) else {
                return Ok(false);
            };
            self.folder += 1;
            self.files = png_files(folder)?.into_iter();
            self.class = name_of(folder);
        };
        item.class.clone_from(&self.class);
        let Pictures { style, first, .. } = self.pictures;
        style.read(&path, first, &mut self.samples, &mut item.elements)?;
        self.done += 1;
        Ok(true)
    }

    fn mark(&self) -> u64 {
        self.done.saturating_sub(1)
    }

    fn progress(&self) -> (u64, u64) {
        let files = self.pictures.folders.iter().map(|(_, files)| files);
        (self.done, files.sum())
    }
}
