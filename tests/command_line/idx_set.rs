//! IDX files written without the program, so that its reader is not tested against its own writer.
//!
//! [`idx`] writes the format: `00 00 TT NN`, NN big-endian `u32` sizes, then big-endian elements. [`EasySet`] is a data
//! set that a network learns within a few epochs: sample i has class i mod classes, and its features j with
//! j mod classes = class are bright.

use std::fs;
use std::path::Path;

/// The type of a file's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl Element {
    pub const ALL: [Element; 6] = [
        Element::U8,
        Element::I8,
        Element::I16,
        Element::I32,
        Element::F32,
        Element::F64,
    ];

    fn code(self) -> u8 {
        match self {
            Element::U8 => 0x08,
            Element::I8 => 0x09,
            Element::I16 => 0x0b,
            Element::I32 => 0x0c,
            Element::F32 => 0x0d,
            Element::F64 => 0x0e,
        }
    }

    /// Returns the name of the type in conventional file names.
    pub fn in_names(self) -> &'static str {
        match self {
            Element::U8 => "ubyte",
            Element::I8 => "byte",
            Element::I16 => "short",
            Element::I32 => "int",
            Element::F32 => "float",
            Element::F64 => "double",
        }
    }

    /// Returns the largest value of the type; for floats 1, to which they are usually scaled.
    fn top(self) -> f64 {
        match self {
            Element::U8 => 255.0,
            Element::I8 => 127.0,
            Element::I16 => 32_767.0,
            Element::I32 => 2_147_483_647.0,
            Element::F32 | Element::F64 => 1.0,
        }
    }

    /// Returns `number` as it is stored in a file.
    pub fn bytes(self, number: f64) -> Vec<u8> {
        match self {
            Element::U8 => vec![number as u8],
            Element::I8 => vec![number as i8 as u8],
            Element::I16 => (number as i16).to_be_bytes().to_vec(),
            Element::I32 => (number as i32).to_be_bytes().to_vec(),
            Element::F32 => (number as f32).to_be_bytes().to_vec(),
            Element::F64 => number.to_be_bytes().to_vec(),
        }
    }
}

/// Returns a file of this header and these elements, without checking that they agree.
pub fn idx(element: Element, sizes: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, element.code(), sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(elements);
    bytes
}

/// Returns a file of labels of one byte each.
pub fn labels(labels: &[u8]) -> Vec<u8> {
    idx(Element::U8, &[labels.len() as u32], labels)
}

/// A data set that is easy to learn. The default has 200 training and 60 test samples of 3×3 bytes in 4 classes.
#[derive(Debug, Clone)]
pub struct EasySet {
    pub element: Element,
    /// The sizes of one sample.
    pub item: &'static [u32],
    pub classes: u32,
    pub train: u32,
    pub test: u32,
    /// The largest value of an element.
    pub top: f64,
    /// At 0 the set is easy, at 1 no network classifies all of it.
    pub noise: f64,
}

impl Default for EasySet {
    fn default() -> EasySet {
        EasySet::of(Element::U8)
    }
}

impl EasySet {
    pub fn of(element: Element) -> EasySet {
        EasySet {
            element,
            item: &[3, 3],
            classes: 4,
            train: 200,
            test: 60,
            top: element.top(),
            noise: 0.2,
        }
    }

    /// Returns the set with so much noise that no network classifies all of it correctly.
    pub fn noisy() -> EasySet {
        EasySet {
            noise: 1.0,
            ..EasySet::default()
        }
    }

    /// Writes the set under the usual names; only the training half if `test` is 0.
    pub fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("creating the folder of the set");
        for (half, items) in [("train", self.train), ("t10k", self.test)] {
            if items > 0 {
                let put = |name: String, bytes: Vec<u8>| {
                    fs::write(folder.join(name), bytes).expect("writing the set");
                };
                put(format!("{half}-{}", self.images_name()), self.images(half));
                put(format!("{half}-labels-idx1-ubyte"), self.labels(half));
            }
        }
    }

    fn images_name(&self) -> String {
        let (dimensions, element) = (1 + self.item.len(), self.element.in_names());
        format!("images-idx{dimensions}-{element}")
    }

    fn items(&self, half: &str) -> u32 {
        if half == "train" {
            self.train
        } else {
            self.test
        }
    }

    /// Returns the image file of one half.
    pub fn images(&self, half: &str) -> Vec<u8> {
        let features: u32 = self.item.iter().product();
        let sizes = [&[self.items(half)], self.item].concat();
        let mut elements = Vec::new();
        for item in 0..self.items(half) {
            for feature in 0..features {
                let bright = feature % self.classes == item % self.classes;
                let middle = if bright { 0.75 } else { 0.25 };
                let shift = 2.0 * self.noise * (noise(half, item, feature) - 0.5);
                let share = f64::clamp(middle + shift, 0.0, 1.0);
                // Signed types use negative values too.
                let number = match self.element {
                    Element::U8 => (share * self.top).round(),
                    _ => (2.0 * share - 1.0) * self.top,
                };
                elements.extend(self.element.bytes(number));
            }
        }
        idx(self.element, &sizes, &elements)
    }

    /// Returns the class of every sample of one half.
    pub fn classes_of(&self, half: &str) -> Vec<u8> {
        let items = 0..self.items(half);
        items.map(|item| (item % self.classes) as u8).collect()
    }

    /// Returns the label file of one half.
    pub fn labels(&self, half: &str) -> Vec<u8> {
        labels(&self.classes_of(half))
    }
}

/// Returns a pseudo-random number from 0 to 1.
fn noise(half: &str, item: u32, feature: u32) -> f64 {
    let key = u64::from(item) << 32 | u64::from(feature);
    let state = key.wrapping_add(half.len() as u64);
    splitmix64(state.wrapping_mul(SPLITMIX64_STEP)) as f64 / u64::MAX as f64
}

/// What the state of splitmix64 grows by for each number.
pub const SPLITMIX64_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Returns the pseudo-random number of a state (<https://prng.di.unimi.it/splitmix64.c>).
pub fn splitmix64(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
