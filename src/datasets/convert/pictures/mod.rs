//! Pictures: a folder with a sub-folder of them for each class, or pictures without labels.
//!
//! `FOLDER/cat/1.png` belongs to class cat. If the folder has a sub-folder `train` and one for `validation` or `test`, the
//! classes are below those. `folders` finds the files, `decode` reads their pixels, for which `webp` checks chunks, and
//! `style` converts them. All pictures must be like the first one, or are resized.

mod decode;
mod folders;
mod style;
mod webp;

pub(super) use self::folders::is_picture as is_picture_name;

use std::borrow::Cow;
use std::cell::Cell as Shared;
use std::path::{Path, PathBuf};

use self::folders::{Halves, class_folders, format_of_name, halves, name_of, picture_files};
use self::style::{Changes, Depth, Style};
use super::request::{Color, Labels, Request};
use super::source::{Cell, LabelKind, Sample, Samples, Source, Sources};
use crate::data::{Note, PictureFormat};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// Pictures of one set.
pub(super) struct Pictures {
    root: PathBuf,
    /// The classes in their order.
    groups: Vec<Group>,
    label_kind: LabelKind,
    /// The formats by the names of the files.
    formats: Vec<PictureFormat>,
    style: Style,
    /// The picture that all others must be like.
    first: PathBuf,
    /// `[height, width]`, or `[height, width, 3]` with colours.
    sample_shape: Vec<usize>,
    /// What the last pass did to the pictures.
    changes: Shared<Changes>,
}

/// Pictures of one class.
enum Group {
    /// A folder with so many files. They are listed anew in each pass, as there may be millions.
    Folder(PathBuf, u64),
    /// Files that were named one by one.
    Files(Vec<PathBuf>),
}

impl Group {
    fn len(&self) -> u64 {
        match self {
            Group::Folder(_, files) => *files,
            Group::Files(files) => files.len() as u64,
        }
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        match self {
            Group::Folder(folder, _) => picture_files(folder),
            Group::Files(files) => Ok(files.clone()),
        }
    }

    /// Returns the name of the class.
    fn name(&self) -> String {
        match self {
            Group::Folder(folder, _) => name_of(folder),
            Group::Files(_) => String::new(),
        }
    }
}

impl Pictures {
    /// Opens a folder of classes, or one with a folder of classes for each set.
    pub fn open(request: &Request) -> Result<Sources> {
        let may_have_halves = request.test.is_none()
            && request.validation.is_none()
            && request.labels != Labels::Absent
            && request.source.is_dir();
        let found = match may_have_halves {
            true => halves(&request.source)?,
            false => None,
        };
        let Halves {
            train,
            validation,
            test,
        } = found.unwrap_or_else(|| Halves {
            train: request.source.clone(),
            validation: request.validation.clone(),
            test: request.test.clone(),
        });
        if let (Some(test), true) = (&test, request.test_split.is_some()) {
            let found = format!("given, although {} exists", test.display());
            let refusal = Refusal::new(Key("test_split"), found, "one of the two");
            return Err(Error::Config(refusal));
        }
        let train = Pictures::new(&train, request, None)?;
        let like_train = |path: Option<PathBuf>| {
            let set = path.map(|path| Pictures::new(&path, request, Some(&train)));
            set.transpose()
        };
        let (validation, test) = (like_train(validation)?, like_train(test)?);
        Ok(Sources::new(train, test).with_validation(validation))
    }

    /// Returns `request` with the colours that make pictures of so many elements, unless it names them.
    pub fn for_inputs(request: &Request, inputs: usize) -> Result<(Cow<'_, Request>, Vec<Note>)> {
        let first = match request.source.is_dir() {
            true => picture_files(&request.source)?.into_iter().next(),
            false => Some(request.source.clone()),
        };
        let Some(first) = first else {
            let refusal = Refusal::new(request.source.display(), "no picture", "pictures");
            return Err(Error::Data(refusal));
        };
        let (height, width) = style::size_of(&first, request)?;
        let pixels = height as usize * width as usize;
        let color = match inputs {
            _ if inputs == pixels => Color::Grey,
            _ if inputs == 3 * pixels => Color::Rgb,
            _ => return Err(other_size(&first, (height, width), inputs)),
        };
        let mut colored = request.clone();
        colored.pictures.color.get_or_insert(color);
        Ok((Cow::Owned(colored), Vec::new()))
    }

    /// Finds the pictures below `root`. Those of other sets must be like the training pictures in `train`.
    fn new(root: &Path, request: &Request, train: Option<&Pictures>) -> Result<Pictures> {
        let no_pictures =
            |folder: &Path| Error::Data(Refusal::new(folder.display(), "no picture", "pictures"));
        let is_file = !root.is_dir();
        let label_kind = match request.labels {
            Labels::Absent => LabelKind::Absent,
            _ => LabelKind::Class,
        };
        let mut formats = Vec::new();
        let (mut groups, mut first) = (Vec::new(), None);
        let folders = match label_kind {
            _ if is_file => {
                check_unlabelled(root, &label_kind)?;
                let files = std::iter::once(root).chain(request.others.iter().map(|path| &**path));
                groups.push(Group::Files(files.map(Path::to_owned).collect()));
                first = Some(root.to_owned());
                Vec::new()
            }
            LabelKind::Absent => vec![root.to_owned()],
            _ => class_folders(root)?,
        };
        for folder in folders {
            let files = picture_files(&folder)?;
            if files.is_empty() && train.is_none() {
                return Err(no_pictures(&folder));
            }
            formats.extend(files.iter().filter_map(|path| format_of_name(path)));
            formats.sort();
            formats.dedup();
            first = first.or_else(|| files.first().cloned());
            groups.push(Group::Folder(folder, files.len() as u64));
        }
        let first = first.ok_or_else(|| no_pictures(root))?;
        let (style, first) = match train {
            Some(train) => (train.style, train.first.clone()),
            None => (Style::of(&first, request)?, first),
        };
        Ok(Pictures {
            root: root.to_owned(),
            groups,
            label_kind,
            formats,
            style,
            first,
            sample_shape: style.shape(),
            changes: Shared::default(),
        })
    }

