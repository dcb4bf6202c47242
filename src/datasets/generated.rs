//! A data set of generated digits, in the same four files as MNIST.
//!
//! The class and the drawing of every sample come from its own random stream. Cores can therefore draw in parallel, the files
//! depend only on the seed, and a larger data set starts with the samples of a smaller one.

use std::io::{self, Write};
use std::path::Path;

use rand::RngExt;
use rayon::prelude::*;

use super::digits::{self, SIDE};
use crate::compute::parallel::Workers;
use crate::data::folder;
use crate::data::idx::{ElementType, Header};
use crate::durable::{create_folder, write_atomically, write_if_absent};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;
use crate::random::{Purpose, stream};

/// The edition of the generator. It is incremented if the same seed draws other digits, so that older data sets are not
/// mistaken for current ones.
pub const EDITION: u32 = 1;

/// The files of a data set: training images and labels, then test images and labels.
pub const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// The number of samples that are drawn before they are written: enough for all cores, in little memory.
const BLOCK: usize = 8192;

const CLASSES: u32 = 10;

/// A data set of digits to generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeneratedDigits {
    /// The number of training samples.
    pub train: usize,
    /// The number of test samples.
    pub test: usize,
    /// The seed of all draws.
    pub seed: u64,
}

impl Default for GeneratedDigits {
    /// Returns as many samples as in MNIST, with seed 1.
    fn default() -> GeneratedDigits {
        GeneratedDigits {
            train: 60_000,
            test: 10_000,
            seed: 1,
        }
    }
}

impl GeneratedDigits {
    /// Writes the data set to `folder`, which is created if it does not exist. Each file is written completely or not at all,
    /// and replaces an existing one.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if the training or the test set is empty or has more samples than an IDX file can hold, and
    /// [`Error::Io`] if the folder cannot be written.
    pub fn write(&self, folder: &Path, workers: &Workers) -> Result<()> {
        self.write_files(folder, workers, true)
    }

    /// Writes only the files that do not exist yet. Existing files are assumed to belong to this data set, and other processes
    /// may write the same files at the same time.
    ///
    /// # Errors
    /// Returns the errors of [`GeneratedDigits::write`].
    pub fn write_missing(&self, folder: &Path, workers: &Workers) -> Result<()> {
        self.write_files(folder, workers, false)
    }

    fn write_files(&self, folder: &Path, workers: &Workers, replace: bool) -> Result<()> {
        for (key, samples) in [(Key("train"), self.train), (Key("test"), self.test)] {
            if !(1..=u32::MAX as usize).contains(&samples) {
                return Err(Error::Config(Refusal::new(
                    key,
                    samples.to_string(),
                    format!("1 to {}", u32::MAX),
                )));
            }
        }
        create_folder(folder)?;
        let [train_images, train_labels, test_images, test_labels] =
            FILES.map(|name| folder.join(name));
        for (images, labels, purpose, samples) in [
            (train_images, train_labels, Purpose::TrainDigits, self.train),
            (test_images, test_labels, Purpose::TestDigits, self.test),
        ] {
            self.write_images(&images, (purpose, samples), workers, replace)?;
            self.write_labels(&labels, (purpose, samples), replace)?;
        }
        Ok(())
    }

    /// Returns whether `folder` contains a complete data set, rather than one whose writing was interrupted.
    pub fn is_complete(folder: &Path) -> bool {
        folder::find(folder).is_ok_and(|files| files.test.is_some())
    }

    fn write_images(
        &self,
        path: &Path,
        (purpose, samples): (Purpose, usize),
        workers: &Workers,
        replace: bool,
    ) -> Result<()> {
        let header = Header::new(path, ElementType::U8, &[samples, SIDE, SIDE])?;
        let image_bytes = SIDE * SIDE;
        let mut pixels = vec![0; BLOCK.min(samples) * image_bytes];
        write_file(path, replace, |out| {
            out.write_all(&header.to_bytes())?;
            for start in (0..samples).step_by(BLOCK) {
                let pixels = &mut pixels[..BLOCK.min(samples - start) * image_bytes];
                workers.run(|| {
                    let images = pixels.par_chunks_exact_mut(image_bytes).enumerate();
                    images.for_each(|(index, image)| {
                        let mut rng = stream(self.seed, purpose, (start + index) as u32);
                        let digit = rng.random_range(0..CLASSES) as u8;
                        image.copy_from_slice(&digits::draw(digit, &mut rng));
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
        (purpose, samples): (Purpose, usize),
        replace: bool,
    ) -> Result<()> {
        let header = Header::new(path, ElementType::U8, &[samples])?;
        write_file(path, replace, |out| {
            out.write_all(&header.to_bytes())?;
            for sample in 0..samples {
                let mut rng = stream(self.seed, purpose, sample as u32);
                out.write_all(&[rng.random_range(0..CLASSES) as u8])?;
            }
            Ok(())
        })
    }
}

/// Writes a file, either replacing an existing one or only if there is none.
fn write_file(
    path: &Path,
    replace: bool,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    match replace {
        true => write_atomically(path, fill),
        false if path.exists() => Ok(()),
        false => write_if_absent(path, fill),
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
    fn the_files_depend_only_on_the_seed() {
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
    fn the_data_set_has_all_ten_classes() {
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
