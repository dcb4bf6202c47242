//! PNG: a folder with a sub-folder of pictures for each class, or a folder of pictures without labels.
//!
//! `FOLDER/cat/1.png` belongs to class cat. If the folder has two sub-folders `train` and `test`, the classes are below
//! those. `folders` finds the files, and `style` converts their pixels. All pictures must be like the first one.

mod folders;
mod style;

use std::path::{Path, PathBuf};

use self::folders::{class_folders, halves, name_of, png_files};
use self::style::{Depth, Style};
use super::request::{Color, Labels, Request};
use super::source::{Cell, LabelKind, Sample, Samples, Source, Sources};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;

/// A folder of pictures.
pub(super) struct Pictures {
    root: PathBuf,
    /// The folders in the order of their classes, each with its number of files.
    folders: Vec<(PathBuf, u64)>,
    label_kind: LabelKind,
    style: Style,
    /// The picture that all others must be like.
    first: PathBuf,
    /// `[height, width]`, or `[height, width, 3]` with colours.
    sample_shape: Vec<usize>,
}

impl Pictures {
    /// Opens a folder of classes, or one with a training and a test folder of classes.
    pub fn open(request: &Request) -> Result<Sources> {
        let may_have_halves = request.test.is_none() && request.labels != Labels::Absent;
        let (train, test) = match halves(&request.source)? {
            Some((train, test)) if may_have_halves => {
                if request.test_split.is_some() {
                    let found = format!("given, although {} exists", test.display());
                    let refusal = Refusal::new(Key("test_split"), found, "one of the two");
                    return Err(Error::Config(refusal));
                }
                (train, Some(test))
            }
            _ => (request.source.clone(), request.test.clone()),
        };
        let train = Pictures::new(&train, request, None)?;
        let test = test.map(|test| Pictures::new(&test, request, Some(&train)));
        let test = test.transpose()?;
        Ok(Sources::new(train, test))
    }

    /// Finds the pictures below `root`. Test pictures must be like the training pictures in `train`.
    fn new(root: &Path, request: &Request, train: Option<&Pictures>) -> Result<Pictures> {
        let no_pictures =
            |folder: &Path| Error::Data(Refusal::new(folder.display(), "no PNG file", "pictures"));
        let (paths, label_kind) = match request.labels {
            Labels::Absent => (vec![root.to_owned()], LabelKind::Absent),
            _ => (class_folders(root)?, LabelKind::Class),
        };
        let mut folders = Vec::with_capacity(paths.len());
        let mut first = None;
        for folder in paths {
            let files = png_files(&folder)?;
            if files.is_empty() && train.is_none() {
                return Err(no_pictures(&folder));
            }
            first = first.or_else(|| files.first().cloned());
            folders.push((folder, files.len() as u64));
        }
        let first = first.ok_or_else(|| no_pictures(root))?;
        let (style, first) = match train {
            Some(train) => (train.style, train.first.clone()),
            None => (Style::of(&first, request)?, first),
        };
        let (height, width) = (style.height as usize, style.width as usize);
        Ok(Pictures {
            root: root.to_owned(),
            folders,
            label_kind,
            style,
            first,
            sample_shape: match style.color {
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

    fn description(&self) -> String {
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
        let depth = match depth {
            Depth::Sixteen => "16 bits",
            Depth::Eight | Depth::RoundedToEight => "8 bits",
        };
        let labels = match self.label_kind {
            LabelKind::Absent => "no labels".to_owned(),
            _ => format!("a sub-folder for each of {} classes", self.folders.len()),
        };
        format!(
            "{}: PNG, {color}, {depth}, {} background, {labels}",
            self.root.display(),
            background.name()
        )
    }

    fn sample_shape(&self) -> &[usize] {
        &self.sample_shape
    }

    fn label_kind(&self) -> &LabelKind {
        &self.label_kind
    }

    /// The name of a folder is one that somebody chose.
    fn may_lack_labels(&self) -> bool {
        false
    }

    fn samples(&self) -> Result<Box<dyn Samples + '_>> {
        Ok(Box::new(PictureSamples {
            pictures: self,
            folder: 0,
            class: String::new(),
            files: Vec::new().into_iter(),
            channels: Vec::new(),
            done: 0,
        }))
    }

    fn place(&self, position: u64, cell: Cell) -> String {
        let mut before = 0;
        for (folder, files) in &self.folders {
            if position < before + files {
                let paths = png_files(folder).unwrap_or_default();
                let path = paths.get((position - before) as usize).unwrap_or(folder);
                return match cell {
                    Cell::Element(at) => format!("{}: element {at}", path.display()),
                    Cell::Class | Cell::Value(_) => folder.display().to_string(),
                };
            }
            before += files;
        }
        self.root.display().to_string()
    }
}

/// A pass over all pictures.
struct PictureSamples<'a> {
    pictures: &'a Pictures,
    /// How many folders have been started.
    folder: usize,
    /// The class of the last of them.
    class: String,
    /// The remaining files of that folder.
    files: std::vec::IntoIter<PathBuf>,
    /// A buffer for decoded pixels.
    channels: Vec<u8>,
    done: u64,
}

impl Samples for PictureSamples<'_> {
    fn next(&mut self, sample: &mut Sample) -> Result<bool> {
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
        sample.class.clone_from(&self.class);
        let Pictures { style, first, .. } = self.pictures;
        style.read(&path, first, &mut self.channels, &mut sample.elements)?;
        self.done += 1;
        Ok(true)
    }

    fn position(&self) -> u64 {
        self.done.saturating_sub(1)
    }

    fn progress(&self) -> (u64, u64) {
        let files = self.pictures.folders.iter().map(|(_, files)| files);
        (self.done, files.sum())
    }
}