    /// Returns the place of the picture at this position, and the folder that names its class.
    fn path_at(&self, position: u64) -> Option<(PathBuf, Option<&Path>)> {
        let mut before = 0;
        for group in &self.groups {
            if position < before + group.len() {
                let files = group.files().unwrap_or_default();
                let folder = match group {
                    Group::Folder(folder, _) => Some(&**folder),
                    Group::Files(_) => None,
                };
                let file = files.into_iter().nth((position - before) as usize);
                return Some((file.or_else(|| folder.map(Path::to_owned))?, folder));
            }
            before += group.len();
        }
        None
    }
}

/// Returns the error for a picture that has another number of pixels than the model has inputs.
fn other_size(path: &Path, (height, width): (u32, u32), inputs: usize) -> Error {
    let expected = format!("a picture of {inputs} elements, the inputs of the model");
    let found = format!("{width}×{height} pixels");
    let refusal = Refusal::new(path.display(), found, expected);
    let side = |pixels: usize| Some(pixels.isqrt()).filter(|side| side * side == pixels);
    let of_colors = || side(inputs / 3).filter(|_| inputs.is_multiple_of(3));
    Error::Data(match side(inputs).or_else(of_colors) {
        Some(side) => refusal.hint(message![
            "if the model takes squares, ",
            Key("resize").set_to(format!("{side}x{side}"))
        ]),
        None => refusal.hint(message![
            Key("resize"),
            " brings pictures to the height and width that the model takes"
        ]),
    })
}

/// Refuses pictures that are named one by one, unless they need no class.
fn check_unlabelled(path: &Path, label_kind: &LabelKind) -> Result<()> {
    if *label_kind == LabelKind::Absent {
        return Ok(());
    }
    let expected = "a folder with a sub-folder of pictures for each class";
    let refusal = Refusal::new(path.display(), "a single picture", expected);
    let hint = message![
        Key("labels").set_to("none"),
        " converts pictures without labels"
    ];
    Err(Error::Data(refusal.hint(hint)))
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
            _ => format!("a sub-folder for each of {} classes", self.groups.len()),
        };
        let formats = match self.formats.is_empty() {
            true => "pictures".to_owned(),
            false => {
                let names = self.formats.iter().map(|format| format.name());
                names.collect::<Vec<_>>().join(" and ")
            }
        };
        format!(
            "{}: {formats}, {color}, {depth}, {} background, {labels}",
            self.root.display(),
            background.name()
        )
    }

    fn shares_classes(&self) -> bool {
        true
    }

    fn notes(&self) -> Vec<Note> {
        let texts = self.style.about(&self.changes.get());
        texts
            .into_iter()
            .map(|text| Note::new(self.root.display(), text))
            .collect()
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
        self.changes.set(Changes::default());
        Ok(Box::new(PictureSamples {
            pictures: self,
            group: 0,
            class: String::new(),
            files: Vec::new().into_iter(),
        }))
    }

    fn place(&self, position: u64, cell: Cell) -> String {
        let (path, folder) = match self.path_at(position) {
            Some((path, folder)) => (path, folder.unwrap_or(&self.root)),
            None => (self.root.clone(), &*self.root),
        };
        match cell {
            Cell::Sample => path.display().to_string(),
            Cell::Element(at) => format!("{}: element {at}", path.display()),
            Cell::Class | Cell::Value(_) => folder.display().to_string(),
        }
    }
}

/// A pass over all pictures.
struct PictureSamples<'a> {
    pictures: &'a Pictures,
    /// How many groups have been started.
    group: usize,
    /// The class of the last of them.
    class: String,
    /// The remaining files of that group.
    files: std::vec::IntoIter<PathBuf>,
}

impl Samples for PictureSamples<'_> {
    fn next(&mut self, sample: &mut Sample) -> Result<bool> {
        let path = loop {
            if let Some(path) = self.files.next() {
                break path;
            }
            let Some(group) = self.pictures.groups.get(self.group) else {
                return Ok(false);
            };
            self.group += 1;
            self.files = group.files()?.into_iter();
            self.class = group.name();
        };
        sample.class.clone_from(&self.class);
        let Pictures { style, first, .. } = self.pictures;
        let mut changes = self.pictures.changes.get();
        style.read(&path, first, &mut sample.elements, &mut changes)?;
        self.pictures.changes.set(changes);
        Ok(true)
    }

    fn position(&self) -> u64 {
        self.pictures.changes.get().pictures.saturating_sub(1)
    }

    fn progress(&self) -> (u64, u64) {
        let all = self.pictures.groups.iter().map(Group::len);
        (self.pictures.changes.get().pictures, all.sum())
    }
}
