//! The file of a picture: its format, and its pixels as they are meant to be seen.
//!
//! The content decides about the format, not the name. The size in a header is checked before anything is allocated for it;
//! a file that ends early is refused, and so is an animation, of which only one picture could be taken. What a camera
//! recorded about its orientation is applied.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use image::codecs::bmp::BmpDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageBuffer, ImageDecoder, ImageResult, Limits};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::webp;
use crate::data::PictureFormat;
use crate::data::file_kind::{FileKind, START};
use crate::datasets::convert::request::Color;
use crate::datasets::convert::source::reopen;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// The most memory for anything in a file except its pixels, in bytes.
const MAX_OTHERS: u64 = 1 << 24;

type Reader = BufReader<File>;

/// A picture whose header has been read and whose size has been checked.
pub(super) struct Picture {
    decoder: Decoder,
    format: PictureFormat,
    /// Width and height as they are stored.
    size: (u32, u32),
    levels: ColorType,
    orientation: Orientation,
    /// Whether the format stores grey as colours, so that only the pixels show what they are.
    has_only_colors: bool,
}

enum Decoder {
    Image(Box<dyn ImageDecoder>),
    Jpeg(Box<JpegDecoder<Reader>>),
}

/// The header of a picture, as its decoder reports it.
struct Header {
    decoder: Decoder,
    size: (u32, u32),
    levels: ColorType,
    orientation: Orientation,
    is_animation: bool,
}

impl Picture {
    /// Reads the header of the picture at `path`, which may have `max_pixels`.
    pub fn open(path: &Path, max_pixels: u64) -> Result<Picture> {
        let mut file = BufReader::new(reopen(path)?);
        let (format, has_only_colors) = format_of(path, &mut file)?;
        let animation = || {
            Error::Data(Refusal::new(
                path.display(),
                "an animation",
                "a single picture",
            ))
        };
        if format == PictureFormat::WebP {
            let length = file
                .get_ref()
                .metadata()
                .map_err(Error::io(path, "read the size"))?
                .len();
            let is_animation = webp::is_animation(&mut file, length, MAX_OTHERS);
            if is_animation.map_err(|error| damaged(path, format, error))? {
                return Err(animation());
            }
        }
        let header = match format {
            PictureFormat::Jpeg => jpeg_header(file),
            _ => header(format, file).map_err(|error| error.to_string()),
        };
        let header = header.map_err(|error| damaged(path, format, error))?;
        if header.is_animation {
            return Err(animation());
        }
        let (width, height) = header.size;
        if width == 0 || height == 0 || u64::from(width) * u64::from(height) > max_pixels {
            let found = format!("{width}×{height} pixels");
            let expected = format!("at most {max_pixels} pixels");
            let hint = message![
                "make it smaller, or let ",
                Key("resize"),
                " do it for up to 64 million pixels"
            ];
            return Err(Error::Data(
                Refusal::new(path.display(), found, expected).hint(hint),
            ));
        }
        Ok(Picture {
            decoder: header.decoder,
            format,
            size: header.size,
            levels: header.levels,
            orientation: header.orientation,
            has_only_colors,
        })
    }

    /// Returns width and height of the picture as it is meant to be seen.
    pub fn size(&self) -> (u32, u32) {
        use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        let (width, height) = self.size;
        match self.orientation {
            Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH => (height, width),
            _ => (width, height),
        }
    }

    /// Returns whether the picture is stored in another orientation than it is meant to be seen.
    pub fn is_turned(&self) -> bool {
        self.orientation != Orientation::NoTransforms
    }

    /// Returns whether channels have 16 bits.
    pub fn is_sixteen_bit(&self) -> bool {
        use ColorType::{L16, La16, Rgb16, Rgba16};
        matches!(self.levels, L16 | La16 | Rgb16 | Rgba16)
    }

    /// Decodes all pixels as they are meant to be seen, and returns whether they are colours.
    pub fn decode(self, path: &Path) -> Result<(DynamicImage, Color)> {
        let (width, height) = self.size;
        let pixels = width as usize * height as usize;
        let levels = pixels * usize::from(self.levels.channel_count());
        let read = |bytes: &mut [u8]| match self.decoder {
            Decoder::Image(decoder) => decoder
                .read_image_boxed(bytes)
                .map_err(|error| error.to_string()),
            Decoder::Jpeg(mut decoder) => decoder
                .decode_into(bytes)
                .map_err(|error| error.to_string()),
        };
        let damaged = |error: String| damaged(path, self.format, error);
        use ColorType::{L8, L16, La8, La16, Rgb8, Rgb16, Rgba8, Rgba16};
        let image = match self.levels {
            L8 | La8 | Rgb8 | Rgba8 => {
                let mut bytes = zeros::<u8>(levels)?;
                read(&mut bytes).map_err(damaged)?;
                of_bytes(self.levels, self.size, bytes)
            }
            L16 | La16 | Rgb16 | Rgba16 => {
                let mut wide = zeros::<u16>(levels)?;
                read(bytemuck::cast_slice_mut(&mut wide)).map_err(damaged)?;
                of_words(self.levels, self.size, wide)
            }
            _ => None,
        };
        let other = || damaged(format!("levels of type {:?}", self.levels));
        let mut image = image.ok_or_else(other)?;
        image.apply_orientation(self.orientation);
        let is_grey = match self.has_only_colors {
            true => is_grey(&image),
            false => !self.levels.has_color(),
        };
        Ok((image, if is_grey { Color::Grey } else { Color::Rgb }))
    }
}

