//! Samples that are cut, transposed or resized on their way from an array or a table to a data set.

use std::path::Path;

use super::request::Request;
use super::resize::{Fit, Resize};
use super::source::{Cell, LabelKind, MAX_FEATURES, Sample, Samples, Source};
use crate::data::Note;
use crate::data::idx::ElementType;
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};

/// A source whose elements are selected or moved.
pub(super) struct Transformed {
    source: Box<dyn Source>,
    /// The elements that stay, in their new order.
    order: Option<Vec<usize>>,
    /// The shape before it is resized: height, width and channels.
    resize: Option<(Resize, [usize; 3])>,
    shape: Vec<usize>,
    /// What is done, for the description.
    about: String,
}

/// Applies what `request` asks for, except to pictures, which do it themselves.
pub(super) fn transform(source: Box<dyn Source>, request: &Request) -> Result<Box<dyn Source>> {
    let mut shape = source.sample_shape().to_vec();
    let (mut order, mut about) = (None, String::new());
    if let Some(words) = &request.table.drop {
        let kept = kept(words, &shape)?;
        about = format!(", {} of {} columns", kept.len(), shape[0]);
        shape = vec![kept.len()];
        order = Some(kept);
    }
    if request.transpose {
        let [height, width, channels] = picture_shape(Key("transpose"), &shape)?;
        let before = order.unwrap_or_else(|| (0..height * width * channels).collect());
        let pixels = (0..width).flat_map(|row| (0..height).map(move |column| (row, column)));
        let at = |(row, column)| (column * width + row) * channels;
        let elements = pixels.map(at).flat_map(|first| first..first + channels);
        order = Some(elements.map(|at| before[at]).collect());
        shape.swap(0, 1);
        about += ", transposed";
    }
    let resize = request.resize.map(|resize| {
        let before = picture_shape(Key("resize"), &shape)?;
        shape[0] = resize.height as usize;
        shape[1] = resize.width as usize;
        if shape.iter().product::<usize>() > MAX_FEATURES {
            return Err(too_large(&shape));
        }
        let [height, width, _] = before;
        let fit = resize.fit.name();
        about += &format!(", resized from {height}×{width} by {fit}");
        Ok((resize, before))
    });
    let resize = resize.transpose()?;
    if order.is_none() && resize.is_none() {
        return Ok(source);
    }
    Ok(Box::new(Transformed {
        source,
        order,
        resize,
        shape,
        about,
    }))
}

/// Returns the elements that stay if `words` are left out, which are numbers from 1, or from −1 for the last.
fn kept(words: &str, shape: &[usize]) -> Result<Vec<usize>> {
    let refuse = |found: String, expected: String| {
        let refusal = Refusal::new(Key("drop"), found, expected);
        let hint = message![
            "columns count from 1; ",
            Key("shape").set_to(shape.iter().product::<usize>()),
            " makes samples flat"
        ];
        Err(Error::Config(refusal.hint(hint)))
    };
    let &[width] = shape else {
        let found = format!("given for samples of {} dimensions", shape.len());
        return refuse(found, "samples of one dimension".to_owned());
    };
    let mut is_kept = vec![true; width];
    for word in words.split(',').map(str::trim) {
        let column = match word.parse::<i64>() {
            Ok(number) if number > 0 => usize::try_from(number - 1).ok(),
            Ok(number) if number < 0 => width.checked_sub(number.unsigned_abs() as usize),
            _ => None,
        };
        match column.and_then(|column| is_kept.get_mut(column)) {
            Some(is_kept) => *is_kept = false,
            None => return refuse(word.to_owned(), format!("numbers from 1 to {width}")),
        }
    }
    let kept: Vec<usize> = (0..width).filter(|&at| is_kept[at]).collect();
    match kept.is_empty() {
        true => refuse(format!("all {width} columns"), "some of them".to_owned()),
        false => Ok(kept),
    }
}

/// Returns height, width and channels of samples that are pictures.
fn picture_shape(key: Key, shape: &[usize]) -> Result<[usize; 3]> {
    match *shape {
        [height, width] => Ok([height, width, 1]),
        [height, width, channels] => Ok([height, width, channels]),
        _ => {
            let refusal = Refusal::new(key, "given for flat samples", "samples of height × width");
            let hint = message!["give their shape, as with ", Key("shape").set_to("28x28")];
            Err(Error::Config(refusal.hint(hint)))
        }
    }
}

fn too_large(shape: &[usize]) -> Error {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    let expected = format!("at most {MAX_FEATURES} elements");
    Error::Config(Refusal::new(Key("resize"), sizes.join("x"), expected))
}

