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
use crate::data::idx::{ElementType, Header};
use crate::data::{folder, replacement};
use crate::durable::{Finished, create_folder, remove_leftovers, write_if_absent};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, message};
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

/// Writes the contents of a file.
type Fill<'a> = &'a mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// Puts a file at a path.
type Put<'a> = dyn FnMut(&Path, Fill) -> Result<()> + 'a;

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
    /// Writes the data set to `folder`, which is created if it does not exist, all of it or nothing. It replaces a data set
    /// in the folder.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if the training or the test set is empty or has more samples than an IDX file can hold,
    /// [`Error::Data`] if another process writes to the folder, and [`Error::Io`] if it cannot be written.
    pub fn write(&self, folder: &Path, workers: &Workers) -> Result<()> {
        self.write_set(folder, true, workers)
    }

    /// Writes the data set as [`GeneratedDigits::write`] does to a folder that has none.
    ///
    /// # Errors
    /// Returns the errors of [`GeneratedDigits::write`], and [`Error::Config`] if there is a data set.
    pub fn write_new(&self, folder: &Path, workers: &Workers) -> Result<()> {
        self.write_set(folder, false, workers)
    }

    fn write_set(&self, folder: &Path, replace: bool, workers: &Workers) -> Result<()> {
        self.check()?;
        let mut lock = replacement::begin(folder)?;
        if let (Some(path), false) = (folder::all_files(folder).first(), replace) {
            let found = format!("{} exists already", path.display());
            let refusal = Refusal::new(Key("out"), found, "a folder without a data set");
            return Err(Error::Config(refusal.hint(message![
                "name another folder, or add ",
                Key("force"),
                " to replace it"
            ])));
        }
        let mut finished = Vec::new();
        self.write_files(folder, workers, &mut |path, fill| {
            finished.push(Finished::fill(path, fill)?);
            Ok(())
        })?;
        let old = folder::replaced_files(folder);
        replacement::replace(&mut lock, finished, &old).map(drop)
    }

    /// Writes only the files that do not exist yet. Existing files are assumed to belong to this data set, and other processes
    /// may write the same files at the same time.
    ///
    /// # Errors
    /// Returns the errors of [`GeneratedDigits::write`].
    pub fn write_missing(&self, folder: &Path, workers: &Workers) -> Result<()> {
        self.check()?;
        create_folder(folder)?;
        remove_leftovers(folder, &FILES)?;
        self.write_files(folder, workers, &mut |path, fill| match path.exists() {
            true => Ok(()),
            false => write_if_absent(path, fill),
        })
    }

    fn check(&self) -> Result<()> {
        for (key, samples) in [(Key("train"), self.train), (Key("test"), self.test)] {
            if !(1..=u32::MAX as usize).contains(&samples) {
                return Err(Error::Config(Refusal::new(
                    key,
                    samples.to_string(),
                    format!("1 to {}", u32::MAX),
                )));
            }
        }
        Ok(())
    }

    /// Passes the path of each file to `put`, with a function that writes its contents.
    fn write_files(&self, folder: &Path, workers: &Workers, put: &mut Put) -> Result<()> {
        let [train_images, train_labels, test_images, test_labels] =
            FILES.map(|name| folder.join(name));
        for (images, labels, purpose, samples) in [
            (train_images, train_labels, Purpose::TrainDigits, self.train),
            (test_images, test_labels, Purpose::TestDigits, self.test),
        ] {
            let header = Header::new(&images, ElementType::U8, &[samples, SIDE, SIDE])?;
            put(&images, &mut |out| {
                out.write_all(&header.to_bytes())?;
                self.write_images(purpose, samples, workers, out)
            })?;
            let header = Header::new(&labels, ElementType::U8, &[samples])?;
            put(&labels, &mut |out| {
                out.write_all(&header.to_bytes())?;
                self.write_labels(purpose, samples, out)
            })?;
        }
        Ok(())
    }

    /// Returns whether `folder` contains a complete data set, rather than one whose writing was interrupted.
    pub fn is_complete(folder: &Path) -> bool {
        folder::find(folder).is_ok_and(|files| files.test.is_some())
    }

    fn write_images(
        &self,
        purpose: Purpose,
        samples: usize,
        workers: &Workers,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let image_bytes = SIDE * SIDE;
        let mut pixels = vec![0; BLOCK.min(samples) * image_bytes];
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
    }

    fn write_labels(
        &self,
        purpose: Purpose,
        samples: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        for sample in 0..samples {
            let mut rng = stream(self.seed, purpose, sample as u32);
            out.write_all(&[rng.random_range(0..CLASSES) as u8])?;
        }
        Ok(())
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
