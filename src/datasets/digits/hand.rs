//! The hand: varies one way of writing a digit.
//!
//! It mixes the poses of a way, moves its points, ends its strokes early or late, and then bends, stretches, slants and
//! rotates the sheet. The result is a list of short straight segments in skeleton units, which `pen` scales to pixels. The
//! ranges were chosen manually and compared with the training images of MNIST in size, slant and ink.

use super::skeletons::{Stroke, Way};
use rand::{Rng, RngExt};

/// The largest number of points in a stroke. A test checks the skeletons.
pub const MAX_POINTS: usize = 16;

/// The largest number of poses of a way. A test checks the skeletons.
pub const MAX_POSES: usize = 8;

/// The number of straight pieces per span of a curve. A span is 2 to 6 pixels long, so a piece is at most one pixel long.
const PIECES: usize = 6;

/// A short straight piece of a stroke.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub from: [f32; 2],
    pub to: [f32; 2],
    /// The pressure of the pen at both ends, 1 on average.
    pub press: [f32; 2],
}

/// Writes one digit: picks one of `ways`, which must not be empty, and returns a variation of its path.
pub fn write(ways: &[Way], rng: &mut impl Rng) -> Vec<Segment> {
    let way = pick(ways, rng);
    let shares = shares(way.poses.len(), rng);
    let sheet = Sheet::random(rng);
    let restless = 0.012 + 0.05 * rng.random::<f32>();
    let mut path = Vec::with_capacity(256);
    for stroke in 0..way.poses[0].len() {
        let mut knots = Knots::mix(way.poses, stroke, &shares);
        knots.wobble(restless, rng);
        knots.overshoot(rng);
        knots.trace(&sheet, &mut path);
    }
    path
}

/// Draws from a bell-shaped distribution with mean 0 and standard deviation 1, from -3 to 3.
///
/// It is a sum of three uniform numbers. Unlike a normal distribution, it needs no `ln`, whose last bit depends on the
/// platform.
pub fn bell(rng: &mut impl Rng) -> f32 {
    let sum = rng.random::<f32>() + rng.random::<f32>() + rng.random::<f32>();
    2.0 * (sum - 1.5)
}

/// Picks a way at random by its weight.
fn pick<'a>(ways: &'a [Way], rng: &mut impl Rng) -> &'a Way {
    let total: f32 = ways.iter().map(|way| way.weight).sum();
    let mut left = rng.random::<f32>() * total;
    for way in &ways[1..] {
        left -= way.weight;
        if left < 0.0 {
            return way;
        }
    }
    &ways[0]
}

/// Draws the shares of `poses` poses. They sum to 1, and may slightly exceed those of a single pose.
fn shares(poses: usize, rng: &mut impl Rng) -> [f32; MAX_POSES] {
    let mut shares = [0.0; MAX_POSES];
    let mut sum = 0.0;
    for share in &mut shares[..poses] {
        let u: f32 = rng.random();
        let square = u * u;
        // The eighth power lets one or two poses dominate. The mean of many poses would always look the same.
        *share = square * square * square * square + 0.001;
        sum += *share;
    }
    let even = 1.0 / poses as f32;
    for share in &mut shares[..poses] {
        *share = even + 1.15 * (*share / sum - even);
    }
    shares
}

/// The points of one stroke, with the pressure of the pen at each.
struct Knots {
    at: [[f32; 2]; MAX_POINTS],
    press: [f32; MAX_POINTS],
    count: usize,
}

impl Knots {
    /// Averages the points of stroke number `stroke` over the poses, weighted by their shares.
    fn mix(poses: &[&[Stroke]], stroke: usize, shares: &[f32; MAX_POSES]) -> Self {
        let mut at = [[0.0; 2]; MAX_POINTS];
        for (pose, share) in poses.iter().zip(shares) {
            for (sum, point) in at.iter_mut().zip(pose[stroke]) {
                sum[0] += 0.01 * share * f32::from(point[0]);
                sum[1] += 0.01 * share * f32::from(point[1]);
            }
        }
        Knots {
            at,
            press: [1.0; MAX_POINTS],
            count: poses[0][stroke].len(),
        }
    }

    /// Moves every point by about `amount`, and varies the pressure.
    fn wobble(&mut self, amount: f32, rng: &mut impl Rng) {
        // Neighbouring points move similarly (0.6 of the previous error, 0.8 = sqrt(1 - 0.6²) of a new one). Otherwise round
        // loops would become polygons.
        let mut error = [bell(rng), bell(rng), bell(rng)];
        let mut before = [f32::NAN; 2];
        for i in 0..self.count {
            let here = self.at[i];
            if here == before {
                // The two points of a corner stay together.
                (self.at[i], self.press[i]) = (self.at[i - 1], self.press[i - 1]);
                continue;
            }
            error = error.map(|e| 0.6 * e + 0.8 * bell(rng));
            self.at[i] = [here[0] + amount * error[0], here[1] + amount * error[1]];
            self.press[i] = (1.0 + 0.12 * error[2]).max(0.2);
            before = here;
        }
    }

    /// Starts and ends the stroke early or late in its own direction.
    fn overshoot(&mut self, rng: &mut impl Rng) {
        let last = self.count - 1;
        for (end, inner) in [(0, 1), (last, last - 1)] {
            let reach = 0.35 * bell(rng);
            for axis in 0..2 {
                self.at[end][axis] += reach * (self.at[end][axis] - self.at[inner][axis]);
            }
        }
    }

