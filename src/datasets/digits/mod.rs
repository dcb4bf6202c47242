//! Digits that look handwritten, drawn from stroke skeletons: a data set that needs no download.
//!
//! [`draw`] returns a 28×28 image framed as in MNIST: the ink fits a 20×20 box, and its centre of mass is at the centre. All
//! variation comes from the caller's generator. Only `+ - * /` and `sqrt`, which IEEE 754 rounds exactly, are applied to
//! numbers, so the images are the same on every machine.
//!
//! `skeletons` has several ways of writing each digit, `hand` varies one of them, and `pen` converts its strokes to grey
//! levels.

mod hand;
mod pen;
mod skeletons;

use rand::Rng;

pub use self::pen::{PIXELS, SIDE};

/// Draws an image of `digit`: grey levels `[row, column]` in row-major order, where 0 is paper and 255 is ink.
///
/// Only the last decimal of `digit` is used: 13 draws a 3.
pub fn draw(digit: u8, rng: &mut impl Rng) -> [u8; PIXELS] {
    pen::draw(hand::write(skeletons::ways(digit), rng), rng)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::ChaCha8Rng};

    fn image(digit: u8, stream: u64) -> [u8; PIXELS] {
        let mut rng = ChaCha8Rng::seed_from_u64(17);
        rng.set_stream(stream);
        draw(digit, &mut rng)
    }

    /// Runs `check` on 100 images of each digit, with a description for messages.
    fn for_many(check: impl Fn(&[u8; PIXELS], &str)) {
        for digit in 0..10 {
            for stream in 0..100 {
                check(
                    &image(digit, stream),
                    &format!("digit {digit}, seed 17, stream {stream}"),
                );
            }
        }
    }

    /// Returns the first and the last column (or row) with ink.
    fn extent(image: &[u8; PIXELS], place: impl Fn(usize) -> usize) -> (usize, usize) {
        let inked = (0..PIXELS).filter(|&i| image[i] > 0).map(place);
        inked.fold((SIDE, 0), |(low, high), at| (low.min(at), high.max(at)))
    }

    #[test]
    fn every_digit_has_ink_and_paper() {
        for_many(|image, name| {
            let ink = image.iter().filter(|&&level| level > 127).count();
            // The thinnest stroke is 20 pixels long, and the thickest blot fills two thirds of the 20×20 box.
            assert!((14..270).contains(&ink), "{name}: {ink} inked pixels");
        });
    }

    #[test]
    fn the_centre_of_mass_is_within_a_pixel_of_that_in_mnist() {
        for_many(|image, name| {
            let mass: f32 = image.iter().map(|&level| f32::from(level)).sum();
            let mean = |place: fn(usize) -> usize| {
                let sum: f32 = image
                    .iter()
                    .enumerate()
                    .map(|(i, &level)| f32::from(level) * place(i) as f32)
                    .sum();
                sum / mass
            };
            let [x, y] = [mean(|i| i % SIDE), mean(|i| i / SIDE)];
            // In MNIST it is pixel 14. The extra hundredth allows for grey levels rounded to bytes.
            assert!(
                (x - 14.0).abs() < 1.01 && (y - 14.0).abs() < 1.01,
                "{name}: centre {x:.2}, {y:.2}"
            );
        });
    }

    #[test]
    fn the_ink_fits_a_20x20_box_and_almost_fills_its_width_or_height() {
        for_many(|image, name| {
            let (left, right) = extent(image, |i| i % SIDE);
            let (top, bottom) = extent(image, |i| i / SIDE);
            let longer = (right + 1 - left).max(bottom + 1 - top);
            assert!(
                (16..=20).contains(&longer),
                "{name}: {left}..={right} by {top}..={bottom}"
            );
        });
    }

    #[test]
    fn the_same_stream_draws_the_same_image() {
        for digit in 0..10 {
            assert_eq!(image(digit, 5), image(digit, 5));
        }
    }

    #[test]
    fn other_streams_draw_other_images() {
        for digit in 0..10 {
            let mut images: Vec<_> = (0..100).map(|stream| image(digit, stream)).collect();
            images.sort_unstable();
            images.dedup();
            assert_eq!(images.len(), 100, "digit {digit}");
        }
    }

    #[test]
    fn digits_above_9_wrap() {
        assert_eq!(image(13, 1), image(3, 1));
        assert_eq!(image(255, 1), image(5, 1));
    }

    /// A generator that always returns the same value.
    struct Stuck(u64);

    impl rand::TryRng for Stuck {
        type Error = std::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(self.0 as u32)
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(self.0)
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.fill(self.0 as u8);
            Ok(())
        }
    }

    #[test]
    fn no_generator_causes_a_panic() {
        for digit in 0..10 {
            for word in [0, 1, u64::MAX / 2, u64::MAX] {
                assert!(
                    draw(digit, &mut Stuck(word)).iter().any(|&level| level > 0),
                    "digit {digit}, word {word}"
                );
            }
        }
    }
}
