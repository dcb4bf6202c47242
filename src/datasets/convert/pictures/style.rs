//! How the pixels of a picture become elements.
//!
//! Channels of 1, 2, 4 and 8 bits become elements from 0 to 255, channels of 16 bits elements from 0 to 65535 unless bytes
//! are requested. Palettes are looked up, transparent pixels are blended with white or black, colours become grey by the
//! usual weights (ITU-R BT.601), or three elements per pixel, and then the picture is brought to the requested size.

use std::path::Path;

use image::{ColorType, DynamicImage, Pixel, Primitive, Rgb};

use super::decode::{Picture, zeros};
use crate::data::idx::ElementType;
use crate::datasets::convert::request::{Background, Color, Request};
use crate::datasets::convert::resize::{Fitted, Resize};
use crate::datasets::convert::source::MAX_FEATURES;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};

/// The most pixels of a picture that is resized.
const MAX_PIXELS: u64 = 1 << 26;

/// The form that all pictures are converted to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub height: u32,
    pub width: u32,
    pub resize: Option<Resize>,
    pub color: Color,
    /// Whether colours in later pictures are refused, because they were not requested and the first picture has none.
    strictly_grey: bool,
    pub background: Background,
    pub invert: bool,
    pub depth: Depth,
    /// Whether an option chooses the range of elements.
    may_choose_depth: bool,
}

/// The range of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Up to 255. Pictures of 16 bits are refused.
    Eight,
    /// Up to 255. Pictures of 16 bits are rounded.
    RoundedToEight,
    /// Up to 65535. Pictures of 8 bits are refused.
    Sixteen,
}

/// What was done to pictures.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Changes {
    pub pictures: u64,
    /// How many had another size.
    pub resized: u64,
    /// How many of them had another ratio of height to width.
    pub other_ratio: u64,
    /// How many were turned as their files say.
    pub turned: u64,
    /// How many colour pictures became grey.
    pub greyed: u64,
}

impl Style {
    /// Returns the requested style; what is not requested is as in the picture at `path`.
    pub fn of(path: &Path, request: &Request) -> Result<Style> {
        let resize = request.resize;
        let picture = Picture::open(path, max_pixels(resize))?;
        let (width, height) = match resize {
            Some(resize) => (resize.width, resize.height),
            None => picture.size(),
        };
        let depth = match (request.element, picture.is_sixteen_bit()) {
            (Some(ElementType::U8), _) => Depth::RoundedToEight,
            (_, true) => Depth::Sixteen,
            (_, false) => Depth::Eight,
        };
        let options = request.pictures;
        let own = match options.color {
            Some(color) => color,
            None => picture.decode(path)?.1,
        };
        Ok(Style {
            height,
            width,
            resize,
            color: own,
            strictly_grey: options.color.is_none() && own == Color::Grey,
            background: options.background.unwrap_or_default(),
            invert: options.invert,
            depth,
            may_choose_depth: !request.is_for_model(),
        })
    }

    /// Reads the picture at `path`, which must be like `first`, into `elements`.
    pub fn read(
        &self,
        path: &Path,
        first: &Path,
        elements: &mut Vec<f64>,
        changes: &mut Changes,
    ) -> Result<()> {
        let picture = Picture::open(path, max_pixels(self.resize))?;
        self.check(&picture, path, first)?;
        let (size, is_sixteen_bit) = (picture.size(), picture.is_sixteen_bit());
        changes.pictures += 1;
        changes.turned += u64::from(picture.is_turned());
        let (image, color) = picture.decode(path)?;
        if self.strictly_grey && color == Color::Rgb {
            let hint = message![
                Key("color").set_to("grey"),
                " converts colours to grey, ",
                Key("color").set_to("rgb"),
                " keeps them"
            ];
            return Err(unlike(path, first, ("colours", "grey"), Some(hint)));
        }
        changes.greyed += u64::from(color == Color::Rgb && self.color == Color::Grey);
        elements.clear();
        let fitted = match image {
            DynamicImage::ImageLuma16(_)
            | DynamicImage::ImageLumaA16(_)
            | DynamicImage::ImageRgb16(_)
            | DynamicImage::ImageRgba16(_) => {
                let levels = self.flattened(image.color(), words(&image), 65535)?;
                drop(image);
                self.fit(levels, size, 65535, elements)
            }
            _ => {
                let levels = self.flattened(image.color(), image.as_bytes(), 255)?;
                drop(image);
                self.fit(levels, size, 255, elements)
            }
        };
        changes.resized += u64::from(fitted.is_resized);
        changes.other_ratio += u64::from(fitted.has_other_ratio);
        self.finish(is_sixteen_bit, elements);
        Ok(())
    }

