//! Samples that are cut, transposed or resized on their way from an array or a table to a data set.

use std::cell::OnceCell;
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
    /// Whether all elements are whole numbers, once that is known.
    is_whole: OnceCell<bool>,
    shape: Vec<usize>,
    /// What is done, for the description.
    about: String,
}

/// Applies what `request` asks for, except to pictures, which do it themselves.
pub(super) fn transform(source: Box<dyn Source>, request: &Request) -> Result<Box<dyn Source>> {
    let mut shape = source.sample_shape().to_vec();
    let (mut order, mut about) = (None, String::new());
    if let Some(words) = &request.table.drop {
        let hint = match request.is_for_model() {
            true => "columns count from 1".into(),
            false => message![
                "columns count from 1; ",
                Key("shape").set_to(shape.iter().product::<usize>()),
                " makes samples flat"
            ],
        };
        let kept =
            kept(words, &shape).map_err(|error| error.map_refusal(|refusal| refusal.hint(hint)))?;
        about = format!(", {} of {} columns", kept.len(), shape[0]);
        shape = vec![kept.len()];
        order = Some(kept);
    }
    if request.transpose {
        let [height, width, channels] = picture_shape(request, Key("transpose"), &shape)?;
        let before = order.unwrap_or_else(|| (0..height * width * channels).collect());
        let pixels = (0..width).flat_map(|row| (0..height).map(move |column| (row, column)));
        let at = |(row, column)| (column * width + row) * channels;
        let elements = pixels.map(at).flat_map(|first| first..first + channels);
        order = Some(elements.map(|at| before[at]).collect());
        shape.swap(0, 1);
        about += ", transposed";
    }
    let resize = request.resize.map(|resize| {
        let before = picture_shape(request, Key("resize"), &shape)?;
        shape[0] = resize.height as usize;
        shape[1] = resize.width as usize;
        if shape.iter().product::<usize>() > MAX_FEATURES {
            return Err(too_large(&shape));
        }
        let [height, width, _] = before;
        if [height, width] == shape[..2] {
            return Ok(None);
        }
        let fit = resize.fit.name();
        about += &format!(", resized from {height}×{width} by {fit}");
        Ok(Some((resize, before)))
    });
    let resize = resize.transpose()?.flatten();
    if order.is_none() && resize.is_none() {
        return Ok(source);
    }
    Ok(Box::new(Transformed {
        source,
        order,
        resize,
        is_whole: OnceCell::new(),
        shape,
        about,
    }))
}

/// Returns the elements that stay if `words` are left out, which are numbers from 1, or from −1 for the last.
fn kept(words: &str, shape: &[usize]) -> Result<Vec<usize>> {
    let refuse = |found: String, expected: String| {
        Err(Error::Config(Refusal::new(Key("drop"), found, expected)))
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
fn picture_shape(request: &Request, key: Key, shape: &[usize]) -> Result<[usize; 3]> {
    match *shape {
        [height, width] => Ok([height, width, 1]),
        [height, width, channels] => Ok([height, width, channels]),
        _ => {
            let refusal = Refusal::new(key, "given for flat samples", "samples of height × width");
            let hint = match request.is_for_model() {
                true => "save them as an array of samples × height × width".into(),
                false => message!["give their shape, as with ", Key("shape").set_to("28x28")],
            };
            Err(Error::Config(refusal.hint(hint)))
        }
    }
}

fn too_large(shape: &[usize]) -> Error {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    let expected = format!("at most {MAX_FEATURES} elements");
    Error::Config(Refusal::new(Key("resize"), sizes.join("x"), expected))
}

/// Resizes a sample whose elements may have any range, and rounds the result if all elements of the source are whole.
///
/// Shapes: `elements [height, width, channels]`.
fn resized(
    resize: Resize,
    [height, width, channels]: [usize; 3],
    elements: &[f64],
    is_whole: bool,
) -> Vec<f64> {
    let finite = || elements.iter().copied().filter(|value| value.is_finite());
    let (least, most) = (
        finite().fold(f64::MAX, f64::min),
        finite().fold(f64::MIN, f64::max),
    );
    // The image crate keeps floats within 0 and 1.
    let range = if most > least { most - least } else { 1.0 };
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
            *place = if is_whole { value.round() } else { value };
        }
    }
    out
}

/// Returns whether every element of `source` is a whole number.
fn are_all_whole(source: &dyn Source) -> Result<bool> {
    let (mut samples, mut sample) = (source.samples()?, Sample::default());
    while samples.next(&mut sample)? {
        if sample.elements.iter().any(|value| value.fract() != 0.0) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Transformed {
    /// Returns whether every element of the source is a whole number, so that resized elements are rounded.
    fn is_whole(&self) -> Result<bool> {
        if let Some(&is_whole) = self.is_whole.get() {
            return Ok(is_whole);
        }
        let is_whole = match self.source.has_whole_elements() {
            Some(is_whole) => is_whole,
            None => are_all_whole(&*self.source)?,
        };
        Ok(*self.is_whole.get_or_init(|| is_whole))
    }

    /// Returns the place of an element that is not resized yet.
    fn place_before_resize(&self, position: u64, at: usize) -> String {
        let at = self.order.as_ref().map_or(at, |order| order[at]);
        self.source.place(position, Cell::Element(at))
    }
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
            is_whole: self.resize.is_some() && self.is_whole()?,
            elements: Vec::new(),
        }))
    }

    fn place(&self, position: u64, cell: Cell) -> String {
        match (cell, &self.resize) {
            // Several elements of the source make one.
            (Cell::Element(_), Some(_)) => self.source.place(position, Cell::Sample),
            (Cell::Element(at), None) => self.place_before_resize(position, at),
            _ => self.source.place(position, cell),
        }
    }
}

struct TransformedSamples<'a> {
    samples: Box<dyn Samples + 'a>,
    of: &'a Transformed,
    /// Whether resized elements are rounded.
    is_whole: bool,
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
                let place = self.of.place_before_resize(self.samples.position(), at);
                let found = sample.elements[at].to_string();
                return Err(Error::Data(Refusal::new(place, found, "a finite number")));
            }
            sample.elements = resized(resize, before, &sample.elements, self.is_whole);
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
        let half = resized(resize(Fit::Crop), shape, &[-7.5, -1.5, 2.5, 9.0], false);
        assert_eq!(half.len(), 2);
        assert!(
            (half[0] + 1.5).abs() < 1e-6 && (half[1] - 2.5).abs() < 1e-6,
            "{half:?}"
        );
        let same = resized(resize(Fit::Stretch), shape, &[5.0; 4], true);
        assert_eq!(same, [5.0, 5.0]);
        let whole = resized(
            resize(Fit::Stretch),
            shape,
            &[0.0, 100.0, 200.0, 255.0],
            true,
        );
        assert!(whole.iter().all(|value| value.fract() == 0.0), "{whole:?}");
        let colors = resized(
            resize(Fit::Stretch),
            [1, 2, 2],
            &[1.0, 10.0, 2.0, 20.0],
            true,
        );
        assert_eq!(colors, [1.0, 10.0, 2.0, 20.0]);
    }
}
