//! The pen: draws a path as grey levels, framed as in MNIST.
//!
//! The digit is scaled without distortion until its ink touches a 20×20 box, and is drawn there. The box is then placed in
//! the 28×28 image so that the centre of mass is at the centre. Only pixels near a segment are visited.

use super::hand::{Segment, bell};
use rand::{Rng, RngExt};

/// The width and height of an image in pixels.
pub const SIDE: usize = 28;

/// The number of pixels of an image.
pub const PIXELS: usize = SIDE * SIDE;

/// The side of the box that the digit is fitted to.
const BOX: usize = 20;

/// The position of the centre of mass in the image: the middle of pixel 14, as in MNIST.
const CENTRE: f32 = 14.5;

/// The ink coverage of each pixel of the box, where 0 is paper and 1 is ink. Pixels far from an edge are outside that range.
type Canvas = [f32; BOX * BOX];

/// The coverage of paper far from any stroke, so low that rough edges do not reach it.
const BARE: f32 = -4.0;

/// Draws `path` with a random pen.
pub fn draw(mut path: Vec<Segment>, rng: &mut impl Rng) -> [u8; PIXELS] {
    let pen = Pen::random(rng);
    pen.fit(&mut path);
    let mut canvas = [BARE; BOX * BOX];
    for segment in &path {
        pen.stroke(segment, &mut canvas);
    }
    for cover in &mut canvas {
        *cover = (*cover + pen.rough * (rng.random::<f32>() - 0.5)).clamp(0.0, 1.0);
    }
    let corner = corner(&canvas, [rng.random(), rng.random()]);
    frame(&canvas, corner)
}

struct Pen {
    /// Half the width of a stroke in pixels at pressure 1.
    radius: f32,
    /// The width of the grey edge in pixels.
    soft: f32,
    /// The random variation of coverage from pixel to pixel. It frays edges and breaks thin strokes, but not their cores.
    rough: f32,
}

impl Pen {
    fn random(rng: &mut impl Rng) -> Self {
        Pen {
            radius: (1.15 + 0.42 * bell(rng)).max(0.7),
            soft: 0.9 + 0.3 * rng.random::<f32>(),
            rough: rng.random::<f32>(),
        }
    }

    /// Scales and moves `path` so that its ink exactly fits the box.
    fn fit(&self, path: &mut [Segment]) {
        let (mut low, mut high, mut press) = ([f32::MAX; 2], [f32::MIN; 2], 0.0f32);
        for segment in path.iter() {
            for axis in 0..2 {
                low[axis] = low[axis].min(segment.from[axis].min(segment.to[axis]));
                high[axis] = high[axis].max(segment.from[axis].max(segment.to[axis]));
            }
            press = press.max(segment.press[0].max(segment.press[1]));
        }
        let room = BOX as f32 - 2.0 * (press * self.radius + 0.5 * self.soft);
        // A skeleton is one unit high. The lower bound only prevents a division by zero.
        let scale = room / (high[0] - low[0]).max(high[1] - low[1]).max(0.1);
        for segment in path {
            for point in [&mut segment.from, &mut segment.to] {
                for axis in 0..2 {
                    point[axis] =
                        (point[axis] - 0.5 * (low[axis] + high[axis])) * scale + 0.5 * BOX as f32;
                }
            }
        }
    }

    /// Draws one segment. A pixel keeps its darkest value, so overlaps do not add up.
    fn stroke(&self, segment: &Segment, canvas: &mut Canvas) {
        let Segment { from, to, press } = *segment;
        let reach = self.radius * press[0].max(press[1]) + 0.5 * self.soft;
        // `as usize` saturates: a bound left of the box becomes 0.
        let near = |axis: usize| {
            let low = from[axis].min(to[axis]) - reach;
            let high = from[axis].max(to[axis]) + reach;
            (low as usize).min(BOX)..((high + 1.0) as usize).min(BOX)
        };
        let along = [to[0] - from[0], to[1] - from[1]];
        let per_square = 1.0 / (along[0] * along[0] + along[1] * along[1]).max(1e-9);
        let sharp = 1.0 / self.soft;
        for y in near(1) {
            for x in near(0) {
                let off = [x as f32 + 0.5 - from[0], y as f32 + 0.5 - from[1]];
                let t = ((off[0] * along[0] + off[1] * along[1]) * per_square).clamp(0.0, 1.0);
                let [dx, dy] = [off[0] - t * along[0], off[1] - t * along[1]];
                let radius = self.radius * (press[0] + t * (press[1] - press[0]));
                let cover = (radius - (dx * dx + dy * dy).sqrt()) * sharp + 0.5;
                let pixel = &mut canvas[y * BOX + x];
                *pixel = pixel.max(cover);
            }
        }
    }
}

