//! Pictures of other sizes, brought to one size.
//!
//! The filter is a triangle that widens with the reduction, as of `Resize` in torchvision and `BILINEAR` in Pillow: every
//! pixel of the source counts.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma, Pixel, Primitive, Rgb};
use serde::{Deserialize, Serialize};

use crate::named::named;

named! {
    /// What becomes of a picture whose height and width have another ratio.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    pub enum Fit {
        /// The whole picture is stretched or squeezed.
        #[default]
        Stretch = "stretch",
        /// The whole picture is shown, in the middle of the background.
        Pad = "pad",
        /// The middle of the picture is shown, as large as possible.
        Crop = "crop",
    }
}

/// The size that pictures are brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resize {
    /// The height in pixels.
    pub height: u32,
    /// The width in pixels.
    pub width: u32,
    /// What becomes of other ratios.
    pub fit: Fit,
}

/// What was done to a picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fitted {
    pub is_resized: bool,
    pub has_other_ratio: bool,
}

impl Resize {
    /// Resizes a picture of this `(width, height)`, whose rows of pixels have one or three `channels`.
    ///
    /// Shapes: `levels [height, width, channels]`, returns the same with the height and width of `self`.
    pub(super) fn apply<T: Primitive + 'static>(
        self,
        levels: Vec<T>,
        size: (u32, u32),
        channels: usize,
        background: T,
    ) -> (Vec<T>, Fitted)
    where
        Rgb<T>: Pixel<Subpixel = T>,
    {
        let fitted = self.fitted(size);
        if !fitted.is_resized {
            return (levels, fitted);
        }
        let levels = match channels {
            1 => self.of_pixels::<Luma<T>>(levels, size, Luma([background])),
            _ => self.of_pixels::<Rgb<T>>(levels, size, Rgb([background; 3])),
        };
        (levels, fitted)
    }

    /// Returns what [`Resize::apply`] does to a picture of this size.
    fn fitted(self, (width, height): (u32, u32)) -> Fitted {
        let ratio = |width: u32, height: u32| u64::from(width) * u64::from(height);
        Fitted {
            is_resized: (width, height) != (self.width, self.height),
            has_other_ratio: ratio(width, self.height) != ratio(self.width, height),
        }
    }

    fn of_pixels<P: Pixel + 'static>(
        self,
        levels: Vec<P::Subpixel>,
        (width, height): (u32, u32),
        background: P,
    ) -> Vec<P::Subpixel> {
        let image = ImageBuffer::<P, _>::from_raw(width, height, levels);
        let image = image.expect("as many levels as the size has");
        let filter = FilterType::Triangle;
        let scale = |of: fn(f64, f64) -> f64| {
            let (across, down) = (
                f64::from(self.width) / f64::from(width),
                f64::from(self.height) / f64::from(height),
            );
            of(across, down)
        };
        let rounded = |length: f64, most: u32| (length.round() as u32).clamp(1, most);
        let resized = match self.fit {
            Fit::Stretch => imageops::resize(&image, self.width, self.height, filter),
            Fit::Pad => {
                let scale = scale(f64::min);
                let (inner_width, inner_height) = (
                    rounded(f64::from(width) * scale, self.width),
                    rounded(f64::from(height) * scale, self.height),
                );
                let inner = imageops::resize(&image, inner_width, inner_height, filter);
                let mut whole = ImageBuffer::from_pixel(self.width, self.height, background);
                let (left, top) = (
                    (self.width - inner_width) / 2,
                    (self.height - inner_height) / 2,
                );
                imageops::replace(&mut whole, &inner, i64::from(left), i64::from(top));
                whole
            }
            Fit::Crop => {
                let scale = scale(f64::max);
                let (inner_width, inner_height) = (
                    rounded(f64::from(self.width) / scale, width),
                    rounded(f64::from(self.height) / scale, height),
                );
                let (left, top) = ((width - inner_width) / 2, (height - inner_height) / 2);
                let inner = imageops::crop_imm(&image, left, top, inner_width, inner_height);
                imageops::resize(&inner.to_image(), self.width, self.height, filter)
            }
        };
        resized.into_raw()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resized(size: (u32, u32), fit: Fit, from: (u32, u32), levels: &[u8]) -> Vec<u8> {
        let (width, height) = size;
        let resize = Resize { height, width, fit };
        resize.apply(levels.to_vec(), from, 1, 9).0
    }

    #[test]
    fn every_pixel_counts_in_a_reduction() {
        // A triangle four pixels wide has the weights 1, 3, 3 and, beyond the edge, none: (0 + 3 · 10 + 3 · 20 …) / 7 …
        let levels: Vec<u8> = (0..16).map(|at| at * 10).collect();
        assert_eq!(
            resized((2, 2), Fit::Stretch, (4, 4), &levels),
            [36, 51, 99, 114]
        );
        assert_eq!(resized((4, 4), Fit::Stretch, (4, 4), &levels), levels);
        // Enlarging interpolates between centres.
        assert_eq!(
            resized((4, 1), Fit::Stretch, (2, 1), &[0, 100]),
            [0, 25, 75, 100]
        );
    }

    #[test]
    fn a_ratio_is_kept_by_a_border_or_by_cutting() {
        let wide = [0, 100, 100, 0];
        assert_eq!(
            resized((2, 2), Fit::Pad, (4, 1), &[0, 0, 100, 100]).len(),
            4
        );
        assert_eq!(
            resized((4, 3), Fit::Pad, (4, 1), &wide),
            [9, 9, 9, 9, 0, 100, 100, 0, 9, 9, 9, 9]
        );
        assert_eq!(resized((2, 1), Fit::Crop, (4, 1), &wide).len(), 2);
        assert_eq!(resized((1, 1), Fit::Crop, (3, 1), &[0, 70, 0]), [70]);
        assert_eq!(
            resized((2, 2), Fit::Crop, (4, 2), &[0, 1, 2, 0, 0, 3, 4, 0]),
            [1, 2, 3, 4]
        );
    }

    #[test]
    fn extreme_sizes_keep_at_least_a_pixel() {
        for fit in Fit::ALL {
            for (size, from) in [
                ((1, 500), (500, 1)),
                ((500, 1), (1, 500)),
                ((3, 3), (1000, 1)),
            ] {
                let levels = vec![7; (from.0 * from.1) as usize];
                let out = resized(size, fit, from, &levels);
                assert_eq!(out.len(), (size.0 * size.1) as usize, "{fit:?} {size:?}");
                assert!(out.iter().all(|level| [7, 9].contains(level)), "{fit:?}");
            }
        }
    }
}