/// Returns the format of a picture, and whether it stores grey as colours.
fn format_of(path: &Path, file: &mut Reader) -> Result<(PictureFormat, bool)> {
    let mut start = Vec::new();
    let read = file.by_ref().take(START as u64).read_to_end(&mut start);
    read.and_then(|_| file.rewind())
        .map_err(Error::io(path, "read"))?;
    match FileKind::of(&start) {
        FileKind::Picture(format) => {
            let has_only_colors = match format {
                // The type of the colours in the first chunk: by a palette.
                PictureFormat::Png => start.get(25) == Some(&3),
                PictureFormat::Jpeg => false,
                PictureFormat::Bmp | PictureFormat::WebP => true,
            };
            Ok((format, has_only_colors))
        }
        kind => {
            let expected = "a PNG, JPEG, BMP or WebP picture";
            let refusal = Refusal::new(path.display(), kind.name(), expected);
            Err(Error::Data(match (kind, kind.advice()) {
                (FileKind::Foreign(_) | FileKind::Empty, Some(advice)) => refusal.hint(advice),
                _ => refusal,
            }))
        }
    }
}

/// Reads the header of a picture that is not a JPEG.
fn header(format: PictureFormat, file: Reader) -> ImageResult<Header> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_OTHERS);
    let mut is_animation = false;
    let mut decoder: Box<dyn ImageDecoder> = match format {
        PictureFormat::Png => {
            let decoder = PngDecoder::with_limits(file, limits)?;
            is_animation = decoder.is_apng()?;
            Box::new(decoder)
        }
        PictureFormat::WebP => Box::new(WebPDecoder::new(file)?),
        PictureFormat::Bmp | PictureFormat::Jpeg => Box::new(BmpDecoder::new(file)?),
    };
    Ok(Header {
        size: decoder.dimensions(),
        levels: decoder.color_type(),
        orientation: decoder.orientation()?,
        is_animation,
        decoder: Decoder::Image(decoder),
    })
}

/// Reads the header of a JPEG. Its decoder is strict, as it fills what is missing with grey otherwise.
fn jpeg_header(file: Reader) -> Result<Header, String> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(file, options);
    decoder
        .decode_headers()
        .map_err(|error| error.to_string())?;
    let (stored, info) = decoder
        .input_colorspace()
        .zip(decoder.info())
        .ok_or("no header")?;
    let is_grey = stored == ColorSpace::Luma;
    let space = if is_grey {
        ColorSpace::Luma
    } else {
        ColorSpace::RGB
    };
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let orientation = decoder
        .exif()
        .and_then(|exif| Orientation::from_exif_chunk(exif));
    Ok(Header {
        size: (u32::from(info.width), u32::from(info.height)),
        levels: if is_grey {
            ColorType::L8
        } else {
            ColorType::Rgb8
        },
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        is_animation: false,
        decoder: Decoder::Jpeg(Box::new(decoder)),
    })
}

fn damaged(path: &Path, format: PictureFormat, error: String) -> Error {
    let expected = format!("an intact {} file", format.name());
    let refusal = Refusal::new(path.display(), error, expected);
    Error::Data(refusal.hint("fetch or copy the file again"))
}

/// Returns so many zeros.
pub(super) fn zeros<T: Copy + Default>(count: usize) -> Result<Vec<T>> {
    let mut zeros = Vec::new();
    zeros.try_reserve_exact(count).map_err(|_| {
        let found = format!("{} bytes were refused", count * size_of::<T>());
        Error::Memory(Refusal::new("memory", found, "room for a picture"))
    })?;
    zeros.resize(count, T::default());
    Ok(zeros)
}

fn of_bytes(
    levels: ColorType,
    (width, height): (u32, u32),
    bytes: Vec<u8>,
) -> Option<DynamicImage> {
    Some(match levels {
        ColorType::L8 => DynamicImage::ImageLuma8(ImageBuffer::from_raw(width, height, bytes)?),
        ColorType::La8 => DynamicImage::ImageLumaA8(ImageBuffer::from_raw(width, height, bytes)?),
        ColorType::Rgb8 => DynamicImage::ImageRgb8(ImageBuffer::from_raw(width, height, bytes)?),
        ColorType::Rgba8 => DynamicImage::ImageRgba8(ImageBuffer::from_raw(width, height, bytes)?),
        _ => return None,
    })
}

fn of_words(
    levels: ColorType,
    (width, height): (u32, u32),
    words: Vec<u16>,
) -> Option<DynamicImage> {
    Some(match levels {
        ColorType::L16 => DynamicImage::ImageLuma16(ImageBuffer::from_raw(width, height, words)?),
        ColorType::La16 => DynamicImage::ImageLumaA16(ImageBuffer::from_raw(width, height, words)?),
        ColorType::Rgb16 => DynamicImage::ImageRgb16(ImageBuffer::from_raw(width, height, words)?),
        ColorType::Rgba16 => {
            DynamicImage::ImageRgba16(ImageBuffer::from_raw(width, height, words)?)
        }
        _ => return None,
    })
}

/// Returns whether red, green and blue are equal in every pixel.
fn is_grey(image: &DynamicImage) -> bool {
    fn all<T: PartialEq>(levels: &[T], channels: usize) -> bool {
        let mut pixels = levels.chunks_exact(channels);
        pixels.all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2])
    }
    match image {
        DynamicImage::ImageRgb8(image) => all(image.as_raw(), 3),
        DynamicImage::ImageRgba8(image) => all(image.as_raw(), 4),
        DynamicImage::ImageRgb16(image) => all(image.as_raw(), 3),
        DynamicImage::ImageRgba16(image) => all(image.as_raw(), 4),
        _ => true,
    }
}
