//! A data set of generated digits, in the four files that MNIST has.
//!
//! Every item has a random stream of its own, from which its class and its drawing come, so that all cores
//! can draw at once, the bytes depend on the seed alone, and a larger set begins with the smaller one.

use std::io::{self, Write};
use std::path::Path;

use rand::RngExt;
use rayon::prelude::*;

use super::digits::{self, SIDE};
use crate::compute::parallel::Workers;
use crate::data::folder;
use crate::data::idx::{ElementType, Header};
use crate::durable::{create_folder, write_new, write_whole};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;
use crate::random::{Purpose, stream};

/// Raised when the same seed draws other digits, so that sets kept from before are not taken for new ones.
pub const EDITION: u32 = 1;

/// The files of a set, as MNIST has them: images and labels for training, and for the test.
pub const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Items drawn before they are written: enough for all cores, little memory.
const BLOCK: usize = 8192;

const CLASSES: u32 = 10;

/// Which digits to generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeneratedDigits {
    /// Items of the training half.
    pub train: usize,
    /// Items of the test half.
    pub test: usize,
    /// Where all randomness comes from.
    pub seed: u64,
}

impl Default for GeneratedDigits {
    /// As many as MNIST has.
    fn default() -> GeneratedDigits {
        GeneratedDigits {
            train: 60_000,
            test: 10_000,
            seed: 1,
        }
    }
}

impl GeneratedDigits {
    /// Writes the set into `folder`, which is made where it is missing. Each file is written whole or not at
    /// all, and takes the place of one of the same name.
    ///
    /// # Errors
    /// [`Error::Config`] when a half is empty or has more items than an IDX file counts, [`Error::Io`] when
    /// the folder cannot be written.
    pub fn write(&self, folder: &Path, workers: &Workers) -> Result<()> {
        self.write_files(folder, workers, true)
    }

    /// [`GeneratedDigits::write`] without taking any file's place: those that are there are taken to be of this set, and
    /// others may be writing the same at this moment.
    ///
    /// # Errors
    /// As [`GeneratedDigits::write`].
    pub fn write_missing(&self, folder: &Path, workers: &Workers) -> Result<()> {
        self.write_files(folder, workers, false)
    }

    fn write_files(&self, folder: &Path, workers: &Workers, replace: bool) -> Result<()> {
        for (key, items) in [(Key("train"), self.train), (Key("test"), self.test)] {
            if !(1..=u32::MAX as usize).contains(&items) {
                return Err(Error::Config(Refusal::new(
                    key,
                    items.to_string(),
                    format!("1 to {}", u32::MAX),
                )));
            }
        }
        create_folder(folder)?;
        let [train_images, train_labels, test_images, test_labels] =
            FILES.map(|name| folder.join(name));
        for (images, labels, purpose, items) in [
            (train_images, train_labels, Purpose::TrainDigits, self.train),
            (test_images, test_labels, Purpose::TestDigits, self.test),
        ] {
            self.write_images(&images, (purpose, items), workers, replace)?;
            self.write_labels(&labels, (purpose, items), replace)?;
        }
        Ok(())
    }

    /// Whether `folder` holds a whole data set. A set of which some files are missing, because whoever wrote
    /// it was stopped, is not.
    pub fn is_complete(folder: &Path) -> bool {
        folder::find(folder).is_ok_and(|files| files.test.is_some())
    }

    fn write_images(
        &self,
        path: &Path,
        (purpose, items): (Purpose, usize),
        workers: &Workers,
        replace: bool,
    ) -> Result<()> {
        let header = Header::new(path, ElementType::U8, &[items, SIDE, SIDE])?;
        let item_bytes = SIDE * SIDE;
        let mut pixels = vec![0; BLOCK.min(items) * item_bytes];
        put(path, replace, |out| {
            out.write_all(&header.to_bytes())?;
            for start in (0..items).step_by(BLOCK) {
                let pixels = &mut pixels[..BLOCK.min(items - start) * item_bytes];
                workers.run(|| {
                    let cells = pixels.par_chunks_exact_mut(item_bytes).enumerate();
                    cells.for_each(|(index, cell)| {
                        let mut rng = stream(self.seed, purpose, (start + index) as u32);
                        let digit = rng.random_range(0..CLASSES) as u8;
                        cell.copy_from_slice(&digits::draw(digit, &mut rng));
                    });
                });
                out.write_all(pixels)?;
            }
            Ok(())
        })
    }

    fn write_labels(
        &self,
        path: &Path,
        (purpose, items): (Purpose, usize),
        replace: bool,
    ) -> Result<()> {
        let header = Header::new(path, ElementType::U8, &[items])?;
        put(path, replace, |out| {
            out.write_all(&header.to_bytes())?;
            for item in 0..items {
                let mut rng = stream(self.seed, purpose, item as u32);
                out.write_all(&[rng.random_range(0..CLASSES) as u8])?;
            }
            Ok(())
        })
    }
}

/// Writes a file whole, in the place of one of the same name or only where there is none.
fn put(
    path: &Path,
    replace: bool,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    match replace {
        true => write_whole(path, fill),
        false if path.exists() => Ok(()),
        false => write_new(path, fill),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Splits;
    use std::fs;
    use std::num::NonZeroUsize;

    fn written(digits: GeneratedDigits, threads: usize) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let threads = NonZeroUsize::new(threads).expect("not zero");
        let workers = Workers::new(threads).expect("workers");
        digits.write(folder.path(), &workers).expect("writing");
        folder
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
        let digits = GeneratedDigits {
            train: 300,
            test: 40,
            seed: 3,
        };
        let (one, three) = (written(digits, 1), written(digits, 3));
        let other = written(GeneratedDigits { seed: 4, ..digits }, 3);
        for half in ["train", "t10k"] {
            for file in ["images-idx3-ubyte", "labels-idx1-ubyte"] {
                let read = |folder: &tempfile::TempDir| {
                    fs::read(folder.path().join(format!("{half}-{file}"))).expect("the file")
                };
                assert_eq!(read(&one), read(&three));
                assert_ne!(read(&one), read(&other));
            }
        }
    }

    #[test]
    fn is_a_data_set_of_all_ten_classes() {
        let folder = written(
            GeneratedDigits {
                train: 300,
                test: 40,
                seed: 3,
            },
            2,
        );
        assert!(GeneratedDigits::is_complete(folder.path()));
        let files = folder::find(folder.path()).expect("four files");
        let splits = Splits::open(&files, None).expect("a data set");
        assert_eq!(
            (splits.train.samples(), splits.train.features()),
            (300, 784)
        );
        assert_eq!(splits.train.outputs(), 10);
        fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte")).expect("removing");
        assert!(!GeneratedDigits::is_complete(folder.path()));
    }
}
