//! One picture, and what its pixels become.
//!
//! Samples of 1, 2, 4 and 8 bits are elements from 0 to 255, of 16 bits from 0 to 65535 unless bytes are asked for; palettes
//! are looked up, transparency is laid over white or black, and colours become grey as everywhere (ITU-R BT.601), or three
//! elements a pixel.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use png::{BitDepth, ColorType, Decoder, Limits, Reader, Transformations};

use crate::data::idx::ElementType;
use crate::datasets::convert::Request;
use crate::datasets::convert::source::{MAX_FEATURES, reopen};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};

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

/// What all pictures are brought to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub height: u32,
    pub width: u32,
    pub color: Color,
    /// Whether colour in a later picture is refused: it was not asked for, and the first one has none.
    strictly_grey: bool,
    pub background: Background,
    pub depth: Depth,
}

/// How far elements go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// To 255; pictures of 16 bits are refused.
    Eight,
    /// To 255; pictures of 16 bits are rounded.
    RoundedToEight,
    /// To 65535; pictures of 8 bits are refused.
    Sixteen,
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
    pub fn of(path: &Path, request: &Request) -> Result<Style> {
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
    pub fn read(
        &self,
        path: &Path,
        first: &Path,
        samples: &mut Vec<u8>,
        elements: &mut Vec<f64>,
    ) -> Result<()> {
        let picture = Picture::open(path)?;
        let refuse = |found: String, expected: String, hint: Option<Message>| {
            let expected = format!("{expected}, as {}", first.display());
            let refusal = Refusal::new(path.display(), found, expected);
            Err(Error::Data(match hint {
                None => refusal,
                Some(hint) => refusal.hint(hint),
            }))
        };
        let size = |width: u32, height: u32| format!("{width}×{height} pixels");
        if (picture.width, picture.height) != (self.width, self.height) {
            let found = size(picture.width, picture.height);
            return refuse(found, size(self.width, self.height), None);
        }
        if self.strictly_grey && picture.color == Color::Rgb {
            let hint = message![
                Key("color").set_to("grey"),
                " makes it so, ",
                Key("color").set_to("rgb"),
                " keeps colours"
            ];
            return refuse("colours".to_owned(), "grey".to_owned(), Some(hint));
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
                Some(message![Key("type").set_to("u8"), " rounds all to 8 bits"]),
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