/// Returns the column and row of the image at which the box is placed, so that its centre of mass is at the centre.
///
/// The position is rounded to whole pixels, up or down by `dither` (each from 0 to 1). Random rounding spreads the centres
/// over a pixel in each direction, which makes a trained network less sensitive to small shifts.
fn corner(canvas: &Canvas, dither: [f32; 2]) -> [usize; 2] {
    let (mut mass, mut sum) = (1e-6f32, [0.0f32; 2]);
    for (row, y) in canvas.chunks_exact(BOX).zip(0u8..) {
        for (cover, x) in row.iter().zip(0u8..) {
            mass += cover;
            sum[0] += cover * (f32::from(x) + 0.5);
            sum[1] += cover * (f32::from(y) + 0.5);
        }
    }
    [0, 1].map(|axis| ((CENTRE - sum[axis] / mass + dither[axis]) as usize).min(SIDE - BOX))
}

/// Copies the box into an empty image at `corner`.
fn frame(canvas: &Canvas, corner: [usize; 2]) -> [u8; PIXELS] {
    let mut image = [0; PIXELS];
    for (y, row) in canvas.chunks_exact(BOX).enumerate() {
        let start = (y + corner[1]) * SIDE + corner[0];
        for (pixel, cover) in image[start..start + BOX].iter_mut().zip(row) {
            *pixel = (cover * 255.0 + 0.5) as u8;
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEN: Pen = Pen {
        radius: 1.5,
        soft: 1.0,
        rough: 0.0,
    };

    fn line(from: [f32; 2], to: [f32; 2]) -> Segment {
        Segment {
            from,
            to,
            press: [1.0; 2],
        }
    }

    #[test]
    fn a_fitted_line_is_20_pixels_high_with_a_solid_core() {
        let mut path = [line([0.3, 0.0], [0.3, 1.0])];
        PEN.fit(&mut path);
        let mut canvas = [BARE; BOX * BOX];
        PEN.stroke(&path[0], &mut canvas);
        // A radius of 1.5 around x = 10 covers columns 9 and 10, and half of 8 and 11.
        assert!(canvas[10 * BOX + 9] >= 1.0 && canvas[10 * BOX + 10] >= 1.0);
        assert!(
            (canvas[10 * BOX + 8] - 0.5).abs() < 1e-5 && (canvas[10 * BOX + 11] - 0.5).abs() < 1e-5
        );
        assert!(
            canvas[9] > 0.0 && canvas[19 * BOX + 9] > 0.0,
            "ink touches the top and the bottom"
        );
        assert!(
            canvas
                .iter()
                .enumerate()
                .all(|(i, &c)| c <= 0.0 || (8..12).contains(&(i % BOX)))
        );
    }

    #[test]
    fn a_segment_outside_the_box_draws_nothing() {
        let mut canvas = [BARE; BOX * BOX];
        PEN.stroke(&line([-50.0, -50.0], [-40.0, -45.0]), &mut canvas);
        PEN.stroke(&line([50.0, 50.0], [60.0, f32::MAX]), &mut canvas);
        assert!(canvas.iter().all(|&cover| cover == BARE));
    }

    #[test]
    fn the_box_stays_inside_the_image_for_any_centre_of_mass() {
        for pixel in [0, BOX - 1, BOX * BOX - 1] {
            let mut canvas = [0.0; BOX * BOX];
            canvas[pixel] = 1.0;
            let image = frame(&canvas, corner(&canvas, [0.5; 2]));
            assert_eq!(
                image.iter().filter(|&&level| level == 255).count(),
                1,
                "ink at {pixel}"
            );
        }
        assert_eq!(
            frame(&[0.0; BOX * BOX], corner(&[0.0; BOX * BOX], [0.9; 2])),
            [0; PIXELS]
        );
    }
}
