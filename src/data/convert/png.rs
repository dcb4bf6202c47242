//! PNG: a folder with a sub-folder of pictures for each class, or of pictures without labels.
//!
//! `FOLDER/cat/1.png` is of class cat. With two sub-folders `train` and `test`, the classes are below those. Pictures have
//! one size, that of the first; a file that is no PNG is refused, not passed over, but for hidden ones. Samples of 1, 2, 4
//! and 8 bits are elements from 0 to 255, of 16 bits from 0 to 65535 unless bytes are asked for; palettes are looked up,
//! transparency is laid over white or black, and colours become grey as everywhere (ITU-R BT.601), or three elements a
//! pixel.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use png::{BitDepth, ColorType, Decoder, Limits, Reader, Transformations};

use super::source::{Answer, Cell, Item, MAX_FEATURES, Rows, Source, Sources, reopen};
use super::{Labels, Request};
use crate::data::idx::ElementType;
use crate::error::{Error, Refusal, Result};

/// What becomes of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// One element a pixel: 0.299 red + 0.587 green + 0.114 blue.
    Grey,
    /// Three elements a pixel.
    Rgb,
}

impl Color {
    /// Every way.
    pub const ALL: [Color; 2] = [Color::Grey, Color::Rgb];

    /// The name used by flags and messages.
    pub fn name(self) -> &'static str {
        match self {
            Color::Grey => "grey",
            Color::Rgb => "rgb",
        }
    }
}

/// What transparent pixels are laid over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Background {
    /// As on paper.
    #[default]
    White,
    /// As MNIST's digits are on.
    Black,
}

impl Background {
    /// Every background.
    pub const ALL: [Background; 2] = [Background::White, Background::Black];

    /// The name used by flags and messages.
    pub fn name(self) -> &'static str {
        match self {
            Background::White => "white",
            Background::Black => "black",
        }
    }
}

/// Files that systems leave in folders of pictures.
const LITTER: [&str; 3] = ["thumbs.db", "desktop.ini", "__macosx"];

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

/// What all pictures are brought to.
#[derive(Debug, Clone, Copy)]
struct Style {
    height: u32,
    width: u32,
    color: Color,
    /// Whether colour in a later picture is refused: it was not asked for, and the first one has none.
    strictly_grey: bool,
    background: Background,
    depth: Depth,
}

/// How far elements go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// To 255; pictures of 16 bits are refused.
    Eight,
    /// To 255; pictures of 16 bits are rounded.
    RoundedToEight,
    /// To 65535; pictures of 8 bits are refused.
    Sixteen,
}