    /// Checks that a picture is like the first one.
    fn check(&self, picture: &Picture, path: &Path, first: &Path) -> Result<()> {
        let size = |(width, height): (u32, u32)| format!("{width}×{height} pixels");
        let expected = (self.width, self.height);
        if self.resize.is_none() && picture.size() != expected {
            let hint = message![
                Key("resize").set_to(format!("{}x{}", self.height, self.width)),
                " brings all pictures to one size, height x width"
            ];
            let facts = (&*size(picture.size()), &*size(expected));
            return Err(unlike(path, first, facts, Some(hint)));
        }
        let is_other_depth = match self.depth {
            Depth::Eight => picture.is_sixteen_bit(),
            Depth::Sixteen => !picture.is_sixteen_bit(),
            Depth::RoundedToEight => false,
        };
        if is_other_depth {
            let bits = |is_sixteen_bit| match is_sixteen_bit {
                true => "16 bits per channel",
                false => "at most 8 bits per channel",
            };
            let facts = (
                bits(picture.is_sixteen_bit()),
                bits(!picture.is_sixteen_bit()),
            );
            let hint = match self.may_choose_depth {
                true => message![Key("type").set_to("u8"), " rounds all to 8 bits"],
                false => "save all pictures with the same number of bits".into(),
            };
            return Err(unlike(path, first, facts, Some(hint)));
        }
        Ok(())
    }

    /// Blends transparent pixels with the background, and converts colours to those of the style. Levels are at most `max`.
    fn flattened<T: Copy + Default + Into<u64> + TryFrom<u64>>(
        &self,
        color: ColorType,
        levels: &[T],
        max: u64,
    ) -> Result<Vec<T>> {
        let background = match self.background {
            Background::White => max,
            Background::Black => 0,
        };
        let channels = usize::from(color.channel_count());
        let mut out = zeros(levels.len() / channels * self.channels())?;
        let pixels = levels.chunks_exact(channels);
        for (pixel, out) in pixels.zip(out.chunks_exact_mut(self.channels())) {
            let at = |channel: usize| -> u64 { pixel[channel].into() };
            let (rgb, alpha) = match channels {
                1 => ([at(0); 3], max),
                2 => ([at(0); 3], at(1)),
                3 => ([at(0), at(1), at(2)], max),
                _ => ([at(0), at(1), at(2)], at(3)),
            };
            let rgb = rgb.map(|level| (level * alpha + background * (max - alpha) + max / 2) / max);
            let [r, g, b] = rgb;
            let of = |level: u64| T::try_from(level).unwrap_or_default();
            match self.color {
                Color::Rgb => out.copy_from_slice(&rgb.map(of)),
                // 0.299, 0.587 and 0.114 in 65536ths, rounded as by other programs.
                Color::Grey => out[0] = of((19595 * r + 38470 * g + 7471 * b + 32768) >> 16),
            }
        }
        Ok(out)
    }

