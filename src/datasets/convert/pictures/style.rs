//! One picture, and how its pixels become elements.
//!
//! Channels of 1, 2, 4 and 8 bits become elements from 0 to 255, channels of 16 bits elements from 0 to 65535 unless bytes
//! are requested. Palettes are looked up, transparent pixels are blended with white or black, and colours become grey by
//! the usual weights (ITU-R BT.601), or three elements per pixel.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use png::{BitDepth, ColorType, Decoder, Limits, Reader, Transformations};

use crate::data::idx::ElementType;
use crate::datasets::convert::request::{Background, Color, Request};
use crate::datasets::convert::source::{MAX_FEATURES, reopen};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};

/// The form that all pictures are converted to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub height: u32,
    pub width: u32,
    pub color: Color,
    /// Whether colours in later pictures are refused, because they were not requested and the first picture has none.
    strictly_grey: bool,
    pub background: Background,
    pub depth: Depth,
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

/// A picture whose header has been read.
struct Picture {
    reader: Reader<BufReader<File>>,
    height: u32,
    width: u32,
    color: Color,
    is_sixteen_bit: bool,
}

impl Picture {
    fn open(path: &Path) -> Result<Picture> {
        let mut decoder = Decoder::new(BufReader::new(reopen(path)?));
        // For everything except the pixels, which have a buffer of their own.
        decoder.set_limits(Limits { bytes: 1 << 24 });
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        // Palettes become colours, fewer than 8 bits become 8, and a transparent colour becomes an alpha channel.
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
        let is_grey = match info.color_type {
            ColorType::Grayscale | ColorType::GrayscaleAlpha => true,
            ColorType::Indexed => is_grey_palette(info.palette.as_deref().unwrap_or_default()),
            ColorType::Rgb | ColorType::Rgba => false,
        };
        Ok(Picture {
            height,
            width,
            color: if is_grey { Color::Grey } else { Color::Rgb },
            is_sixteen_bit: info.bit_depth == BitDepth::Sixteen,
            reader,
        })
    }

    /// Decodes all pixels into `channels`, and returns what the channels are.
    fn decode(mut self, path: &Path, channels: &mut Vec<u8>) -> Result<ColorType> {
        let damaged = |error| damaged(path, error);
        let (color, _) = self.reader.output_color_type();
        let bytes = self.reader.output_buffer_size();
        channels.clear();
        channels.resize(bytes.unwrap_or(0), 0);
        let frame = self.reader.next_frame(channels).map_err(damaged)?;
        // The first frame of an animation may cover only a part of the picture.
        if (frame.width, frame.height) != (self.width, self.height) {
            let found = format!("a frame of {}×{} pixels", frame.width, frame.height);
            let expected = format!("{}×{}, as the picture", self.width, self.height);
            return Err(Error::Data(Refusal::new(path.display(), found, expected)));
        }
        Ok(color)
    }
}

fn is_grey_palette(palette: &[u8]) -> bool {
    let (colors, _) = palette.as_chunks::<3>();
    colors.iter().all(|[r, g, b]| r == g && g == b)
}

fn damaged(path: &Path, error: png::DecodingError) -> Error {
    let refusal = Refusal::new(path.display(), error.to_string(), "an intact PNG file");
    Error::Data(refusal.hint("fetch or copy the file again"))
}

impl Style {
    /// Returns the requested style; what is not requested is as in the picture at `path`.
    pub fn of(path: &Path, request: &Request) -> Result<Style> {
        let picture = Picture::open(path)?;
        let options = request.pictures;
        Ok(Style {
            height: picture.height,
            width: picture.width,
            color: options.color.unwrap_or(picture.color),
            strictly_grey: options.color.is_none() && picture.color == Color::Grey,
            background: options.background.unwrap_or_default(),
            depth: match (request.element, picture.is_sixteen_bit) {
                (Some(ElementType::U8), _) => Depth::RoundedToEight,
                (_, true) => Depth::Sixteen,
                (_, false) => Depth::Eight,
            },
        })
    }

    /// Reads the picture at `path`, which must be like `first`, into `elements`. `channels` is a buffer.
    pub fn read(
        &self,
        path: &Path,
        first: &Path,
        channels: &mut Vec<u8>,
        elements: &mut Vec<f64>,
    ) -> Result<()> {
        let picture = Picture::open(path)?;
        self.check(&picture, path, first)?;
        let is_sixteen_bit = picture.is_sixteen_bit;
        let color = picture.decode(path, channels)?;
        elements.clear();
        self.convert(color, is_sixteen_bit, channels, elements);
        Ok(())
    }

    /// Checks that a picture is like the first one.
    fn check(&self, picture: &Picture, path: &Path, first: &Path) -> Result<()> {
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
                " converts colours to grey, ",
                Key("color").set_to("rgb"),
                " keeps them"
            ];
            return refuse("colours".to_owned(), "grey".to_owned(), Some(hint));
        }
        let is_other_depth = match self.depth {
            Depth::Eight => picture.is_sixteen_bit,
            Depth::Sixteen => !picture.is_sixteen_bit,
            Depth::RoundedToEight => false,
        };
        if is_other_depth {
            let bits = |is_sixteen_bit| match is_sixteen_bit {
                true => "16 bits per channel".to_owned(),
                false => "at most 8 bits per channel".to_owned(),
            };
            let (found, expected) = (bits(picture.is_sixteen_bit), bits(!picture.is_sixteen_bit));
            let hint = message![Key("type").set_to("u8"), " rounds all to 8 bits"];
            return refuse(found, expected, Some(hint));
        }
        Ok(())
    }

    /// Converts pixels to elements: blends transparent pixels, converts colours to grey, then rounds.
    fn convert(
        &self,
        color: ColorType,
        is_sixteen_bit: bool,
        channels: &[u8],
        elements: &mut Vec<f64>,
    ) {
        let max: u64 = if is_sixteen_bit { 65535 } else { 255 };
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |high, &low| high << 8 | u64::from(low))
        };
        let background = match self.background {
            Background::White => max,
            Background::Black => 0,
        };
        let is_rounded = is_sixteen_bit && self.depth == Depth::RoundedToEight;
        let width = if is_sixteen_bit { 2 } else { 1 };
        for pixel in channels.chunks_exact(width * color.samples()) {
            let at = |channel: usize| number(&pixel[channel * width..][..width]);
            let (rgb, alpha) = match color {
                ColorType::Grayscale | ColorType::Indexed => ([at(0); 3], max),
                ColorType::GrayscaleAlpha => ([at(0); 3], at(1)),
                ColorType::Rgb => ([at(0), at(1), at(2)], max),
                ColorType::Rgba => ([at(0), at(1), at(2)], at(3)),
            };
            let [r, g, b] =
                rgb.map(|level| (level * alpha + background * (max - alpha) + max / 2) / max);
            let mut push = |level: u64| {
                elements.push(if is_rounded {
                    (level + 128) / 257
                } else {
                    level
                } as f64);
            };
            match self.color {
                Color::Rgb => [r, g, b].into_iter().for_each(push),
                // 0.299, 0.587 and 0.114 in 65536ths, rounded as by other programs.
                Color::Grey => push((19595 * r + 38470 * g + 7471 * b + 32768) >> 16),
            }
        }
    }
}