    /// Appends the Catmull-Rom curve through the points, transformed by the sheet.
    fn trace(&self, sheet: &Sheet, path: &mut Vec<Segment>) {
        let mut from = sheet.place(self.at[0]);
        let mut press = self.press[0];
        for i in 1..self.count {
            if self.at[i] == self.at[i - 1] {
                continue;
            }
            let (before, after) = (i.saturating_sub(2), (i + 1).min(self.count - 1));
            let span = [self.at[before], self.at[i - 1], self.at[i], self.at[after]];
            for piece in 1..=PIECES {
                let t = piece as f32 / PIECES as f32;
                let to = sheet.place(catmull_rom(&span, t));
                let next = self.press[i - 1] + t * (self.press[i] - self.press[i - 1]);
                path.push(Segment {
                    from,
                    to,
                    press: [press, next],
                });
                (from, press) = (to, next);
            }
        }
    }
}

/// Returns the point at `t` of the curve from `p[1]` (t = 0) to `p[2]` (t = 1), whose tangents follow from the outer points.
fn catmull_rom(p: &[[f32; 2]; 4], t: f32) -> [f32; 2] {
    let axis = |k: usize| {
        let [a, b, c, d] = [p[0][k], p[1][k], p[2][k], p[3][k]];
        b + 0.5
            * t
            * ((c - a) + t * ((2.0 * a - 5.0 * b + 4.0 * c - d) + t * (3.0 * (b - c) + d - a)))
    };
    [axis(0), axis(1)]
}

/// The transformation of the sheet: a smooth bend, then an affine map (stretch, slant, rotation).
struct Sheet {
    affine: [[f32; 2]; 2],
    /// The coefficients of the six polynomial terms that move x, and of those that move y.
    bend: [[f32; 6]; 2],
}

impl Sheet {
    fn random(rng: &mut impl Rng) -> Self {
        let wide = 1.05 + 0.2 * bell(rng);
        let slant = -0.06 + 0.28 * bell(rng);
        let tangent = 0.11 * bell(rng);
        let cos = 1.0 / (1.0 + tangent * tangent).sqrt();
        let sin = tangent * cos;
        // rotation · slant · stretch
        let affine = [
            [cos * wide, cos * slant - sin],
            [sin * wide, sin * slant + cos],
        ];
        let amount = 0.01 + 0.04 * rng.random::<f32>();
        let bend = [(); 2].map(|()| [(); 6].map(|()| amount * bell(rng)));
        Sheet { affine, bend }
    }

    /// Transforms the point `p` of a skeleton.
    fn place(&self, p: [f32; 2]) -> [f32; 2] {
        // From -1 to 1 around the middle of the skeleton's box, which is 0.8 wide.
        let [x, y] = [2.5 * (p[0] - 0.4), 2.0 * (p[1] - 0.5)];
        let terms = [x * x, x * y, y * y, x * x * y, x * y * y, y * y * y];
        let shift = self.bend.map(|bend| {
            terms
                .iter()
                .zip(bend)
                .map(|(term, b)| term * b)
                .sum::<f32>()
        });
        let [u, v] = [p[0] + shift[0], p[1] + shift[1]];
        self.affine.map(|row| row[0] * u + row[1] * v)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::ChaCha8Rng};

    #[test]
    fn the_bell_shaped_distribution_has_mean_0_and_deviation_1() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let n = 100_000;
        let (mut sum, mut squares) = (0.0f64, 0.0f64);
        for _ in 0..n {
            let b = f64::from(bell(&mut rng));
            assert!(b.abs() <= 3.0);
            sum += b;
            squares += b * b;
        }
        // Four standard errors: 4 / sqrt(100 000) = 0.013.
        assert!((sum / f64::from(n)).abs() < 0.013);
        assert!((squares / f64::from(n) - 1.0).abs() < 0.013);
    }

    #[test]
    fn shares_of_poses_sum_to_1() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for poses in 1..=MAX_POSES {
            let shares = shares(poses, &mut rng);
            assert!(
                (shares.iter().sum::<f32>() - 1.0).abs() < 1e-5,
                "{poses} poses: {shares:?}"
            );
            assert!(shares[poses..].iter().all(|&share| share == 0.0));
        }
    }

    #[test]
    fn the_curve_passes_through_its_points() {
        let p = [[0.0, 0.3], [0.2, 0.1], [0.5, 0.9], [0.7, 0.4]];
        assert_eq!(catmull_rom(&p, 0.0), p[1]);
        let end = catmull_rom(&p, 1.0);
        assert!(
            (end[0] - p[2][0]).abs() < 1e-6 && (end[1] - p[2][1]).abs() < 1e-6,
            "{end:?}"
        );
    }

    #[test]
    fn a_stroke_is_one_continuous_line() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let arc = Way {
            weight: 1.0,
            poses: &[&[&[[10, 10], [50, 0], [50, 0], [80, 50], [40, 100]]]],
        };
        let path = write(&[arc], &mut rng);
        // Five points, one of them twice, are three spans.
        assert_eq!(path.len(), 3 * PIECES);
        assert!(
            path.windows(2)
                .all(|pair| pair[0].to == pair[1].from && pair[0].press[1] == pair[1].press[0])
        );
    }
}