    /// Appends levels as elements, in the requested size.
    fn fit<T: Primitive + Into<f64> + 'static>(
        &self,
        levels: Vec<T>,
        size: (u32, u32),
        max: u16,
        elements: &mut Vec<f64>,
    ) -> Fitted
    where
        Rgb<T>: Pixel<Subpixel = T>,
    {
        let (levels, fitted) = match self.resize {
            None => (levels, Fitted::default()),
            Some(resize) => {
                let background = match self.background {
                    Background::White => T::from(max).unwrap_or(T::DEFAULT_MAX_VALUE),
                    Background::Black => T::DEFAULT_MIN_VALUE,
                };
                resize.apply(levels, size, self.channels(), background)
            }
        };
        elements.extend(levels.into_iter().map(Into::into));
        fitted
    }

    /// Rounds elements to bytes, and inverts them, if that is requested.
    fn finish(&self, is_sixteen_bit: bool, elements: &mut [f64]) {
        let is_rounded = is_sixteen_bit && self.depth == Depth::RoundedToEight;
        let max = if self.depth == Depth::Sixteen {
            65535.0
        } else {
            255.0
        };
        for element in elements {
            if is_rounded {
                *element = ((*element + 128.0) / 257.0).floor();
            }
            if self.invert {
                *element = max - *element;
            }
        }
    }

    /// Returns the shape of a sample.
    pub fn shape(&self) -> Vec<usize> {
        let (height, width) = (self.height as usize, self.width as usize);
        match self.color {
            Color::Grey => vec![height, width],
            Color::Rgb => vec![height, width, 3],
        }
    }

    /// Describes what was done to pictures.
    pub fn about(&self, changes: &Changes) -> Vec<Message> {
        let counted = |count: u64| {
            let all = changes.pictures;
            match all {
                1 => "the picture".to_owned(),
                _ if count == all => format!("all {all} pictures"),
                _ => format!("{count} of {all} pictures"),
            }
        };
        let mut texts = Vec::new();
        if let (Some(resize), true) = (self.resize, changes.resized > 0) {
            let pictures = counted(changes.resized);
            let (height, width) = (resize.height, resize.width);
            let mut text = message![format!("resized {pictures} to {height}×{width}")];
            if changes.other_ratio > 0 {
                let way = Key("fit").set_to(resize.fit.name());
                let count = changes.other_ratio;
                text = message![text, format!(", {count} of another ratio by "), way];
            }
            texts.push(text);
        }
        let done = [
            (changes.turned, "turned", " as their files say"),
            (changes.greyed, "converted", " to grey"),
            (changes.pictures * u64::from(self.invert), "inverted", ""),
        ];
        let done = done.into_iter().filter(|(count, ..)| *count > 0);
        texts.extend(
            done.map(|(count, verb, how)| Message::from(format!("{verb} {}{how}", counted(count)))),
        );
        texts
    }

    /// Returns the number of elements of a pixel.
    fn channels(&self) -> usize {
        match self.color {
            Color::Grey => 1,
            Color::Rgb => 3,
        }
    }
}

/// Returns the height and the width of samples made of the picture at `path`.
pub(super) fn size_of(path: &Path, request: &Request) -> Result<(u32, u32)> {
    if let Some(resize) = request.resize {
        return Ok((resize.height, resize.width));
    }
    let (width, height) = Picture::open(path, max_pixels(None))?.size();
    Ok((height, width))
}

fn max_pixels(resize: Option<Resize>) -> u64 {
    match resize {
        Some(_) => MAX_PIXELS,
        None => MAX_FEATURES as u64 / 4,
    }
}

/// Returns the error for a picture that is not like the first one.
fn unlike(path: &Path, first: &Path, facts: (&str, &str), hint: Option<Message>) -> Error {
    let (found, expected) = facts;
    let expected = format!("{expected}, as {}", first.display());
    let refusal = Refusal::new(path.display(), found, expected);
    Error::Data(match hint {
        None => refusal,
        Some(hint) => refusal.hint(hint),
    })
}

/// Returns the levels of a picture of 16 bits.
fn words(image: &DynamicImage) -> &[u16] {
    match image {
        DynamicImage::ImageLuma16(image) => image.as_raw(),
        DynamicImage::ImageLumaA16(image) => image.as_raw(),
        DynamicImage::ImageRgb16(image) => image.as_raw(),
        DynamicImage::ImageRgba16(image) => image.as_raw(),
        _ => &[],
    }
}