impl Pictures {
    /// Opens a folder of classes, or one with a half in each of two sub-folders.
    pub fn open(request: &Request) -> Result<Sources> {
        let (train, test) = match halves(&request.source)? {
            Some((train, test)) if request.test.is_none() && request.labels != Labels::Nothing => {
                if request.test_part.is_some() {
                    let found = format!("given, and {} is there", test.display());
                    return Err(Error::Config(Refusal::new(
                        "--test-part",
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

/// The folders of the two halves, where there are those and no others.
fn halves(root: &Path) -> Result<Option<(PathBuf, PathBuf)>> {
    let folders = sub_folders(root)?;
    let find = |names: [&str; 2]| {
        let named = |folder: &&PathBuf| names.contains(&name_of(folder).to_lowercase().as_str());
        folders.iter().find(named).cloned()
    };
    let (train, test) = (find(["train", "training"]), find(["test", "testing"]));
    Ok(train.zip(test).filter(|_| folders.len() == 2))
}

/// The sub-folders of `root`, one a class: numbers by value, then names as text.
fn class_folders(root: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = sub_folders(root)?;
    let stray = visible(root)?.into_iter().find(|path| is_png(path));
    if let (Some(stray), false) = (&stray, folders.is_empty()) {
        let refusal = Refusal::new(
            stray.display(),
            "a picture beside the classes",
            "one in a sub-folder",
        );
        return Err(Error::Data(refusal));
    }
    if folders.is_empty() {
        let refusal = Refusal::new(root.display(), "no sub-folder", "one for each class");
        let hint = "--labels none takes the pictures of the folder without labels";
        return Err(Error::Data(if stray.is_some() {
            refusal.hint(hint)
        } else {
            refusal
        }));
    }
    folders.sort_by_cached_key(|folder| {
        let name = name_of(folder);
        (name.parse::<u64>().unwrap_or(u64::MAX), name)
    });
    Ok(folders)
}

fn sub_folders(root: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = visible(root)?;
    folders.retain(|path| path.is_dir());
    Ok(folders)
}

/// The pictures in a folder, by their names.
fn png_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let files = visible(folder)?;
    match files.iter().find(|path| !is_png(path) || path.is_dir()) {
        None => Ok(files),
        Some(other) => {
            let found = if other.is_dir() {
                "a folder"
            } else {
                "another file"
            };
            let refusal = Refusal::new(other.display(), found, "PNG files alone");
            let hint =
                "turn pictures of other formats into PNG first, and take everything else away";
            Err(Error::Data(refusal.hint(hint)))
        }
    }
}

/// What is in a folder, in the order of names, without what is hidden and what systems leave there.
fn visible(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || Error::io(folder, "read the folder");
    let entries = fs::read_dir(folder).map_err(unreadable())?;
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable())?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if !name.starts_with('.') && !LITTER.contains(&name.as_str()) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn is_png(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("png"))
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

impl Source for Pictures {
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

/// A picture whose header is read.
struct Picture {
    reader: Reader<BufReader<File>>,
    height: u32,
    width: u32,
    color: Color,
    sixteen: bool,
}

impl Picture {
    fn open(path: &Path) -> Result<Picture> {
        let mut decoder = Decoder::new(BufReader::new(reopen(path)?));
        // For what is beside the pixels; the pixels have a buffer of their own.
        decoder.set_limits(Limits { bytes: 1 << 24 });
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        // Palettes to colours, fewer bits to eight, and a transparent colour to an alpha channel.
        decoder.set_transformations(Transformations::EXPAND);
        let reader = decoder.read_info().map_err(|error| damaged(path, error))?;
        let info = reader.info();
        let (width, height) = info.size();
        let pixels = u64::from(width) * u64::from(height);
        if 4 * pixels > MAX_FEATURES as u64 {
            let found = format!("{width}×{height} pixels");
            let expected = format!("at most {} pixels", MAX_FEATURES / 4);
            return Err(Error::Data(Refusal::new(path.display(), found, expected)));
        }
        let grey_palette = || {
            let palette = info.palette.as_deref().unwrap_or_default();
            palette
                .as_chunks::<3>()
                .0
                .iter()
                .all(|[r, g, b]| r == g && g == b)
        };
        let grey = match info.color_type {
            ColorType::Grayscale | ColorType::GrayscaleAlpha => true,
            ColorType::Indexed => grey_palette(),
            ColorType::Rgb | ColorType::Rgba => false,
        };
        Ok(Picture {
            height,
            width,
            color: if grey { Color::Grey } else { Color::Rgb },
            sixteen: info.bit_depth == BitDepth::Sixteen,
            reader,
        })
    }

    /// All samples as they are after [`Transformations::EXPAND`], and what they are.
    fn samples(mut self, path: &Path, samples: &mut Vec<u8>) -> Result<ColorType> {
        let damaged = |error| damaged(path, error);
        let (color, _) = self.reader.output_color_type();
        let bytes = self.reader.output_buffer_size();
        samples.clear();
        samples.resize(bytes.unwrap_or(0), 0);
        let frame = self.reader.next_frame(samples).map_err(damaged)?;
        // The first frame of an animation that is not the picture itself would leave some of it blank.
        if (frame.width, frame.height) != (self.width, self.height) {
            let found = format!("a frame of {}×{} pixels", frame.width, frame.height);
            let expected = format!("{}×{}, as the picture", self.width, self.height);
            return Err(Error::Data(Refusal::new(path.display(), found, expected)));
        }
        Ok(color)
    }
}

fn damaged(path: &Path, error: png::DecodingError) -> Error {
    let refusal = Refusal::new(path.display(), error.to_string(), "a whole PNG file");
    Error::Data(refusal.hint("fetch or copy the file again"))
}

impl Style {
    /// That of the picture at `path`, and of what was asked for.
    fn of(path: &Path, request: &Request) -> Result<Style> {
        let picture = Picture::open(path)?;
        let options = request.pictures;
        Ok(Style {
            height: picture.height,
            width: picture.width,
            color: options.color.unwrap_or(picture.color),
            strictly_grey: options.color.is_none() && picture.color == Color::Grey,
            background: options.background.unwrap_or_default(),
            depth: match (request.element, picture.sixteen) {
                (Some(ElementType::U8), _) => Depth::RoundedToEight,
                (_, true) => Depth::Sixteen,
                (_, false) => Depth::Eight,
            },
        })
    }

    /// Reads the picture at `path`, which must be like `first`, into `elements`.
    fn read(
        &self,
        path: &Path,
        first: &Path,
        samples: &mut Vec<u8>,
        elements: &mut Vec<f64>,
    ) -> Result<()> {
        let picture = Picture::open(path)?;
        let refuse = |found: String, expected: String, hint: &str| {
            let expected = format!("{expected}, as {}", first.display());
            let refusal = Refusal::new(path.display(), found, expected);
            Err(Error::Data(if hint.is_empty() {
                refusal
            } else {
                refusal.hint(hint)
            }))
        };
        let size = |width: u32, height: u32| format!("{width}×{height} pixels");
        if (picture.width, picture.height) != (self.width, self.height) {
            let found = size(picture.width, picture.height);
            return refuse(found, size(self.width, self.height), "");
        }
        if self.strictly_grey && picture.color == Color::Rgb {
            let hint = "--color grey makes it so, --color rgb keeps colours";
            return refuse("colours".to_owned(), "grey".to_owned(), hint);
        }
        let bits = |sixteen: bool| {
            if sixteen {
                "16 bits a sample"
            } else {
                "at most 8 bits a sample"
            }
        };
        let other_depth = match self.depth {
            Depth::Eight => picture.sixteen,
            Depth::Sixteen => !picture.sixteen,
            Depth::RoundedToEight => false,
        };
        if other_depth {
            let (found, expected) = (bits(picture.sixteen), bits(!picture.sixteen));
            return refuse(
                found.to_owned(),
                expected.to_owned(),
                "--type u8 rounds all to 8 bits",
            );
        }
        let sixteen = picture.sixteen;
        let color = picture.samples(path, samples)?;
        elements.clear();
        self.elements(color, sixteen, samples, elements);
        Ok(())
    }

    /// Pixels to elements: colours, then transparency, then grey, then rounding.
    fn elements(&self, color: ColorType, sixteen: bool, samples: &[u8], elements: &mut Vec<f64>) {
        let top: u64 = if sixteen { 65535 } else { 255 };
        let sample = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |high, &low| high << 8 | u64::from(low))
        };
        let background = match self.background {
            Background::White => top,
            Background::Black => 0,
        };
        let width = if sixteen { 2 } else { 1 };
        for pixel in samples.chunks_exact(width * color.samples()) {
            let at = |channel: usize| sample(&pixel[channel * width..][..width]);
            let (rgb, alpha) = match color {
                ColorType::Grayscale | ColorType::Indexed => ([at(0); 3], top),
                ColorType::GrayscaleAlpha => ([at(0); 3], at(1)),
                ColorType::Rgb => ([at(0), at(1), at(2)], top),
                ColorType::Rgba => ([at(0), at(1), at(2)], at(3)),
            };
            let over = |sample: u64| (sample * alpha + background * (top - alpha) + top / 2) / top;
            let [r, g, b] = rgb.map(over);
            let mut push = |value: u64| {
                let rounded = sixteen && self.depth == Depth::RoundedToEight;
                elements.push(if rounded { (value + 128) / 257 } else { value } as f64);
            };
            match self.color {
                Color::Rgb => [r, g, b].map(&mut push).into_iter().for_each(drop),
                // 0.299, 0.587 and 0.114 in 65536ths, as others round them.
                Color::Grey => push((19595 * r + 38470 * g + 7471 * b + 32768) >> 16),
            }
        }
    }
}