/// Resizes a sample whose elements may have any range. Whole numbers stay whole.
///
/// Shapes: `elements [height, width, channels]`.
fn resized(resize: Resize, [height, width, channels]: [usize; 3], elements: &[f64]) -> Vec<f64> {
    let finite = || elements.iter().copied().filter(|value| value.is_finite());
    let (least, most) = (
        finite().fold(f64::MAX, f64::min),
        finite().fold(f64::MIN, f64::max),
    );
    // The image crate keeps floats within 0 and 1.
    let range = if most > least { most - least } else { 1.0 };
    let are_whole = elements.iter().all(|value| value.fract() == 0.0);
    let background = if resize.fit == Fit::Pad {
        (0.0 - least) / range
    } else {
        0.0
    };
    let mut out = vec![0.0; resize.height as usize * resize.width as usize * channels];
    for channel in 0..channels {
        let plane = elements.iter().skip(channel).step_by(channels);
        let plane: Vec<f32> = plane
            .map(|value| ((value - least) / range) as f32)
            .collect();
        let size = (width as u32, height as u32);
        let (plane, _) = resize.apply(plane, size, 1, background as f32);
        let places = out.iter_mut().skip(channel).step_by(channels);
        for (place, level) in places.zip(plane) {
            let value = least + f64::from(level) * range;
            *place = if are_whole { value.round() } else { value };
        }
    }
    out
}

impl Source for Transformed {
    fn path(&self) -> &Path {
        self.source.path()
    }

    fn description(&self) -> String {
        format!("{}{}", self.source.description(), self.about)
    }

    fn sample_shape(&self) -> &[usize] {
        &self.shape
    }

    fn label_kind(&self) -> &LabelKind {
        self.source.label_kind()
    }

    fn element(&self) -> Option<ElementType> {
        self.source.element()
    }

    fn may_lack_labels(&self) -> bool {
        self.source.may_lack_labels()
    }

    fn shares_classes(&self) -> bool {
        self.source.shares_classes()
    }

    fn notes(&self) -> Vec<Note> {
        self.source.notes()
    }

    fn samples(&self) -> Result<Box<dyn Samples + '_>> {
        Ok(Box::new(TransformedSamples {
            samples: self.source.samples()?,
            of: self,
            elements: Vec::new(),
        }))
    }

    fn place(&self, position: u64, cell: Cell) -> String {
        match (cell, &self.resize, &self.order) {
            (Cell::Element(at), None, Some(order)) => {
                self.source.place(position, Cell::Element(order[at]))
            }
            _ => self.source.place(position, cell),
        }
    }
}

struct TransformedSamples<'a> {
    samples: Box<dyn Samples + 'a>,
    of: &'a Transformed,
    /// The elements of the source.
    elements: Vec<f64>,
}

impl Samples for TransformedSamples<'_> {
    fn next(&mut self, sample: &mut Sample) -> Result<bool> {
        if !self.samples.next(sample)? {
            return Ok(false);
        }
        if let Some(order) = &self.of.order {
            std::mem::swap(&mut self.elements, &mut sample.elements);
            sample.elements.clear();
            let elements = order.iter().map(|&at| self.elements[at]);
            sample.elements.extend(elements);
        }
        if let Some((resize, before)) = self.of.resize {
            if let Some(at) = sample.elements.iter().position(|value| !value.is_finite()) {
                let place = self.of.place(self.samples.position(), Cell::Element(at));
                let found = sample.elements[at].to_string();
                return Err(Error::Data(Refusal::new(place, found, "a finite number")));
            }
            sample.elements = resized(resize, before, &sample.elements);
        }
        Ok(true)
    }

    fn position(&self) -> u64 {
        self.samples.position()
    }

    fn progress(&self) -> (u64, u64) {
        self.samples.progress()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_left_out_by_number() {
        assert_eq!(kept("1,-1", &[4]).expect("columns"), [1, 2]);
        assert_eq!(kept("2, 2", &[3]).expect("columns"), [0, 2]);
        for (words, shape) in [
            ("0", vec![3]),
            ("4", vec![3]),
            ("-4", vec![3]),
            ("a", vec![3]),
            ("1,2,3", vec![3]),
            ("1", vec![2, 2]),
        ] {
            kept(words, &shape).expect_err("a refusal");
        }
    }

    #[test]
    fn numbers_of_any_range_are_resized() {
        let resize = |fit| Resize {
            height: 1,
            width: 2,
            fit,
        };
        let shape = [1, 4, 1];
        let half = resized(resize(Fit::Crop), shape, &[-7.5, -1.5, 2.5, 9.0]);
        assert_eq!(half.len(), 2);
        assert!(
            (half[0] + 1.5).abs() < 1e-6 && (half[1] - 2.5).abs() < 1e-6,
            "{half:?}"
        );
        let same = resized(resize(Fit::Stretch), shape, &[5.0; 4]);
        assert_eq!(same, [5.0, 5.0]);
        let whole = resized(resize(Fit::Stretch), shape, &[0.0, 100.0, 200.0, 255.0]);
        assert!(whole.iter().all(|value| value.fract() == 0.0), "{whole:?}");
        let colors = resized(resize(Fit::Stretch), [1, 2, 2], &[1.0, 10.0, 2.0, 20.0]);
        assert_eq!(colors, [1.0, 10.0, 2.0, 20.0]);
    }
}
